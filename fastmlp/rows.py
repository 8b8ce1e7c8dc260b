"""From what a source holds to rows to train on: the task, the split, the preparation, the targets."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.config import Config
from fastmlp.data.source import Columns, Part, Source, read_source
from fastmlp.errors import DataError
from fastmlp.preparation import Preparation, fit_preparation
from fastmlp.stream import Stream
from fastmlp.trainer import Trainer
from fastmlp.training import Callback

Say = Callable[[str], object]

MOST_CLASSES = 20
"""Whole numbers with at most so many different values are taken for classes."""


@dataclass(frozen=True)
class InMemory:
    """Rows to train on: X (N, D) inputs, y (N,) labels or standardised values, weights (N,) or None."""

    X: Any
    y: NDArray[Any]
    weights: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def inputs(self) -> int:
        """D."""
        return int(self.X.shape[1])

    @property
    def fingerprint(self) -> int:
        """A number that tells other rows from these."""
        parts = (self.X.data, self.X.indices) if hasattr(self.X, "indices") else (self.X,)
        found = zlib.crc32(self.y.tobytes())
        for part in parts:
            found = zlib.crc32(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data, found)
        return found

    def train(self, trainer: Trainer, validation: Any, callbacks: Iterable[Callback], state: Any) -> None:
        """Let a Trainer train on the rows."""
        trainer.fit(self.X, self.y, validation, callbacks, sample_weight=self.weights, state=state)

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True)
class TrainingRows:
    """Rows ready to train on, those set aside, and what they were made with.

    name, target, is_images: as the source has them; task: "classify" or "regress"
    labels: of the classes, in order; mean, scale: of a regression's target
    training: what to train on; validation: (X, y) to measure on, or None; test: rows as they are stored, or None
    """

    name: str
    target: str | None
    is_images: bool
    task: str
    labels: tuple[int | str, ...]
    mean: float
    scale: float
    preparation: Preparation
    training: InMemory | Stream
    validation: tuple[Any, NDArray[Any]] | None
    test: Part | None

    def described(self) -> str:
        """Return what is trained on, in a line."""
        counts = [f"{len(self.training)} training rows"]
        counts += [f"{0 if self.validation is None else len(self.validation[1])} for validation"]
        counts += [f"{0 if self.test is None else len(self.test)} for the test"]
        return f"{self.name}: {', '.join(counts)}; {self.training.inputs} inputs"


def rows_for(config: Config, say: Say, progress: Any = None) -> TrainingRows:
    """Read, split and prepare the data that a configuration names. Raises DataError for what cannot be trained on."""
    columns = Columns(config.target, config.drop, config.weight)
    source = read_source(config.data, columns, progress)
    if source.train.y is None:
        raise DataError(f"{source.name} holds no targets to learn")
    task = config.task or _guessed(source, say)
    if config.target is None and source.target is not None:
        say(f"the target is {source.target!r}, the last column")
    labels = _labels(source, task)
    train, test = _split_test(source, config, task, say)
    train, held_out = _split_validation(train, source, config, task)
    preparation = fit_preparation(train.X, source.input_scale)
    mean, scale = _standard(train.y) if task == "regress" else (0.0, 1.0)
    validation = None
    if held_out is not None:
        _refuse_unseen(held_out, labels, task, "validation rows")
        validation = preparation.inputs_of(held_out.X), _target(held_out, task, mean, scale)
    if test is not None:
        _refuse_unseen(test, labels, task, "test rows")
    training = InMemory(preparation.inputs_of(train.X), _target(train, task, mean, scale), train.weights)
    facts = source.name, source.target, source.is_images, task, labels, mean, scale
    return TrainingRows(*facts, preparation, training, validation, test)


# ---- targets ----


def _guessed(source: Source, say: Say) -> str:
    """Text and few different whole numbers are classes; other numbers are values."""
    y = source.train.y
    assert y is not None
    different = len(np.unique(y)) if y.dtype.kind in "biu" else 0
    task = "regress" if y.dtype.kind == "f" or different > MOST_CLASSES else "classify"
    if not source.is_images:
        what = "text" if y.dtype.kind in "USO" else "fractions" if y.dtype.kind == "f" else f"{different} whole numbers"
        say(f"task: {task}, as the target holds {what} (--task says otherwise)")
    return task


def _labels(source: Source, task: str) -> tuple[int | str, ...]:
    y = source.train.y
    assert y is not None
    if task == "regress":
        if y.dtype.kind not in "iuf":
            raise DataError(f"{source.name}: task 'regress' needs numbers as the target, got text such as {y[0]!r}")
        if not np.isfinite(y).all():
            raise DataError(f"{source.name}: the target must be finite")
        return ()
    if y.dtype.kind == "f":
        raise DataError(f"{source.name}: task 'classify' needs text or whole numbers as the target, got {y[0]}")
    labels: tuple[int | str, ...] = tuple(np.unique(y).tolist())
    if len(labels) < 2:
        raise DataError(f"{source.name}: the target holds only one class, {labels[0]!r}: two are needed to tell apart")
    return labels


def _standard(y: NDArray[Any] | None) -> tuple[float, float]:
    """Return mean and standard deviation of a target, 1 where it is constant."""
    assert y is not None
    return float(y.mean()), float(y.std()) or 1.0


def _target(part: Part, task: str, mean: float, scale: float) -> NDArray[Any]:
    assert part.y is not None
    return part.y if task == "classify" else (part.y - mean) / scale


def _refuse_unseen(part: Part, labels: tuple[int | str, ...], task: str, which: str) -> None:
    if task == "classify" and part.y is not None:
        unseen = np.setdiff1d(part.y, np.asarray(labels)).tolist()
        if unseen:
            raise DataError(f"the {which} hold classes that training has not seen: {', '.join(map(repr, unseen[:5]))}")


# ---- splits ----


def _split_test(source: Source, config: Config, task: str, say: Say) -> tuple[Part, Part | None]:
    if config.test is not None:
        return source.train, _read_beside(config.test, source)
    if source.test is not None or config.test_fraction == 0:
        return source.train, source.test
    say(f"no test rows given: {config.test_fraction:.0%} of the rows are set aside (--test FILE says otherwise)")
    return _split(source.train, config.test_fraction, _seed(config), task == "classify")


def _split_validation(train: Part, source: Source, config: Config, task: str) -> tuple[Part, Part | None]:
    if config.validation is not None:
        return train, _read_beside(config.validation, source)
    if config.validation_fraction == 0:
        return train, None
    return _split(train, config.validation_fraction, _seed(config), task == "classify" and not source.is_images)


def _read_beside(data: Any, source: Source) -> Part:
    """Read rows with the same columns as a source's."""
    names = Columns(source.target if hasattr(source.train.X, "columns") else None)
    part = read_source(data, names, inputs=source.train.X.shape[1]).train
    if part.y is None:
        raise DataError(f"{data} holds no targets to compare with")
    return part


def _seed(config: Config) -> int:
    return int(config.trainer.get("seed") or 0)


def _split(part: Part, fraction: float, seed: int, by_class: bool) -> tuple[Part, Part]:
    """Set a random part of the rows aside, of each class the same share; what is left keeps its order."""
    if len(part) < 2:
        raise DataError(
            f"rows can only be set aside from at least 2, got {len(part)}: add some, or give fractions of 0"
        )
    random = np.random.default_rng(seed)
    aside = np.zeros(len(part), bool)
    if by_class and part.y is not None:
        for label in np.unique(part.y):
            rows = np.flatnonzero(part.y == label)
            aside[random.permutation(rows)[: min(round(len(rows) * fraction), len(rows) - 1)]] = True
    if not aside.any():
        count = min(max(round(len(part) * fraction), 1), len(part) - 1)
        aside[random.choice(len(part), count, replace=False)] = True
    return _taken(part, ~aside), _taken(part, aside)


def _taken(part: Part, mask: NDArray[np.bool_]) -> Part:
    X = part.X.filter(mask) if hasattr(part.X, "columns") else part.X[mask]
    return Part(X, None if part.y is None else part.y[mask], None if part.weights is None else part.weights[mask])
