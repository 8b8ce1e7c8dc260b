"""A minibatch of bytes as the matrix unit reads it (kernels.amx): as tiles of rows for X W, and of columns for X^T G.

They stay bytes, for products with digits (kernels.digits). What they are scaled by is a factor of the sums.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.amx import SIDE
from fastmlp.kernels.digits import DEPTH, DIGITS, TILE, copy_row, transpose_tiles
from fastmlp.kernels.gather import HERE, SOON, note_numbers, numbers_of
from fastmlp.kernels.inputs import Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.layout import ceil_div
from fastmlp.kernels.prefetch import prefetch
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.views import matrix_of
from fastmlp.kernels.zeros import NONE, first_bits

STRIP = 2 * SIDE
"""Rows whose sums are added up at the same time: of all digits 16 KiB, which the first cache holds beside operands."""

_BYTES, _NUMBERS, _SUMS, _FLOATS = map(Choice, ("uint8", "int64", "int32", "float64"))
_OTHERS = 2  # tiles' worth of what else there is


class Tiles(NamedTuple):
    """A minibatch of ``high`` x ``wide`` squares of DEPTH x DEPTH bytes, and what it is multiplied by, in tiles."""

    high: int
    wide: int
    scale: np.ndarray  # (1, 1) float64
    worth: np.ndarray  # (1, SIDE) float64: what 1 as the first digit of right operands stands for
    numbers: np.ndarray  # (2, DEPTH) int64: of rows that are gathered, and of rows that are asked for
    X: np.ndarray  # (4 high * wide, TILE) uint8: of rows, those of the first SIDE rows first
    XT: np.ndarray  # (4 wide * high, TILE) uint8: of columns, those of the first SIDE columns first
    S: np.ndarray  # (tiles, TILE) uint8: right operands
    sums: np.ndarray  # (DIGITS * STRIP, SIDE) int32: of a strip, digit after digit


def _tiles_of_operands(high, wide):
    """Return how many tiles X and XT have, each, and how many S."""
    return DEPTH // SIDE * high * wide, DIGITS * max(high, wide)


_tiles_in_kernels = part(_tiles_of_operands)  # asked for in Python, to make room, and in kernels


def new_tiles(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches of bytes, for each member of a team."""

    def bytes_for_tiles(rows: int, columns: int) -> int:
        left, right = _tiles_of_operands(ceil_div(rows, DEPTH), ceil_div(columns, DEPTH))
        return TILE * (_OTHERS + 2 * left + right) + 4 * SIDE * DIGITS * STRIP

    return new_inputs(members, shape, dtype, bytes_for_tiles)


@part
def tiles_of(inputs):
    """Return the tiles of a minibatch, views of ``inputs.visits``."""
    memory, rows, columns = inputs.visits, inputs.X.shape[0] * BLOCK, inputs.X.shape[1]
    high, wide = (rows + DEPTH - 1) // DEPTH, (columns + DEPTH - 1) // DEPTH
    left, right = _tiles_in_kernels(high, wide)
    first = _OTHERS * TILE
    return Tiles(
        high,
        wide,
        matrix_of(_FLOATS, memory, 0, 1, 1),
        matrix_of(_FLOATS, memory, SIDE, 1, SIDE),
        matrix_of(_NUMBERS, memory, TILE // 8, 2, DEPTH),
        matrix_of(_BYTES, memory, first, left, TILE),
        matrix_of(_BYTES, memory, first + left * TILE, left, TILE),
        matrix_of(_BYTES, memory, first + 2 * left * TILE, right, TILE),
        matrix_of(_SUMS, memory, (first + (2 * left + right) * TILE) // 4, DIGITS * STRIP, SIDE),
    )


@part
def _copy_square(rows, tiles, r, k, high, wide):
    """Write selected rows from the r-th on, their columns k to k + wide, to the tiles of a square, in X and in XT.

    rows: (N, D) uint8, all there are; high: how many are left to write. What is left of the square is 0.
    """
    mask = first_bits(wide)
    first = r // SIDE * tiles.wide + k // DEPTH
    for n in range(DEPTH):
        prefetch(rows, tiles.numbers[SOON, n], k)
        tile = first + n // SIDE * tiles.wide
        copy_row(rows, tiles.numbers[HERE, n], k, mask if n < high else NONE, tiles.X, tile, n % SIDE)
    for c in range(0, wide, SIDE):
        transpose_tiles(tiles.X, first, tiles.wide, c, tiles.XT, (k + c) // SIDE * tiles.high + r // DEPTH)


@kernel
def copy_bytes(kind, data, selection, inputs):
    """As ``gather.copy_rows``, of bytes (N, D), unscaled, to X and XT of ``tiles_of(inputs)``, and the scale.

    What is left of the last squares is 0: right operands may hold anything there.
    """
    tiles, end = tiles_of(inputs), selection.end
    rows = numbers_of(kind, data)
    tiles.scale[0, 0] = data.scale
    for r in range(0, selection.count, DEPTH):
        note_numbers(selection, r, rows.shape[0] - 1, tiles.numbers)
        for k in range(selection.begin, end, DEPTH):
            _copy_square(rows, tiles, r, k, selection.count - r, min(DEPTH, end - k))
