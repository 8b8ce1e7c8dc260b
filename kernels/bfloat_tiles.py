"""A minibatch of bytes as the matrix unit reads it (kernels.amx): as tiles of rows for X W, and of columns for X^T G.

Both are of bfloat16, which bytes are exactly. What they are scaled by is a factor of the sums.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.amx import PARTS, SIDE
from fastmlp.kernels.bfloats import DEPTH, TILE, load_pairs, store_columns, store_rows
from fastmlp.kernels.gather import SOON, note_numbers, numbers_of
from fastmlp.kernels.inputs import Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.layout import ceil_div
from fastmlp.kernels.prefetch import prefetch
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.views import line_of, matrix, matrix_of
from fastmlp.kernels.zeros import first_bits

AT_ONCE = 4
"""How many right operands there is room for at least."""
STRIP, MOST_STRIPS = 4 * SIDE, 13
"""Rows whose sums are added up at the same time; for how many such strips there is room."""

_NUMBERS, _BFLOATS, _FLOATS = map(Choice, ("int64", "uint16", "float32"))
_OTHERS = 1  # tiles' worth of what else there is


class Tiles(NamedTuple):
    """A minibatch of ``high`` x ``wide`` squares of DEPTH x DEPTH bytes, and what it is multiplied by, in tiles."""

    high: int
    wide: int
    scale: np.ndarray  # (1, 1) float32
    numbers: np.ndarray  # (2, DEPTH) int64: of rows that are gathered, and of rows that are asked for
    X: np.ndarray  # (2 high * wide, TILE) uint16: of rows, those of the first SIDE rows first
    XT: np.ndarray  # (2 wide * high, TILE) uint16: of columns, those of the first SIDE columns first
    S: np.ndarray  # (tiles, TILE) uint16: right operands
    sums: np.ndarray  # (rows, SIDE) float32


def _tiles_of_operands(high, wide):
    """Return how many tiles X and XT have, each, and how many S."""
    return 2 * high * wide, PARTS * max(AT_ONCE, high)


def _rows_of_sums(high):
    """Return for how many rows there is room for sums."""
    return max(MOST_STRIPS * STRIP, high * DEPTH)


# both are asked for in Python, to make room, and in kernels
_tiles_in_kernels, _sums_in_kernels = part(_tiles_of_operands), part(_rows_of_sums)


def new_tiles(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches of bytes, for each member of a team; dtype: float32."""

    def bytes_for_tiles(rows: int, columns: int) -> int:
        high, wide = ceil_div(rows, DEPTH), ceil_div(columns, DEPTH)
        squares, right = _tiles_of_operands(high, wide)
        return 2 * TILE * (_OTHERS + 2 * squares + right) + 4 * SIDE * _rows_of_sums(high)

    return new_inputs(members, shape, dtype, bytes_for_tiles)


@part
def tiles_of(inputs):
    """Return the tiles of a minibatch, views of ``inputs.visits``."""
    memory, rows, columns = inputs.visits, inputs.X.shape[0] * BLOCK, inputs.X.shape[1]
    high, wide = (rows + DEPTH - 1) // DEPTH, (columns + DEPTH - 1) // DEPTH
    squares, right = _tiles_in_kernels(high, wide)
    behind = _OTHERS + 2 * squares
    return Tiles(
        high,
        wide,
        matrix_of(_FLOATS, memory, 0, 1, 1),
        matrix_of(_NUMBERS, memory, 8, 2, DEPTH),
        matrix_of(_BFLOATS, memory, _OTHERS * TILE, squares, TILE),
        matrix_of(_BFLOATS, memory, (_OTHERS + squares) * TILE, squares, TILE),
        matrix_of(_BFLOATS, memory, behind * TILE, right, TILE),
        matrix_of(_FLOATS, memory, (behind + right) * TILE // 2, _sums_in_kernels(high), SIDE),
    )


@part
def _ask_for_column(rows, numbers, k):
    """Ask memory for the lines of ``rows[numbers, k]``."""
    for n in range(DEPTH):
        prefetch(rows, numbers[0, n], k)


@part
def _copy_part_of_square(rows, tiles, r, k, wide):
    """Write DEPTH gathered rows from the r-th on, columns k to k + SIDE, to the tiles of X and XT.

    rows: (N, D) uint8, all there are; wide: how many columns are left to write; then there are zeros
    """
    pairs = load_pairs(tiles.scale, rows, tiles.numbers, k, first_bits(min(SIDE, wide)))
    store_rows(pairs, tiles.X, r // SIDE * tiles.wide + k // DEPTH, tiles.wide, k % DEPTH)
    store_columns(pairs, tiles.XT, k // SIDE * tiles.high + r // DEPTH)


@kernel
def copy_bfloats(kind, data, selection, inputs):
    """As ``gather.copy_rows``, of bytes (N, D), unscaled, to X and XT of ``tiles_of(inputs)``, and the scale.

    Rows that fill up the last square are the last row again, columns zeros: products may run over both.
    """
    tiles, end = tiles_of(inputs), selection.end
    rows = numbers_of(kind, data)
    soon = matrix(tiles.numbers, SOON * DEPTH, 1, DEPTH)
    tiles.scale[0, 0] = data.scale
    for r in range(0, selection.count, DEPTH):
        note_numbers(selection, r, rows.shape[0] - 1, tiles.numbers)
        for k in range(selection.begin, (end + DEPTH - 1) // DEPTH * DEPTH, SIDE):
            if k % line_of(rows) == 0:
                _ask_for_column(rows, soon, k)
            _copy_part_of_square(rows, tiles, r, k, end - k)
