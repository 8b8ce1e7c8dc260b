"""What a run's report tells: the run, put as a ``fastmlp.report.Story``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.command import command_of
from fastmlp.preparation import image_shape
from fastmlp.report import Mistake, Story

if TYPE_CHECKING:
    from fastmlp.data.parts import Part
    from fastmlp.model import Model
    from fastmlp.run import Run

MOST_MISTAKES = 24
MOST_FIELDS = 8
MOST_VALUES = 500


def story_of(run: Run) -> Story:
    """Return what there is to tell of a run; its pictures, where rows are square images of bytes."""
    model, test = run.model, run.test
    shape = _shape_of(model)
    mistakes: tuple[Mistake, ...] = ()
    values = None
    if test is not None and test.y is not None:
        if model.task == "classify":
            mistakes = tuple(_mistakes(model, test, shape))
        else:
            some = np.linspace(0, len(test) - 1, min(len(test), MOST_VALUES)).astype(np.int64)
            values = test.y[some].astype(np.float64), model.predict(test.rows(some).X)
    name = str(model.about.get("data", "")).rpartition("/")[2] or "a table"
    return Story(
        title=f"{name}: {model.target}" if model.target and model.preparation.columns else name,
        command=command_of(run.config),
        config=run.config.facts(),
        history=run.history,
        timings=run.timings,
        evaluation=run.evaluation,
        mistakes=mistakes,
        weights=model.parameters["W1"] if shape else None,
        image_shape=shape,
        values=values,
        created=f"{datetime.now():%Y-%m-%d %H:%M}, {run.rows:,} training rows, {run.threads} threads",
    )


def _shape_of(model: Model) -> tuple[int, int] | None:
    preparation = model.preparation
    is_of_bytes = preparation.stored is not None and preparation.transformer is None
    return image_shape(preparation.stored) if is_of_bytes and preparation.stored else None


def _mistakes(model: Model, test: Part, shape: tuple[int, int] | None) -> Iterator[Mistake]:
    """Yield the test rows whose wrong class was given the highest probabilities, the worst first."""
    assert test.y is not None
    probabilities, truth = model.predict_proba(test.X), model.class_numbers(test.y)
    predicted, certain = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    worst = wrong[np.argsort(-certain[wrong], kind="stable")][:MOST_MISTAKES]
    for row in worst.tolist():
        yield Mistake(
            row,
            str(model.labels[truth[row]]),
            str(model.labels[predicted[row]]),
            float(certain[row]),
            pixels=None if shape is None else np.asarray(test.X[row]).reshape(shape),
            fields=_fields(test.X, row),
        )


def _fields(X: Any, row: int) -> dict[str, str] | None:
    """Return the first columns of a table's row."""
    if not hasattr(X, "columns"):
        return None
    return {name: str(X[row, name]) for name in X.columns[:MOST_FIELDS]}
