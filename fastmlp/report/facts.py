"""The parts of a report that are figures and names: the headline, the configuration, the times, the command."""

import re
from collections.abc import Iterable
from statistics import median

from fastmlp.report.figures import number, percent, plural, seconds
from fastmlp.report.markup import Markup, element
from fastmlp.report.shell import section
from fastmlp.report.story import Story
from fastmlp.report.table import pairs_table

# Figures of an evaluation: title, and how the value is written.
_FIGURES = {
    "accuracy": ("test accuracy", percent),
    "log_loss": ("log loss", number),
    "roc_auc": ("ROC AUC", number),
    "rmse": ("RMSE", number),
    "mae": ("MAE", number),
    "r2": ("R²", number),
}


def headline(story: Story) -> Markup:
    """Return the title and the figures that matter most."""
    return headline_of(story.title, story.created, _headline_figures(story))


def headline_of(title: str, created: str, figures: Iterable[tuple[str, str]]) -> Markup:
    """Return a title, when it was made, and figures by name, the first of them large."""
    tiles = [element("div", element("dt", name), element("dd", value)) for name, value in figures if value]
    note = [element("p", created, class_="note")] if created else []
    row = [element("dl", *tiles, class_="headline")] if tiles else []
    return element("header", element("h1", title), *note, *row)


def _headline_figures(story: Story) -> Iterable[tuple[str, str]]:
    if story.evaluation is not None:
        for name, value in story.evaluation.figures.items():
            title, written = _FIGURES.get(name, (name, number))
            yield title, written(value)
    if story.history.loss:
        yield "epochs", f"{len(story.history.loss):,}"
    if story.history.epoch_seconds:
        yield "training", seconds(sum(story.history.epoch_seconds))
    if story.evaluation is not None:
        yield "test rows", f"{story.evaluation.rows:,}"


def configuration(story: Story) -> Markup:
    """Return the options as a table."""
    pairs = [(name, _written(value)) for name, value in story.config.items()]
    return section("Configuration", pairs_table(pairs, "Options and their values"))


def _written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value)) or "none"
    return str(value)


def times(story: Story) -> Markup:
    """Return the timings as a table, with the median of the epochs."""
    pairs = [(name, seconds(value)) for name, value in story.timings.items()]
    if story.history.epoch_seconds:
        epochs = plural(len(story.history.epoch_seconds), "epoch")
        pairs.append((f"an epoch, median of {epochs}", seconds(median(story.history.epoch_seconds))))
    return section("Times", pairs_table(pairs, "Seconds by what they were spent on"))


def command(text: str) -> Markup:
    """Return the command that made it, broken between words only; a click selects all of it."""
    words = [element("span", word) if word.strip() else word for word in re.split(r"(\s+)", text)]
    return section("Command", element("pre", element("code", *words), class_="command", tabindex=0))
