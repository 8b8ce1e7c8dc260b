"""Tables: plain ones, and ones whose cells are shaded by what they hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastmlp.report.markup import Markup, element

_LONG_LABEL = 5  # characters; above _MANY_COLUMNS, longer labels are written upwards
_MANY_COLUMNS, _DENSE_COLUMNS = 8, 16  # of shaded cells; above the latter they are small


@dataclass(frozen=True)
class Cell:
    """A cell's text, how strongly it is shaded, from 0 to 1, and whether by the colour of warnings."""

    text: str
    shade: float = 0.0
    warns: bool = False


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str, numbers_from: int = 1) -> Markup:
    """Return a table in a box of its own, in which it scrolls where it is too wide.

    The first entry of each row is its header; columns from ``numbers_from`` on are aligned as numbers.
    """
    aligned = ["number" if index >= numbers_from else None for index in range(len(columns))]
    head = [element("th", name, scope="col", class_=align) for name, align in zip(columns, aligned, strict=True)]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row", class_=aligned[0]),
            *(element("td", text, class_=align) for text, align in zip(row[1:], aligned[1:], strict=True)),
        )
        for row in rows
    ]
    return _boxed(caption, element("thead", element("tr", *head)), element("tbody", *body), class_="plain")


def pairs_table(pairs: Iterable[tuple[str, str]], caption: str) -> Markup:
    """Return a table of names and values."""
    rows = [element("tr", element("th", name, scope="row"), element("td", value)) for name, value in pairs]
    return _boxed(caption, element("tbody", *rows), class_="pairs")


def heat_table(corner: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[Cell]]], caption: str) -> Markup:
    """Return a table of shaded cells; ``corner`` says what its rows and columns are."""
    classes = ["heat"]
    if len(columns) > _MANY_COLUMNS and max(map(len, columns)) > _LONG_LABEL:
        classes.append("upright")
    if len(columns) > _DENSE_COLUMNS:
        classes.append("dense")
    head = [element("th", element("span", name), scope="col") for name in columns]
    body = [element("tr", element("th", name, scope="row"), *map(_shaded, cells)) for name, cells in rows]
    return _boxed(
        caption,
        element("thead", element("tr", element("td", corner, class_="corner"), *head)),
        element("tbody", *body),
        class_=" ".join(classes),
    )


def _shaded(cell: Cell) -> Markup:
    if cell.shade <= 0:
        return element("td", cell.text)
    shade = f"--shade:{100 * min(cell.shade, 1.0):.0f}%"
    return element("td", cell.text, style=shade, class_="warns" if cell.warns else "agrees")


def _boxed(caption: str, *parts: Markup, class_: str) -> Markup:
    content = element("table", element("caption", caption), *parts, class_=class_)
    return element("div", content, class_="box", role="region", aria_label=caption, tabindex=0)
