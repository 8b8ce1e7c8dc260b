"""A minibatch of bytes as vectors multiply it (kernels.vnni): as quads of its rows for X W, of its columns for X^T G.

They stay bytes, for products with digits (kernels.digits). What they are scaled by is a factor of the sums.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.amx import ROW_BYTES, SIDE
from fastmlp.kernels.digits import DIGITS_OF_SINGLE, QUAD
from fastmlp.kernels.gather import ask_for_column, numbers_of, rows_ahead, rows_of_block, rows_soon
from fastmlp.kernels.inputs import Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.layout import PANEL_EFFICIENCY
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.views import blocks_at, matrix, matrix_of
from fastmlp.kernels.vnni import AT_ONCE, ROWS, copy_quads
from fastmlp.kernels.zeros import NONE, first_bits

TOGETHER = AT_ONCE * QUAD
"""How many numbers of a row, or of a column, are multiplied at once."""
MOST_VECTORS = max(PANEL_EFFICIENCY)
"""Of a panel, whose gradients are split together."""

_FLOATS = Choice("float32")


class Operands(NamedTuple):
    """A minibatch of bytes, and what it is multiplied by: SIDE columns, or a panel of them a vector of columns each."""

    scale: np.ndarray  # (1, 1) float32
    worth: np.ndarray  # (vectors, SIDE) float32: what 1 as the first digit of right operands stands for
    X: np.ndarray  # (strips, parts, ROWS * ROW_BYTES) uint8: ROW_BYTES of each row of a strip, then their next ones
    XT: np.ndarray  # (quads, bytes) uint8: column after column of QUAD rows
    S: np.ndarray  # (rows, ROW_BYTES) uint8: right operands, quad after quad, of each all digits


def _sizes(rows, columns):
    """Return the shapes of X and XT for a minibatch of so many rows and columns, and how many rows S has."""
    high, wide = (rows + ROW_BYTES - 1) // ROW_BYTES, (columns + ROW_BYTES - 1) // ROW_BYTES
    X = high * ROW_BYTES // ROWS, wide, ROWS * ROW_BYTES
    XT = high * ROW_BYTES // QUAD, wide * ROW_BYTES * QUAD + ROW_BYTES  # an odd number of cache lines
    return X, XT, DIGITS_OF_SINGLE * ROW_BYTES // QUAD * max(MOST_VECTORS * high, wide)


_sizes_in_kernels = part(_sizes)  # asked for in Python, to make room, and in kernels


def new_operands(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches of bytes, for each member of a team; dtype: float32."""

    def bytes_for_operands(rows: int, columns: int) -> int:
        X, XT, S = _sizes(rows, columns)
        return ROW_BYTES * (1 + MOST_VECTORS + S) + X[0] * X[1] * X[2] + XT[0] * XT[1]

    return new_inputs(members, shape, dtype, bytes_for_operands)


@part
def operands_of(inputs):
    """Return the operands, views of ``inputs.visits``."""
    memory = inputs.visits
    X, XT, S = _sizes_in_kernels(inputs.X.shape[0] * BLOCK, inputs.X.shape[1])
    at_X = ROW_BYTES * (1 + MOST_VECTORS)
    at_XT = at_X + X[0] * X[1] * X[2]
    return Operands(
        matrix_of(_FLOATS, memory, 0, 1, 1),
        matrix_of(_FLOATS, memory, SIDE, MOST_VECTORS, SIDE),
        blocks_at(memory, at_X, X[0], X[1], X[2]),
        matrix(memory, at_XT, XT[0], XT[1]),
        matrix(memory, at_XT + XT[0] * XT[1], S, ROW_BYTES),
    )


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
