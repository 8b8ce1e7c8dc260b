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
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.tile import load_as, load_block_as, store
from fastmlp.kernels.views import lanes_of, line_of, matrix, matrix_of
from fastmlp.kernels.zeros import mark_row

READ_IN_PLACE = {np.dtype(name): Choice(name) for name in ("uint8", "float32", "float64")}
"""The kinds of numbers that are read as they lie in memory."""

_BYTE = np.dtype(np.uint8)
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_ORDER = types.Array(types.int64, 1, "C")
_INT = types.intp
BYTES_AHEAD = 8192
"""How far ahead of a row others are asked for: they come while so much is gathered."""
HERE, SOON = range(2)
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


def read_only_bytes(array: np.ndarray) -> np.ndarray:
    """Return the bytes of a C-ordered array, without a copy."""
    data = np.frombuffer(array, _BYTE)
    data.setflags(False)  # by name it takes twice as long
    return data


NO_ROWS = Rows(read_only_bytes(np.zeros(1, np.uint8)), NO_STARTS, NO_COLUMNS, 1, 1, 1.0, 0)


class Selection(NamedTuple):
    """Rows ``order[first : first + count]``, and where in the order those begin that will be gathered after them.

    An empty order stands for 0, 1, 2 ... Of dense rows those columns are gathered that are from ``begin`` to ``end``, a
    multiple of WORD and another, or D.
    """

    order: np.ndarray
    first: int
    count: int
    then: int
    begin: int
    end: int


_SELECTION = types.NamedTuple((_ORDER, _INT, _INT, _INT, _INT, _INT), Selection)


@cache
def gathering_address(gather, kind: np.dtype, dtype) -> int:
    """Return the address of a kernel that gathers numbers of some kind for a compute dtype."""
    return address_of(gather, (typeof(READ_IN_PLACE[kind]), ROWS_TYPE, _SELECTION, inputs_type(dtype)))


@part
def numbers_of(kind, data):
    """Return the numbers of dense rows, (N, D) of a kind."""
    return matrix_of(kind, data.data, 0, data.data.size // data.row_bytes, data.inputs)


@part
def rows_ahead(data):
    """Return how many rows, whole blocks, are BYTES_AHEAD bytes or less; one block at least."""
    return max(1, BYTES_AHEAD // (BLOCK * data.row_bytes)) * BLOCK


@part
def row_soon(selection, i, last):
    """Return the number of the i-th row, those selected next being counted on; of the order's last, if it ends before.

    last: the number of rows in all, less one
    """
    place = selection.first + i if i < selection.count else selection.then + i - selection.count
    return row_number(selection.order, min(place, selection.order.size - 1 if selection.order.size else last))


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
def ask_for(M, rows, columns):
    """Ask for ranges of a matrix that other members have written, all at once: a tile would wait for each line anew."""
    for i in range(rows[0], rows[1]):
        for j in range(columns[0], columns[1], line_of(M)):
            prefetch(M, i, j)


@part
def row_number(order, i):
    """Return the i-th row to visit; an empty order stands for 0, 1, 2 ..."""
    return order[i] if order.size else i


@part
def note_numbers(selection, r, last, numbers):
    """Write down the numbers of selected rows from the r-th on, in row HERE, and of as many after these in row SOON.

    Beyond the last it is the last again. last: the number of rows in all, less one; numbers: (2, rows) int64
    """
    count = numbers.shape[1]
    for n in range(count):
        numbers[HERE, n] = row_number(selection.order, selection.first + min(r + n, selection.count - 1))
        numbers[SOON, n] = row_soon(selection, r + count + n, last)


@part
def _copy_row(data, row, factor, X, begin, end):
    """``X[0, begin:end] = factor data[row, begin:end]`` for data (N, D) of any kind, X being a single row."""
    lanes = lanes_of(X)
    rest = end // lanes * lanes
    for d in range(begin, rest, lanes):
        store(load_as(X, data, row, d) * factor, X, 0, d)
    for d in range(rest, end):
        X[0, d, 0] = X.dtype.type(data[row, d]) * factor


@part
def ask_for_column(data, rows, d):
    """Ask memory for the lines of ``data[rows[r], d]`` of data (N, D), rows being BLOCK numbers."""
    for r in range(BLOCK):
        prefetch(data, rows[r], d)


@part
def _copy_block(data, rows, soon, factor, X, block, begin, end):
    """``X[block, begin:end, r] = factor data[rows[r], begin:end]`` for data (N, D) of any kind.

    rows: BLOCK numbers; soon: BLOCK others, whose lines are asked for meanwhile, each while a line of the rows is read
    """
    lanes, line = lanes_of(X), line_of(data)
    step, whole = max(line, lanes), end // lanes
    registers = matrix(X, block * X.shape[1] * BLOCK, whole * BLOCK, lanes)
    for start in range(begin, end, step):
        for d in range(start, min(start + step, end), line):
            ask_for_column(data, soon, d)
        for n in range(start // lanes, min((start + step) // lanes, whole)):
            store(load_block_as(X, data, rows, n * lanes) * factor, registers, n * BLOCK, 0)
    ask_for_column(data, soon, end - 1)  # a row that begins in the middle of a line ends in one more
    for d in range(whole * lanes, end):
        for r in range(BLOCK):
            X[block, d, r] = X.dtype.type(data[rows[r], d]) * factor


@part
def rows_of_block(selection, i):
    """Return the numbers of BLOCK rows, from the i-th that is selected on; beyond the last, again that of the last."""
    order, first, end = selection.order, selection.first, selection.count - 1
    return (
        row_number(order, first + min(i, end)),
        row_number(order, first + min(i + 1, end)),
        row_number(order, first + min(i + 2, end)),
        row_number(order, first + min(i + 3, end)),
    )


@part
def rows_soon(selection, i, last):
    """Return the numbers of BLOCK rows from the i-th on, those selected next being counted on."""
    return (
        row_soon(selection, i, last),
        row_soon(selection, i + 1, last),
        row_soon(selection, i + 2, last),
        row_soon(selection, i + 3, last),
    )


@kernel
def copy_rows(kind, data, selection, inputs):
    """``inputs.X[r, k] = scale * selected row r of the data``, selected columns k; other rows and columns stay.

    kind: what the bytes of the data hold; data: Rows, dense
    inputs: where they have room for bits (kernels.zeros), those of the rows are set. What is left of the last block is
        the last row again

    Rows in random order come from main memory, 0.3 us for one of 784 bytes. Those BYTES_AHEAD further on, of this
    minibatch or of the next, are asked for meanwhile.
    """
    X, marks = inputs.X, inputs.visits.size > 0
    begin, end = selection.begin, selection.end
    factor = X.dtype.type(data.scale)
    numbers, ahead = numbers_of(kind, data), rows_ahead(data)
    if X.shape[2] == 1:
        _copy_row(numbers, row_number(selection.order, selection.first), factor, X, begin, end)
        return
    for r in range(0, selection.count, BLOCK):
        block = rows_of_block(selection, r)
        soon = rows_soon(selection, r + ahead, numbers.shape[0] - 1)
        _copy_block(numbers, block, soon, factor, X, r // BLOCK, begin, end)
        if marks:
            for k in range(BLOCK):
                mark_row(numbers, block[k], inputs, r + k, begin, end)


def rows_of(X: np.ndarray, scale: float, dtype, gather=copy_rows) -> Rows:
    """Describe a C-ordered matrix (N, D) of a kind that is READ_IN_PLACE, without a copy; scale: a float.

    gather: the kernel that minibatches are gathered by
    """
    address = gathering_address(gather, X.dtype, dtype)
    return Rows(read_only_bytes(X), NO_STARTS, NO_COLUMNS, X.shape[1], X.strides[0], scale, address)
