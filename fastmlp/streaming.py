"""Data that may not fit into memory: read twice in batches, prepared, and left on the disk as a Stream.

The first pass looks at all targets and takes a sample, on which the preparation is fitted; the second prepares all
rows. Which rows are set aside, each row's own random number says. Only some batches are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastmlp.config import Config
from fastmlp.data.arrays import npy_batches
from fastmlp.data.parts import Columns, Part, Source
from fastmlp.data.source import read_source
from fastmlp.data.tables import batches_of, is_table
from fastmlp.errors import DataError, counting_from
from fastmlp.inputs import is_sparse
from fastmlp.memory import total_memory
from fastmlp.preparation import Preparation, fit_preparation
from fastmlp.rows import TrainingRows, part_beside, tell_target, validated
from fastmlp.stream import Stream
from fastmlp.target import Say, Survey, Target
from fastmlp.task import task_of

BATCH_ROWS = 1 << 14
MOST_IN_MEMORY = 20_000
"""The most rows in the sample, and of those set aside for the test and for validation."""
MEMORY_PER_BYTE = {".csv": 4, ".tsv": 4, ".parquet": 12, ".npy": 2}
"""About how many bytes of memory a byte of a file takes until a network has trained on it."""
TRAINING, TEST, VALIDATION = range(3)


def is_to_be_streamed(config: Config) -> bool:
    """Tell whether the rows of a file are to stay on the disk: as asked, else by the size of the file."""
    path = Path(config.data) if isinstance(config.data, str | PathLike) else None
    can_be = path is not None and path.is_file() and (is_table(path) or path.suffix.lower() == ".npy")
    if config.stream and not can_be:
        raise DataError(f"only tables and NPY files can be streamed, not {config.data}")
    if config.stream is not None or path is None or not can_be:
        return bool(config.stream)
    memory = total_memory()
    return memory is not None and path.stat().st_size * MEMORY_PER_BYTE.get(path.suffix.lower(), 8) > memory


def streamed_rows(config: Config, say: Say) -> TrainingRows:
    """Read, split and prepare a file's rows in batches. Raises DataError for what cannot be trained on."""
    first, survey, sample, count = _surveyed(config)
    task = survey.task(config.task, say)
    tell_target(config, first, say)
    target = survey.target(task)
    preparation = fit_preparation(sample.whole().X, first.input_scale)
    say(f"{count} rows are read in batches and stay on the disk")
    stream, aside = _prepared(config, count, target, preparation)
    test, held_out = (
        part_beside(data, first) if data is not None else rows.whole_or_none()
        for data, rows in ((config.test, aside[TEST]), (config.validation, aside[VALIDATION]))
    )
    validation = validated(held_out, test, target, preparation)
    return TrainingRows(first.name, first.target, first.is_images, target, preparation, stream, validation, test)


def _batches(config: Config) -> Iterator[Source]:
    """Yield a file's rows in batches, each as a source of its own."""
    path, columns = Path(config.data), Columns(config.target, config.drop, config.weight)
    found = batches_of(path, BATCH_ROWS) if is_table(path) else npy_batches(path, BATCH_ROWS)
    rows = 0
    for batch in found:
        with counting_from(rows):
            source = replace(read_source(batch, columns), name=str(path))
        yield source
        rows += len(batch)


@dataclass
class _Rows:
    """Rows gathered from batches, until there are enough."""

    parts: list[Part] = field(default_factory=list)
    count: int = 0

    def add(self, part: Part, mask: NDArray[np.bool_]) -> None:
        chosen = np.flatnonzero(mask)[: MOST_IN_MEMORY - self.count]
        if len(chosen):
            self.parts.append(part.rows(chosen))
            self.count += len(chosen)

    def whole(self) -> Part:
        return Part.joined(self.parts)

    def whole_or_none(self) -> Part | None:
        return self.whole() if self.parts else None


def _surveyed(config: Config) -> tuple[Source, Survey, _Rows, int]:
    """Return a first batch, what the targets are, a sample of training rows, and how many rows there are."""
    first, survey, sample, count = None, Survey(str(config.data)), _Rows(), 0
    fates = _Fates(config)
    for source in _batches(config):
        first = first or source
        assert source.train.y is not None
        fate = fates.next(len(source.train))
        survey.add(source.train.y, fate == TRAINING)
        sample.add(source.train, fate == TRAINING)
        count += len(source.train)
    assert first is not None  # batches_of and npy_batches refuse a file without rows
    return first, survey, sample, count


def _prepared(config: Config, count: int, target: Target, preparation: Preparation) -> tuple[Stream, dict[int, _Rows]]:
    """Return the training rows on the disk, and those set aside."""
    aside = {TEST: _Rows(), VALIDATION: _Rows()}
    fates = _Fates(config)
    batch_size = config.completed(is_images=False, rows=count).trainer["batch_size"]
    labels = np.asarray(target.labels) if target.labels else np.zeros(1)
    task, _ = task_of(target.task, labels, len(labels))
    stream = None
    with ExitStack() as opened:
        for source in _batches(config):
            part = source.train
            fate = fates.next(len(part))
            for which, rows in aside.items():
                rows.add(part, fate == which)
            chosen = part.rows(np.flatnonzero(fate == TRAINING))
            if not len(chosen):
                continue
            X = preparation.inputs_of(chosen.X)
            X = X.toarray() if is_sparse(X) else X
            if stream is None:
                stream = opened.enter_context(closing(Stream(task, X.shape[1], X.dtype, batch_size)))
            assert chosen.y is not None
            stream.append(X, task.encode(target.encoded(chosen.y), len(X)), chosen.weights)
        if stream is None:
            raise DataError(f"{config.data} leaves no row to train on: give smaller fractions")
        stream.finish()
        opened.pop_all()
        return stream, aside


class _Fates:
    """What each row is for, by random numbers that a seed makes again."""

    def __init__(self, config: Config) -> None:
        self.random = np.random.default_rng(config.split_seed)
        test = 0.0 if config.test is not None else config.test_fraction
        validation = 0.0 if config.validation is not None else config.validation_fraction
        self.bounds = test, test + (1 - test) * validation
        self.left = {TEST: MOST_IN_MEMORY, VALIDATION: MOST_IN_MEMORY}

    def next(self, rows: int) -> NDArray[np.int64]:
        """Return TRAINING, TEST or VALIDATION for each of the next rows; when enough are set aside, only TRAINING."""
        chance = self.random.random(rows)
        fate = np.where(chance < self.bounds[0], TEST, np.where(chance < self.bounds[1], VALIDATION, TRAINING))
        for which, left in self.left.items():
            chosen = np.flatnonzero(fate == which)
            fate[chosen[left:]] = TRAINING
            self.left[which] = max(0, left - len(chosen))
        return fate
