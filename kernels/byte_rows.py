"""A minibatch of bytes as vectors multiply it (kernels.vnni): as quads of its rows for X W, of its columns for X^T G.

They stay bytes, for products with digits (kernels.digits). What they are scaled by is a factor of the sums.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.amx import ROW_BYTES, SIDE
from fastmlp.kernels.digits import (
    NUMBERS_OF_DIGITS,
    QUAD,
    digits_of,
    last_digits_in_one,
    rows_of_quad,
    store_digits,
    worth_of_columns,
)
from fastmlp.kernels.gather import ask_for_column, numbers_of, rows_ahead, rows_of_block, rows_soon
from fastmlp.kernels.inputs import Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.layout import PANEL_EFFICIENCY, lanes
from fastmlp.kernels.shape import BLOCK, VECTOR_BYTES
from fastmlp.kernels.tile import store
from fastmlp.kernels.views import blocks_at, lanes_of, matrix, matrix_of
from fastmlp.kernels.vnni import AT_ONCE, ROWS, copy_quads
from fastmlp.kernels.zeros import NONE, first_bits

TOGETHER = AT_ONCE * QUAD
"""How many numbers of a row, or of a column, are multiplied at once."""
MOST_VECTORS = max(PANEL_EFFICIENCY)
"""Of a panel, whose gradients are split together."""

_INTEGERS = Choice("int32")


class Operands(NamedTuple):
    """A minibatch of bytes, and what it is multiplied by: SIDE columns, or a panel of so many times as many."""

    scale: np.ndarray  # (1, 1)
    worth: np.ndarray  # (sides, SIDE): what 1 as the first digit of right operands stands for
    sums: np.ndarray  # (digits * ROWS, SIDE) int32: of products of ROWS rows
    X: np.ndarray  # (strips, parts, ROWS * ROW_BYTES) uint8: ROW_BYTES of each row of a strip, then their next ones
    XT: np.ndarray  # (quads, bytes) uint8: column after column of QUAD rows
    S: np.ndarray  # (rows, ROW_BYTES) uint8: right operands, quad after quad, of each all digits


def _sizes(rows, columns, lanes, digits):
    """Return how many sides a panel has, the shapes of X and XT, and how many rows S has.

    rows, columns: of a minibatch; lanes: numbers of a register
    """
    sides = MOST_VECTORS * lanes // SIDE
    high, wide = (rows + ROW_BYTES - 1) // ROW_BYTES, (columns + ROW_BYTES - 1) // ROW_BYTES
    X = high * ROW_BYTES // ROWS, wide, ROWS * ROW_BYTES
    XT = high * ROW_BYTES // QUAD, wide * ROW_BYTES * QUAD + ROW_BYTES  # an odd number of cache lines
    return sides, X, XT, digits * ROW_BYTES // QUAD * max(sides * high, wide)


_sizes_in_kernels = part(_sizes)  # asked for in Python, to make room, and in kernels


def new_operands(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches of bytes, for each member of a team."""
    dtype = np.dtype(dtype)
    digits = NUMBERS_OF_DIGITS[8 * dtype.itemsize]

    def bytes_for_operands(rows: int, columns: int) -> int:
        sides, X, XT, S = _sizes(rows, columns, lanes(dtype), digits)
        of_floats = (1 + sides) * SIDE * dtype.itemsize
        return of_floats + X[0] * X[1] * X[2] + XT[0] * XT[1] + (S + digits * ROWS) * ROW_BYTES

    return new_inputs(members, shape, dtype, bytes_for_operands)


@part
def operands_of(inputs):
    """Return the operands, views of ``inputs.visits``."""
    floats, memory, lanes, digits = inputs.X, inputs.visits, lanes_of(inputs.X), digits_of(inputs.X)
    sides, X, XT, S = _sizes_in_kernels(floats.shape[0] * BLOCK, floats.shape[1], lanes, digits)
    at_sums = (1 + sides) * SIDE * (VECTOR_BYTES // lanes) // ROW_BYTES
    at_X = (at_sums + digits * ROWS) * ROW_BYTES
    at_XT = at_X + X[0] * X[1] * X[2]
    return Operands(
        matrix_of(floats, memory, 0, 1, 1),
        matrix_of(floats, memory, SIDE, sides, SIDE),
        matrix_of(_INTEGERS, memory, at_sums * SIDE, digits * ROWS, SIDE),
        blocks_at(memory, at_X, X[0], X[1], X[2]),
        matrix(memory, at_XT, XT[0], XT[1]),
        matrix(memory, at_XT + XT[0] * XT[1], S, ROW_BYTES),
    )


@part
def split(M, begin, end, j, last, operands, v, s):
    """Write ``M[begin:end, j : j + SIDE]`` as right operands.

    last: where a register begins at the latest; v: to which row of ``operands.worth`` what digits are worth; s: from
    which row of S on the digits
    """
    worth, step = worth_of_columns(M, begin, end, j, last), digits_of(M)
    per_one = last_digits_in_one(worth)
    for k in range(begin, end, QUAD):
        store_digits(rows_of_quad(M, k, end, j, last), per_one, operands.S, s + (k - begin) // QUAD * step, 1, 0)
    store(worth, operands.worth, v, 0)


@part
def split_gradient(G, j, width, depth, operands):
    """Write ``G[:depth, j : j + width]`` as right operands; return how many rows of S each SIDE columns have.

    G: (>= depth, >= j + width); width: of a panel. What digits are worth is in as many rows of ``operands.worth``.
    """
    rows = operands.S.shape[0] // operands.worth.shape[0]
    for v in range((width + SIDE - 1) // SIDE):
        split(G, 0, depth, j + v * SIDE, j + width - lanes_of(G), operands, v, v * rows)
    return rows


@part
def _masks(mask, count):
    """Return the mask for the first ``count`` of QUAD rows, and none for the others."""
    return (
        mask if count > 0 else NONE,
        mask if count > 1 else NONE,
        mask if count > 2 else NONE,
        mask if count > 3 else NONE,
    )


@kernel
def copy_bytes(kind, data, selection, inputs):
    """As ``gather.copy_rows``, of bytes (N, D), unscaled, to X and XT of ``operands_of(inputs)``, and the scale.

    What is multiplied together with the last rows or columns is 0: right operands may hold anything there.
    """
    operands, end = operands_of(inputs), selection.end
    rows, ahead = numbers_of(kind, data), rows_ahead(data)
    operands.scale[0, 0] = data.scale
    for r in range(0, (selection.count + TOGETHER - 1) // TOGETHER * TOGETHER, QUAD):
        numbers, soon = rows_of_block(selection, r), rows_soon(selection, r + ahead, rows.shape[0] - 1)
        for k in range(selection.begin, end, ROW_BYTES):
            ask_for_column(rows, soon, k)
            masks = _masks(first_bits(min(ROW_BYTES, end - k)), selection.count - r)
            copy_quads(rows, numbers, k, masks, operands.X, r, operands.XT)
        ask_for_column(rows, soon, end - 1)  # a row that begins in the middle of a line ends in one more
