"""The place in the README for what was measured."""

from pathlib import Path

START, END = "<!-- peers -->", "<!-- /peers -->"


def check_readme(path: Path) -> None:
    """Raise ValueError where the README has no place for the tables."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not -1 < text.find(START) < text.find(END):
        raise ValueError(f"{path.name} must hold the lines {START} and {END}: the tables go between them")


def write_readme(path: Path, tables: str) -> None:
    """Replace what stands between the markers."""
    check_readme(path)
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(START, 1)
    path.write_text(f"{before}{START}\n{tables}{END}{rest.split(END, 1)[1]}", encoding="utf-8")
