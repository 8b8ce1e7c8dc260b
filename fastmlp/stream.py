"""Training rows on a disk, read window by window, for data that do not fit into memory.

Rows lie in one temporary file of chunks, ready to train on. An epoch takes the chunks in a fresh random order, some of
them into memory at a time (a window), and trains on the rows of a window in a fresh random order: between a shuffle of
all rows, which would read each from another place of the disk, and none.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.files import writing_to
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.targets import NO_WEIGHTS
from fastmlp.sampling import epoch_order
from fastmlp.task import Classification, Task
from fastmlp.training import Callback, Samples

if TYPE_CHECKING:
    from fastmlp.trainer import Trainer

CHUNK_BYTES = 1 << 20
CHUNKS_PER_WINDOW = 16


class Stream:
    """Rows of inputs (N, D), what each is to be, and its weight; gone from the disk once it is closed.

    task: as it encodes what rows are to be; kind: of the inputs, as they are kept
    batch_size: windows are made of whole minibatches
    folder: where the file lies, None for the system's place for temporary files
    """

    def __init__(self, task: Task, inputs: int, kind: Any, batch_size: int, folder: Path | None = None) -> None:
        self.task, self.inputs, self.kind = task, inputs, np.dtype(kind)
        self.chunk_rows = batch_size * max(1, CHUNK_BYTES // (inputs * self.kind.itemsize * batch_size))
        self.fingerprint = 0
        self.folder = folder or Path(tempfile.gettempdir())
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, prefix="fastmlp-")  # noqa: SIM115
        self._waiting: list[tuple[NDArray[Any], ...]] = []
        self._rows, self._is_weighted = 0, False

    def __len__(self) -> int:
        return self._rows

    def close(self) -> None:
        """Let go of the file, which is then gone."""
        with suppress(OSError):  # of what could not be written, nothing is wanted
            self._file.close()

    # ---- writing ----

    def append(self, X: NDArray[Any], truth: NDArray[Any], weights: NDArray[np.float64] | None = None) -> None:
        """Add rows at the end. Raises OSError where the disk is full."""
        self._is_weighted |= weights is not None
        counts = np.ones(len(X)) if weights is None else weights
        self._waiting.append((np.ascontiguousarray(X, self.kind), truth, counts))
        self._rows += len(X)
        while sum(len(each[0]) for each in self._waiting) >= self.chunk_rows:
            whole = [np.concatenate(parts) for parts in zip(*self._waiting, strict=True)]
            self._write([part[: self.chunk_rows] for part in whole])
            self._waiting = [tuple(part[self.chunk_rows :] for part in whole)]

    def finish(self) -> None:
        """Write what is left of the rows, a shorter chunk."""
        if self._rows % self.chunk_rows:
            self._write([np.concatenate(parts) for parts in zip(*self._waiting, strict=True)])
        self._waiting = []
        with writing_to(self.folder):
            self._file.flush()

    def _write(self, parts: Sequence[NDArray[Any]]) -> None:
        for part in parts:
            content = part.tobytes()
            self.fingerprint = zlib.crc32(content, self.fingerprint)
            with writing_to(self.folder):
                self._file.write(content)

    # ---- reading ----

    def sample(self) -> NDArray[Any]:
        """Return the inputs (n, D) of some rows."""
        return self._read([0])[0]

    def source(self, describe: Callable[[NDArray[Any]], Rows], dtype: np.dtype[Any]) -> StreamSource:
        """Return what a training takes its rows from, given what makes rows for kernels of inputs."""
        return StreamSource(self, describe, dtype, describe(np.zeros((1, self.inputs), self.kind)))

    def train(self, trainer: Trainer, validation: Any, callbacks: Iterable[Callback], state: Any) -> None:
        """Let a Trainer train on the rows."""
        trainer.fit_stream(self, validation, callbacks, state=state)

    def windows(self, random: np.random.Generator) -> Iterator[tuple[NDArray[Any], ...]]:
        """Yield inputs, truth and weights of all chunks in a random order, some at a time; the short one is last."""
        whole, rest = divmod(self._rows, self.chunk_rows)
        chunks = [*random.permutation(whole).tolist(), *([whole] if rest else [])]
        for first in range(0, len(chunks), CHUNKS_PER_WINDOW):
            yield self._read(chunks[first : first + CHUNKS_PER_WINDOW])

    def _read(self, chunks: Sequence[int]) -> tuple[NDArray[Any], ...]:
        rows = [min(self.chunk_rows, self._rows - chunk * self.chunk_rows) for chunk in chunks]
        X = np.empty((sum(rows), self.inputs), self.kind)
        truth = np.empty(len(X), np.int64) if self._is_of_labels else np.empty((len(X), self.task.outputs))
        weights = np.empty(len(X))
        row_bytes = sum(array.itemsize * int(np.prod(array.shape[1:])) for array in (X, truth, weights))
        start = 0
        for chunk, count in zip(chunks, rows, strict=True):
            self._file.seek(chunk * self.chunk_rows * row_bytes)
            for array in (X, truth, weights):
                self._file.readinto(array[start : start + count].reshape(-1).view(np.uint8).data)  # type: ignore[attr-defined]
            start += count
        return X, truth, weights if self._is_weighted else NO_WEIGHTS

    @property
    def _is_of_labels(self) -> bool:
        return isinstance(self.task, Classification)


@dataclass(frozen=True)
class StreamSource:
    """A stream as the loop over epochs takes it (``fastmlp.training.Source``)."""

    stream: Stream
    describe: Callable[[NDArray[Any]], Rows]
    dtype: np.dtype[Any]
    rows: Rows

    def __len__(self) -> int:
        return len(self.stream)

    def windows(self, random: np.random.Generator, sampling: str) -> Iterator[tuple[Samples, NDArray[np.int64]]]:
        """Yield the windows of an epoch, with a random order of the rows of each."""
        for X, truth, weights in self.stream.windows(random):
            samples = Samples(self.describe(X), truth, self.stream.task.targets(truth, self.dtype, weights))
            yield samples, epoch_order(random, len(samples), sampling)
