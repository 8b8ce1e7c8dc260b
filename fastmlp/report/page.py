"""The report of a training run: its parts in order."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from fastmlp import __version__
from fastmlp.report.classes import by_class
from fastmlp.report.curves import learning_curves
from fastmlp.report.facts import command, configuration, headline, times
from fastmlp.report.images import first_layer, worst_mistakes
from fastmlp.report.markup import Markup, element
from fastmlp.report.shell import page
from fastmlp.report.story import Story
from fastmlp.report.values import predicted_against_true


def write_report(path: str | PathLike[str], story: Story) -> None:
    """Write the report to a file: one HTML page that needs nothing else, neither a network nor scripts."""
    text = page(story.title, headline(story), *_parts(story), element("footer", f"fastmlp {__version__}"))
    # A command may hold bytes that are no text, as file names do: they must not cost the report.
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _parts(story: Story) -> Iterable[Markup]:
    if story.history.loss:
        yield learning_curves(story.history)
    evaluation = story.evaluation
    if evaluation is not None and evaluation.confusion is not None:
        yield by_class(evaluation, evaluation.confusion)
    if story.values is not None:
        yield predicted_against_true(*story.values)
    if story.mistakes:
        yield worst_mistakes(story.mistakes)
    if story.weights is not None and story.image_shape is not None:
        yield first_layer(story.weights, story.image_shape)
    yield element("div", *_facts(story), class_="beside")


def _facts(story: Story) -> Iterable[Markup]:
    if story.config:
        yield configuration(story)
    made = [command(story.command)] if story.command else []
    if story.timings or story.history.epoch_seconds:
        made.append(times(story))
    yield element("div", *made)
