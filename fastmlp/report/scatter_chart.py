"""A chart of points that should lie on the diagonal."""

from collections.abc import Sequence

from fastmlp.report.axis import axis_of
from fastmlp.report.frame import AxisTitle, Frame, chart
from fastmlp.report.markup import Markup, element

_HEIGHT = 340


def diagonal_chart(x: Sequence[float], y: Sequence[float], x_title: str, y_title: str) -> Markup:
    """Return an SVG of the points (x, y) over two equal axes, with the line where both are the same."""
    both = axis_of([*x, *y])
    frame = Frame(both, both, AxisTitle(x_title), AxisTitle(y_title), _HEIGHT)
    diagonal = element("line", class_="diagonal", x1="0", y1=_HEIGHT, x2="100%", y2="0")
    points = [element("circle", cx=frame.left(a), cy=frame.top(b), r=3) for a, b in zip(x, y, strict=True)]
    about = f"{y_title} against {x_title}, {len(points)} points"
    return chart(frame, about, [diagonal, element("g", *points, class_="points colour-0")], class_="chart square")
