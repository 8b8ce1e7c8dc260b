"""The page around a report: one file, nothing loaded from elsewhere."""

from importlib.resources import files

from fastmlp.report.markup import Markup, element, together

# Neither scripts nor anything from elsewhere, whatever the data hold that is shown.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, *content: Markup) -> str:
    """Return a whole HTML page, its style sheet within it."""
    style = files("fastmlp.report").joinpath("style.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )
    body = element("body", element("main", *content))
    return together([Markup("<!DOCTYPE html>\n"), element("html", head, body, lang="en"), Markup("\n")])


def section(title: str, *content: str, note: str = "") -> Markup:
    """Return a section under its heading, with a note on it."""
    about = [element("p", note, class_="note")] if note else []
    return element("section", element("h2", title), *about, *content)
