"""A minibatch from row numbers: any kind of rows to the compute dtype, scaled. The data itself is never written to.

Data comes as the bytes of a C-ordered matrix and the address of the kernel that reads their kind, so that the epoch is
compiled once for all kinds.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import typeof, types

from fastmlp.kernels.jit import Choice, address_of, kernel, part
from fastmlp.kernels.layout import LINE_BYTES, matrix_type, share
from fastmlp.kernels.tile import matrix, matrix_of, prefetch

READ_IN_PLACE = {np.dtype(name): Choice(name) for name in ("uint8", "float32", "float64")}
"""The kinds of numbers that are read as they lie in memory."""

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_ORDER = types.Array(types.int64, 1, "C")
_INT = types.intp


class Rows(NamedTuple):
    """Rows of data in memory: bytes (N * D * item size,), D, the factor for inputs, the kernel that gathers them."""

    data: np.ndarray
    columns: int
    row_bytes: int
    scale: float
    gather: int


def rows_of(X: np.ndarray, scale: float, dtype) -> Rows:
    """Describe a C-ordered matrix (N, D) of a kind that is READ_IN_PLACE, without a copy."""
    data = X.reshape(-1).view(np.uint8)
    data.flags.writeable = False
    return Rows(data, X.shape[1], X.strides[0], float(scale), _copy_rows_address(X.dtype, np.dtype(dtype)))


@cache
def _copy_rows_address(kind: np.dtype, dtype: np.dtype) -> int:
    types_of_it = (typeof(READ_IN_PLACE[kind]), _BYTES, _INT, types.float64, _ORDER, _INT, _INT, _INT)
    return address_of(copy_rows, (*types_of_it, matrix_type(dtype)))


class Ahead(NamedTuple):
    """Rows ``order[first:last]`` that will be gathered soon, of so many bytes each."""

    data: np.ndarray
    row_bytes: int
    order: np.ndarray
    first: int
    last: int


NOTHING_AHEAD = Ahead(np.zeros(0, np.uint8), 0, np.zeros(0, np.int64), 0, 0)
NOTHING_AHEAD.data.flags.writeable = False


@part
def part_of(ahead, turn, turns):
    """Return one of ``turns`` parts of the rows to ask for; of no turns, no rows."""
    first, last = share(ahead.last - ahead.first, turn, turns) if turns else (0, 0)
    return Ahead(ahead.data, ahead.row_bytes, ahead.order, ahead.first + first, ahead.first + last)


@part
def ask_for(ahead, turn, turns):
    """Ask memory for the rows of this turn, one of ``turns``, so that they lie in the cache when they are gathered.

    Rows in random order come from main memory, 0.3 us for one of 784 bytes, as long as 784 x 32 multiply-adds take.
    """
    if ahead.first == ahead.last:
        return
    now = part_of(ahead, turn, turns)
    for r in range(now.first, now.last):
        row = matrix(ahead.data, row_number(ahead.order, r) * ahead.row_bytes, 1, ahead.row_bytes)
        for line in range(0, ahead.row_bytes, LINE_BYTES):
            prefetch(row, 0, line)


@part
def row_number(order, i):
    """Return the i-th row to visit; an empty order stands for 0, 1, 2 ..."""
    return order[i] if order.size else i


@kernel
def copy_rows(kind, data, columns, scale, order, start, first, last, out):
    """``out[r, :D] = scale * X[order[start + r]]`` for r from first to last.

    kind: what the bytes hold; data: (N * D * item size,) uint8, columns: D
    order: row numbers, (0,) or (>= start + last,); out: (>= last, >= D) in the compute dtype, further columns untouched
    """
    factor = out.dtype.type(scale)
    for r in range(first, last):
        # indices from 0 on are what lets the inner loop become vectors
        x = matrix_of(kind, data, row_number(order, start + r) * columns, 1, columns)
        for d in range(columns):
            out[r, d] = out.dtype.type(x[0, d]) * factor
