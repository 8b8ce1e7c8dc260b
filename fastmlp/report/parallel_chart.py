"""Parallel coordinates: an axis for each option, a line for each trial, the better the stronger."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastmlp.report.axis import axis_of
from fastmlp.report.figures import number
from fastmlp.report.markup import Markup, element

_HEIGHT = 260


@dataclass(frozen=True)
class Coordinate:
    """An axis: its name, and each line's place on it, numbers or names."""

    name: str
    values: Sequence[object]
    is_log: bool = False


def parallel_chart(coordinates: Sequence[Coordinate], merits: Sequence[float], about: str) -> Markup:
    """Return an SVG; merits: of each line, from 0 to 1: lines of more merit are drawn over others, and stronger."""
    width = 1000 / max(1, len(coordinates) - 1)
    heights = [_heights(coordinate) for coordinate in coordinates]
    lines = []
    for i in sorted(range(len(merits)), key=lambda i: merits[i]):
        points = " ".join(f"{j * width:.1f},{places[i]:.1f}" for j, places in enumerate(heights))
        strength = f"stroke-opacity:{0.08 + 0.92 * merits[i] ** 2:.2f}"
        lines.append(element("polyline", points=points, vector_effect="non-scaling-stroke", style=strength))
    box = element(
        "svg", *lines, viewBox=f"0 0 1000 {_HEIGHT}", preserveAspectRatio="none", width="100%", height=_HEIGHT
    )
    axes = [part for j, each in enumerate(coordinates) for part in _axis(each, j, len(coordinates))]
    style = f"--height:{_HEIGHT}px"
    return element(
        "svg", box, *axes, class_="chart parallel colour-0", role="img", aria_label=about, height=_HEIGHT, style=style
    )


def _heights(coordinate: Coordinate) -> list[float]:
    """Return how far below the upper edge each line crosses the axis."""
    axis = axis_of(_numbers(coordinate), padding=0.0, may_be_log=coordinate.is_log)
    return [_HEIGHT * (1 - axis.share(value)) for value in _numbers(coordinate)]


def _numbers(coordinate: Coordinate) -> list[float]:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in coordinate.values):
        return [float(value) for value in coordinate.values]  # type: ignore[arg-type]
    names = sorted(map(str, set(coordinate.values)))
    return [float(names.index(str(value))) for value in coordinate.values]


def _axis(coordinate: Coordinate, place: int, count: int) -> list[Markup]:
    left = f"{100 * place / max(1, count - 1):.2f}%"
    side = "start" if place == 0 else "end" if place == count - 1 else "middle"
    ends = sorted(zip(_numbers(coordinate), coordinate.values, strict=True), key=lambda pair: pair[0])
    low, high = (number(value) if isinstance(value, float) else str(value) for value in (ends[0][1], ends[-1][1]))
    return [
        element("line", class_="foot", x1=left, x2=left, y1=0, y2=_HEIGHT),
        element("text", coordinate.name, class_="coordinate", x=left, y=-24, text_anchor=side),
        element("text", high, class_="tick", x=left, y=-8, text_anchor=side),
        element("text", low, class_="tick", x=left, y=_HEIGHT + 18, text_anchor=side),
    ]
