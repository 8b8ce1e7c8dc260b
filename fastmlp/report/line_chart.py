"""Charts of lines, each labelled at its end."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fastmlp.report.axis import axis_of
from fastmlp.report.figures import number, percent
from fastmlp.report.frame import AxisTitle, Frame, chart
from fastmlp.report.markup import Markup, element

COLOURS = 6  # that the style sheet has for series
_MOST_DOTS = 30
_MOST_TOOLTIPS = 200
_LABEL_HEIGHT = 30  # a name and a figure, one below the other


@dataclass(frozen=True)
class Series:
    """A line: its name, its values, of which those that are not finite leave gaps, and the number of its colour."""

    name: str
    values: Sequence[float]
    colour: int = 0

    @property
    def class_(self) -> str:
        """The style sheet's name of its colour."""
        return f"colour-{self.colour % COLOURS}"


@dataclass(frozen=True)
class Lines:
    """What a chart shows: lines over the same values ``x``, which rise."""

    x: Sequence[float]
    series: Sequence[Series]
    x_title: AxisTitle
    y_title: AxisTitle
    may_be_log: bool = False  # where values span a large factor
    labelled: int | None = None  # how many of the series, the first ones, have their names beside them; None: all


def line_chart(lines: Lines) -> Markup:
    """Return an SVG of the lines, with axes, the name and last figure of each, and tooltips with all figures."""
    values = (value for series in lines.series for value in series.values)
    across = axis_of(lines.x, padding=0.0)
    frame = Frame(across, axis_of(values, may_be_log=lines.may_be_log), lines.x_title, lines.y_title)
    drawn = [_line(frame, lines, series) for series in reversed(lines.series)]  # the first over the others
    return chart(frame, _in_words(lines), [*drawn, *_labels(frame, lines), *_tooltips(frame, lines)])


def _points(lines: Lines, series: Series) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(lines.x, series.values, strict=False) if math.isfinite(y)]


def _line(frame: Frame, lines: Lines, series: Series) -> Markup:
    """Return the line, in a box of its own that is stretched to the width, and a dot for each of few values."""
    points = _points(lines, series)
    path = element("path", d=_path(frame, lines, series), vector_effect="non-scaling-stroke")
    box = element(
        "svg", path, viewBox=f"0 0 1000 {frame.height}", preserveAspectRatio="none", width="100%", height=frame.height
    )
    dotted = points if len(lines.x) <= _MOST_DOTS else points[-1:]
    dots = [element("circle", cx=frame.left(x), cy=frame.top(y), r=3) for x, y in dotted]
    return element("g", box, *dots, class_=f"line {series.class_}")


def _path(frame: Frame, lines: Lines, series: Series) -> str:
    """Return the steps of a path that starts anew after each gap."""
    steps, command = [], "M"
    for x, y in zip(lines.x, series.values, strict=False):
        if not math.isfinite(y):
            command = "M"
            continue
        steps.append(f"{command}{1000 * frame.x.share(x):.1f} {frame.top(y)}")
        command = "L"
    return "".join(steps)


def _labels(frame: Frame, lines: Lines) -> Iterable[Markup]:
    """Return the names at the ends of the lines, moved apart where they would touch."""
    named = lines.series[: lines.labelled]
    ends = [(series, points[-1][1]) for series in named if (points := _points(lines, series))]
    tops = moved_apart([frame.top(y) for _, y in ends], _LABEL_HEIGHT, frame.height)
    for (series, y), top in zip(ends, tops, strict=True):
        name = element("tspan", series.name, x="100%", dx=10)
        value = element("tspan", _written(y, lines.y_title), x="100%", dx=10, dy="1.2em", class_="value")
        yield element("text", name, value, y=top, dy="-0.25em", class_=f"label {series.class_}")


def moved_apart(wanted: Sequence[float], gap: float, height: float) -> list[float]:
    """Return places near the wanted ones, at least a gap apart and between 0 and the height while there is room."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    places = list(wanted)
    for before, after in pairwise(order):
        places[after] = max(places[after], places[before] + gap)
    limit = height
    for index in reversed(order):
        places[index] = min(places[index], limit)
        limit = places[index] - gap
    return places


def _tooltips(frame: Frame, lines: Lines) -> Iterable[Markup]:
    """Return a strip over each value of x that shows the figures there when pointed at."""
    if not 1 < len(lines.x) <= _MOST_TOOLTIPS:
        return
    width = 100 / (len(lines.x) - 1)
    for position, x in enumerate(lines.x):
        figures = ", ".join(
            f"{series.name} {_written(series.values[position], lines.y_title)}"
            for series in lines.series[: lines.labelled]
            if position < len(series.values)
        )
        title = element("title", f"{lines.x_title.text} {number(x)}: {figures}")
        left = f"{100 * frame.x.share(x) - width / 2:.2f}%"
        yield element("rect", title, class_="pointed", x=left, y=0, width=f"{width:.2f}%", height=frame.height)


def _in_words(lines: Lines) -> str:
    said = [
        f"{series.name} from {_written(points[0][1], lines.y_title)} to {_written(points[-1][1], lines.y_title)}"
        for series in lines.series[: lines.labelled]
        if (points := _points(lines, series))
    ]
    return f"{lines.y_title.text} by {lines.x_title.text}: {'; '.join(said)}"


def _written(value: float, title: AxisTitle) -> str:
    return percent(value) if title.as_percent else number(value)
