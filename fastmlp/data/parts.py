"""Rows as they are stored: what every reader returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAST_COLUMN = "the last column"
"""What the target of rows without names is called."""


@dataclass(frozen=True)
class Part:
    """Rows as they are stored.

    X: a table, an array (N, D) or a sparse matrix; y: (N,) targets, None where there are none; weights: (N,) or None
    """

    X: Any
    y: NDArray[Any] | None = None
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def rows(self, chosen: NDArray[np.int64]) -> Part:
        """Return some of the rows, copied."""
        y, weights = (None if array is None else array[chosen] for array in (self.y, self.weights))
        return Part(self.X[chosen], y, weights)

    @staticmethod
    def joined(parts: Sequence[Part]) -> Part:
        """Return the rows of several parts, of tables or of arrays, one after another."""
        return Part(
            _concatenated([part.X for part in parts]),
            None if parts[0].y is None else _concatenated([part.y for part in parts]),
            None if parts[0].weights is None else _concatenated([part.weights for part in parts]),
        )


def _concatenated(parts: Sequence[Any]) -> Any:
    if is_polars_table(parts[0]):
        import polars

        return polars.concat(parts)
    return np.concatenate(parts)


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are not inputs. target: None is the last that is left; weight: None is none."""

    target: str | None = None
    drop: tuple[str, ...] = ()
    weight: str | None = None


ALL_BUT_THE_LAST = Columns()
"""The inputs where nobody says which: the target is the last column."""


@dataclass(frozen=True)
class Source:
    """What one name or file holds. test: of those that come with one; target: its column's name, where it has one."""

    name: str
    train: Part
    test: Part | None = None
    target: str | None = None
    input_scale: float = 1.0
    is_images: bool = False


def is_polars_table(data: Any) -> bool:
    """Tell whether data are a table of polars, without importing it."""
    return type(data).__module__.partition(".")[0] == "polars" and hasattr(data, "columns")


def whole_numbers(y: NDArray[Any]) -> NDArray[Any]:
    """Return numbers that are whole as integers: labels are often written 1.0."""
    if y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.floor(y)).all() and (np.abs(y) < 2**53).all():
        return y.astype(np.int64)
    return y
