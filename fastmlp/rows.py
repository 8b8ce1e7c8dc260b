"""From what a source holds to rows to train on: the task, the split, the preparation, the targets."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.config import Config
from fastmlp.data.parts import LAST_COLUMN, Columns, Part, Source
from fastmlp.data.source import read_source
from fastmlp.errors import DataError
from fastmlp.model import Model
from fastmlp.preparation import Preparation, fit_preparation
from fastmlp.stream import Stream
from fastmlp.target import Say, Survey, Target
from fastmlp.trainer import Trainer
from fastmlp.training import Callback


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

    @cached_property
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

    name, column, is_images: as the source has them; target: what is to be learned
    training: what to train on; validation: (X, y) to measure on, or None; test: rows as they are stored, or None
    """

    name: str
    column: str | None
    is_images: bool
    target: Target
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

    def model(self, parameters: Mapping[str, NDArray[Any]], activation: str, epochs: int) -> Model:
        """Return the model that such parameters make, after so many epochs."""
        target = self.target
        facts = target.task, activation, target.labels, self.column, target.mean, target.scale
        about = {"data": self.name, "rows": len(self.training), "epochs": epochs}
        return Model(parameters, self.preparation, *facts, about)


def rows_for(config: Config, say: Say, progress: Any = None) -> TrainingRows:
    """Read, split and prepare the data that a configuration names. Raises DataError for what cannot be trained on."""
    source = read_source(config.data, Columns(config.target, config.drop, config.weight), progress)
    y = source.train.y
    if y is None:
        raise DataError(f"{source.name} holds no targets to learn")
    survey = Survey(source.name)
    survey.add(y, np.zeros(len(y), bool))
    task = survey.task(config.task, None if source.is_images else say)
    tell_target(config, source, say)
    train, test = _split_test(source, config, task, say)
    train, held_out = _split_validation(train, source, config, task)
    assert train.y is not None
    survey.add(train.y, np.ones(len(train), bool))
    target = survey.target(task)
    preparation = fit_preparation(train.X, source.input_scale)
    training = InMemory(preparation.inputs_of(train.X), target.encoded(train.y), train.weights)
    validation = validated(held_out, test, target, preparation)
    facts = source.name, source.target, source.is_images
    return TrainingRows(*facts, target, preparation, training, validation, test)


def tell_target(config: Config, source: Source, say: Say) -> None:
    """Say which column is the target where nobody has said so."""
    if config.target is None and source.target is not None:
        say(f"target: {source.target}" + ("" if source.target == LAST_COLUMN else f" ({LAST_COLUMN})"))


def validated(
    held_out: Part | None, test: Part | None, target: Target, preparation: Preparation
) -> tuple[Any, NDArray[Any]] | None:
    """Return the validation rows as inputs and targets. Raises DataError where rows set aside hold other classes."""
    if test is not None and test.y is not None:
        target.refuse_unseen(test.y, "test rows")
    if held_out is None or held_out.y is None:
        return None
    target.refuse_unseen(held_out.y, "validation rows")
    return preparation.inputs_of(held_out.X), target.encoded(held_out.y)


# ---- splits ----


def _split_test(source: Source, config: Config, task: str, say: Say) -> tuple[Part, Part | None]:
    if config.test is not None:
        return source.train, part_beside(config.test, source)
    if source.test is not None or config.test_fraction == 0:
        return source.train, source.test
    say(f"no test rows given: {config.test_fraction:.0%} of the rows are set aside (--test FILE says otherwise)")
    return _split(source.train, config.test_fraction, config.split_seed, task == "classify")


def _split_validation(train: Part, source: Source, config: Config, task: str) -> tuple[Part, Part | None]:
    if config.validation is not None:
        return train, part_beside(config.validation, source)
    if config.validation_fraction == 0:
        return train, None
    return _split(train, config.validation_fraction, config.split_seed, task == "classify" and not source.is_images)


def part_beside(data: Any, source: Source) -> Part:
    """Read rows with the same columns as a source's."""
    names = Columns(source.target if hasattr(source.train.X, "columns") else None)
    part = read_source(data, names, inputs=source.train.X.shape[1]).train
    if part.y is None:
        raise DataError(f"{data} holds no targets to compare with")
    return part


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
    return part.rows(np.flatnonzero(~aside)), part.rows(np.flatnonzero(aside))
