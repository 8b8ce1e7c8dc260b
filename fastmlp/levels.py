"""Matrices of floats that are levels, as bytes: what can be multiplied faster by some, and gathered faster by all."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.chunks import in_chunks
from fastmlp.kernels.levels import MOST, write_levels
from fastmlp.memory import total_memory

SAMPLED = 1 << 16  # numbers, by which most that are no levels are known at once
MOST_OF_MEMORY = 1 / 8  # rows may be mapped from a file that is larger than it
ROUNDINGS = 4  # epsilons: numbers and their unit were rounded once or twice before, and are once again as they are read


def in_levels(X: NDArray[np.floating], dtype: np.dtype[np.floating]) -> tuple[NDArray[np.uint8], float] | None:
    """Return a matrix (N, D) of finite numbers as bytes and the unit that makes them these numbers again.

    None if they are not 0, 1, ... 255 times a unit but for rounding to ``dtype``, if X is not as exact as that, or if
    so many bytes are much of the memory. The smallest number above 0 of some rows is taken to be the unit.
    """
    unit = _unit_of(X[:: 1 + X.size // SAMPLED])
    if unit is None or np.finfo(X.dtype).eps > np.finfo(dtype).eps or not _has_room(X):
        return None
    levels, tolerance = np.empty(X.shape, np.uint8), ROUNDINGS * np.finfo(dtype).eps

    def write(rows: slice) -> Any:
        return write_levels(_flat(X[rows]), unit, tolerance, levels[rows].reshape(-1))

    return (levels, unit) if all(in_chunks(write, X)) else None


def sparse_in_levels(X: Any, dtype: np.dtype[np.floating]) -> tuple[NDArray[np.uint8], float] | None:
    """Return a sparse matrix (N, D) of floats in CSR as dense bytes and their unit, as ``in_levels`` does.

    None as well if entries are not sorted, each of another place. Of a matrix an eighth of which is filled the bytes
    take no more memory than its entries.
    """
    found = in_levels(X.data[:, None], dtype) if X.has_canonical_format and _has_room(X) else None
    if found is None:
        return None
    levels, unit = found
    return type(X)((levels[:, 0], X.indices, X.indptr), shape=X.shape).toarray(), unit


def _has_room(X: Any) -> bool:
    """Tell whether a byte for each place of a matrix is little of the memory."""
    return bool(X.shape[0] * X.shape[1] <= MOST_OF_MEMORY * (total_memory() or math.inf))


def _unit_of(few: NDArray[np.floating]) -> float | None:
    """Return the smallest number above 0, None if there is none, or if it cannot be the unit of all."""
    if few.min() < 0 or few.max() == 0:
        return None
    unit = float(few[few > 0].min())
    return unit if few.max() <= (MOST + 0.5) * unit else None


def _flat(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the numbers (n,) of a C-ordered matrix, read-only: one kind of array is one kernel."""
    numbers = rows.reshape(-1)
    numbers.setflags(write=False)
    return numbers
