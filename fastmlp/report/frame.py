"""What charts have in common: a plot of fixed height and any width, its grid, its ticks and the titles of its axes.

A chart is an SVG whose lengths across are percentages, so that text keeps its size at every width. What is drawn is
the plot; ticks and titles hang over its edges, into the padding that the style sheet leaves for them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastmlp.report.axis import Axis, tick_labels
from fastmlp.report.markup import Markup, element, together

HEIGHT = 200  # of the plot, in pixels


@dataclass(frozen=True)
class AxisTitle:
    """What an axis shows, and how its ticks are written and chosen."""

    text: str
    as_percent: bool = False
    whole: bool = False  # only whole numbers are marked


@dataclass(frozen=True)
class Frame:
    """The axes of a chart, across and upwards."""

    x: Axis
    y: Axis
    x_title: AxisTitle
    y_title: AxisTitle
    height: int = HEIGHT

    def left(self, x: float) -> str:
        """Return how far from the left edge a value lies, in percent of the width."""
        return f"{100 * self.x.share(x):.2f}%"

    def top(self, y: float) -> float:
        """Return how far below the upper edge a value lies, in pixels."""
        return round(self.height * (1 - self.y.share(y)), 1)


def chart(frame: Frame, about: str, drawn: Iterable[Markup], class_: str = "chart") -> Markup:
    """Return the SVG of a chart with what is drawn into its frame; ``about`` says it in words."""
    parts = together([*_upward_axis(frame), *_across_axis(frame), *drawn])
    return element(
        "svg",
        parts,
        class_=class_,
        role="img",
        aria_label=about,
        height=frame.height,
        style=f"--height:{frame.height}px",
    )


def figure(title: str, note: str, picture: Markup) -> Markup:
    """Return a picture below its title and a note on it."""
    caption = element("figcaption", element("strong", title), " ", element("span", note))
    return element("figure", caption, picture)


def _upward_axis(frame: Frame) -> Iterable[Markup]:
    title = frame.y_title.text + (", log scale" if frame.y.is_log else "")
    yield element("text", title, class_="axis", x="0", y=-10)
    for tick, label in _labelled(frame.y.ticks(), frame.y_title):
        top = frame.top(tick)
        yield element("line", class_="grid", x1="0", x2="100%", y1=top, y2=top)
        yield element("text", label, class_="tick upward", x="0", y=top, dx=-8, dy="0.35em")


def _across_axis(frame: Frame) -> Iterable[Markup]:
    title = frame.x_title.text + (", log scale" if frame.x.is_log else "")
    yield element("line", class_="foot", x1="0", x2="100%", y1=frame.height, y2=frame.height)
    yield element("text", title, class_="axis across", x="50%", y=frame.height + 36)
    for tick, label in _labelled(frame.x.ticks(whole=frame.x_title.whole), frame.x_title):
        left = frame.left(tick)
        yield element("line", class_="foot", x1=left, x2=left, y1=frame.height, y2=frame.height + 4)
        yield element("text", label, class_="tick across", x=left, y=frame.height + 18)


def _labelled(ticks: Sequence[float], title: AxisTitle) -> Iterable[tuple[float, str]]:
    return zip(ticks, tick_labels(list(ticks), title.as_percent), strict=True)
