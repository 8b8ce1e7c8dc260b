"""HTML from Python values: all text is escaped, unless it is markup already."""

from collections.abc import Iterable
from html import escape

_WITHOUT_END = frozenset({"img", "meta"})


class Markup(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: object) -> Markup:
    """Return an element: ``element("td", "a < b", class_="wide")`` is ``<td class="wide">a &lt; b</td>``.

    Underscores in the names of attributes become hyphens, but for one at the end, which is left out. An attribute
    that is None is not written.
    """
    written = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _WITHOUT_END:
        return Markup(f"<{name}{written}/>")  # as XML has it too, so that XML's tools read the page
    return Markup(f"<{name}{written}>{together(children)}</{name}>")


def together(parts: Iterable[str]) -> Markup:
    """Return the parts one after the other; those that are no Markup are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))
