"""A minibatch from row numbers: any kind of rows to the compute dtype, scaled. The data itself is never written to.

Data comes as the bytes of a C-ordered matrix and the address of the kernel that reads their kind, so that the epoch is
compiled once for all kinds.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import typeof, types

from fastmlp.kernels.inputs import inputs_type
from fastmlp.kernels.jit import Choice, address_of, kernel, part
from fastmlp.kernels.prefetch import prefetch
from fastmlp.kernels.shape import BLOCK, LINE_BYTES, VECTOR_BYTES
from fastmlp.kernels.tile import load_as, load_block_as, store
from fastmlp.kernels.views import matrix, matrix_of
from fastmlp.kernels.zeros import mark_row

READ_IN_PLACE = {np.dtype(name): Choice(name) for name in ("uint8", "float32", "float64")}
"""The kinds of numbers that are read as they lie in memory."""

_BYTE = np.dtype(np.uint8)
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_ORDER = types.Array(types.int64, 1, "C")
_INT = types.intp
NO_ORDER, NO_STARTS, NO_COLUMNS = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32)
NO_COLUMNS.flags.writeable = False


class Rows(NamedTuple):
    """Rows of data in memory, N of them of D columns, and the kernel that gathers some of them.

    Dense: data holds the numbers (N * D,), and starts and columns are empty. Sparse: entry e of row i, one of
    ``starts[i]`` to ``starts[i + 1]``, stands in column ``columns[e]``, and data holds the entries' numbers.
    """

    data: np.ndarray  # the bytes of the numbers
    starts: np.ndarray  # (N + 1,) int64
    columns: np.ndarray  # (entries,) int32
    inputs: int  # D
    row_bytes: int  # of a dense row
    scale: float  # the factor for inputs
    gather: int  # the kernel's address


ROWS_TYPE = types.NamedTuple(
    (_BYTES, _ORDER, types.Array(types.int32, 1, "C", readonly=True), _INT, _INT, types.float64, _INT), Rows
)


def rows_of(X: np.ndarray, scale: float, dtype) -> Rows:
    """Describe a C-ordered matrix (N, D) of a kind that is READ_IN_PLACE, without a copy; scale: a float."""
    gather = gathering_address(copy_rows, X.dtype, dtype)
    return Rows(read_only_bytes(X), NO_STARTS, NO_COLUMNS, X.shape[1], X.strides[0], scale, gather)


def read_only_bytes(array: np.ndarray) -> np.ndarray:
    """Return the bytes of a C-ordered array, without a copy."""
    data = np.frombuffer(array, _BYTE)
    data.setflags(False)  # by name it takes twice as long
    return data


NO_ROWS = Rows(read_only_bytes(np.zeros(1, np.uint8)), NO_STARTS, NO_COLUMNS, 1, 1, 1.0, 0)


@cache
def gathering_address(gather, kind: np.dtype, dtype) -> int:
    """Return the address of a kernel that gathers numbers of some kind for a compute dtype."""
    return address_of(gather, (typeof(READ_IN_PLACE[kind]), ROWS_TYPE, _ORDER, _INT, _INT, inputs_type(dtype)))


class Ahead(NamedTuple):
    """Rows ``order[first:last]`` that will be gathered soon, of so many bytes each.

    backwards: whether to ask for the last of them first. Of two members that need the same rows each then brings half
    of them from main memory, and finds the other half in the cache they share
    """

    data: np.ndarray
    row_bytes: int
    order: np.ndarray
    first: int
    last: int
    backwards: bool


NOTHING_AHEAD = Ahead(np.zeros(0, np.uint8), 0, NO_ORDER, 0, 0, False)
NOTHING_AHEAD.data.flags.writeable = False


@part
def _due(ahead, count, begin, end, turns):
    """Return which of ``count`` things are due in some of ``turns`` turns, from ``begin`` to before ``end``."""
    if count == 0 or turns == 0:
        return 0, 0
    if end - begin >= turns:  # divisions are slow
        return 0, count
    end = min(end, turns)
    if ahead.backwards:
        begin, end = turns - end, turns - begin
    return count * begin // turns, count * end // turns


@part
def part_of(ahead, begin, end, turns):
    """Return the rows to ask for in some of ``turns`` turns, from ``begin`` to ``end``; of no turns, no rows."""
    first, last = _due(ahead, ahead.last - ahead.first, begin, end, turns)
    return Ahead(ahead.data, ahead.row_bytes, ahead.order, ahead.first + first, ahead.first + last, ahead.backwards)


@part
def ask_for(ahead):
    """Ask memory for rows, which will soon be gathered.

    In random order they come from main memory, 0.3 us for one of 784 bytes, as long as 784 x 32 multiply-adds take.
    """
    ask_for_lines(ahead, 0, 1, 1)


@part
def ask_for_lines(ahead, begin, end, turns):
    """Ask memory for what is due of a few rows in some of ``turns`` turns, from ``begin`` to before ``end``.

    Of many lines that are asked for at once a processor forgets some.
    """
    # a row may begin anywhere in its first line, and then ends in one more than it would fill
    rows, of_row = ahead.last - ahead.first, (ahead.row_bytes + LINE_BYTES - 1) // LINE_BYTES + 1
    first, last = _due(ahead, rows * of_row, begin, end, turns)
    for r in range(rows if first < last and ahead.row_bytes else 0):  # sparse rows have no length
        row = matrix(ahead.data, row_number(ahead.order, ahead.first + r) * ahead.row_bytes, 1, ahead.row_bytes)
        for line in range(max(0, first - r * of_row), min(of_row, last - r * of_row)):
            prefetch(row, 0, min(line * LINE_BYTES, ahead.row_bytes - 1))


@part
def ask_for_targets(targets, order, first, last, outputs):
    """Ask memory for what rows ``order[first:last]`` are to be, which lies anywhere."""
    labels, values = (
        matrix(targets.labels, 0, 1, targets.labels.size),
        matrix(targets.values, 0, 1, targets.values.size),
    )
    for i in range(first, last):
        row = row_number(order, i)
        if targets.labels.size:
            prefetch(labels, 0, row)
        else:
            prefetch(values, 0, row * outputs)


@part
def ask_for_rows(M, first, last, columns):
    """Ask for rows of a matrix that other members have written, all at once: a tile would wait for each line anew."""
    for i in range(first, last):
        for j in range(0, columns, LINE_BYTES // M.itemsize):
            prefetch(M, i, j)


@part
def row_number(order, i):
    """Return the i-th row to visit; an empty order stands for 0, 1, 2 ..."""
    return order[i] if order.size else i


@part
def _copy_row(data, row, factor, X):
    """``X[0, :D] = factor data[row]`` for data (N, D) of any kind, X being a single row."""
    lanes, columns = VECTOR_BYTES // X.itemsize, data.shape[1]
    rest = columns // lanes * lanes
    for d in range(0, rest, lanes):
        store(load_as(X, data, row, d) * factor, X, 0, d)
    for d in range(rest, columns):
        X[0, d, 0] = X.dtype.type(data[row, d]) * factor


@part
def _copy_block(data, rows, factor, X, block):
    """``X[block, :D, r] = factor data[rows[r]]`` for data (N, D) of any kind, rows being BLOCK numbers."""
    lanes, columns = VECTOR_BYTES // X.itemsize, data.shape[1]
    whole = columns // lanes
    registers = matrix(X, block * X.shape[1] * BLOCK, whole * BLOCK, lanes)
    for n in range(whole):
        store(load_block_as(X, data, rows, n * lanes) * factor, registers, n * BLOCK, 0)
    for d in range(whole * lanes, columns):
        for r in range(BLOCK):
            X[block, d, r] = X.dtype.type(data[rows[r], d]) * factor


@part
def _rows_of_block(order, i, last):
    """Return the numbers of BLOCK rows, from the i-th to visit on; beyond the last, again that of the last."""
    return (
        row_number(order, i),
        row_number(order, min(i + 1, last)),
        row_number(order, min(i + 2, last)),
        row_number(order, min(i + 3, last)),
    )


@kernel
def copy_rows(kind, data, order, start, rows, inputs):
    """``inputs.X[r, :D] = scale * row order[start + r] of the data`` for r below ``rows``; other columns stay.

    kind: what the bytes of the data hold; data: Rows, dense; order: row numbers, (0,) or (>= start + rows,)
    inputs: where they have room for bits (kernels.zeros), those of the rows are set. What is left of the last block is
        the last row again
    """
    X, marks = inputs.X, inputs.visits.size > 0
    factor = X.dtype.type(data.scale)
    numbers = matrix_of(kind, data.data, 0, data.data.size // data.row_bytes, data.inputs)
    if X.shape[2] == 1:
        _copy_row(numbers, row_number(order, start), factor, X)
        return
    for r in range(0, rows, BLOCK):
        block = _rows_of_block(order, start + r, start + rows - 1)
        _copy_block(numbers, block, factor, X, r // BLOCK)
        if marks:
            for k in range(BLOCK):
                mark_row(numbers, block[k], inputs, r + k)
