"""Zeros cost nothing: which numbers of a minibatch are worth visiting.

Forward, a tile of 4 rows visits only the inputs where one of the rows is not zero (39% of them on MNIST, where 19% of
all numbers are not zero); updating, a tile of 4 neighbouring inputs visits only the rows where one of them is not zero
(28%). What is left out would add 0 * w: the sums are the same, bit for bit.

What to visit is marked by bits, 64 to a word: a row's words for its inputs, and, transposed, an input's for the rows.
Bit k of ``row_bits[i, w]`` and bit i % 64 of ``column_bits[w * 64 + k, i // 64]`` stand for ``X[i, w * 64 + k]``.
"""

import numpy as np

from fastmlp.kernels.inputs import Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.layout import ceil_div
from fastmlp.kernels.tile import VECTOR_BYTES, count_bits, matrix_of, nonzero_bits

WORD = 64
ONE = np.uint64(1)
NONE = np.uint64(0)
MOST_VISITED = 0.6
"""Where more than this share of the inputs would be visited, all are: a visit takes a quarter longer than a product."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_BITS = Choice("uint64")


def new_bits(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches with their bits, for each member of a team."""

    def bytes_for_bits(rows: int, columns: int) -> int:
        words, row_words = ceil_div(columns, WORD), ceil_div(rows, WORD)
        return 8 * (rows * words + words * WORD * row_words)

    return new_inputs(members, shape, dtype, bytes_for_bits)


@part
def row_bits_of(inputs):
    """Return the bits of the rows, (B, D / 64) uint64."""
    words = (inputs.X.shape[1] + WORD - 1) // WORD
    return matrix_of(_BITS, inputs.visits, 0, inputs.X.shape[0], words)


@part
def column_bits_of(inputs):
    """Return the bits of the columns, (D / 64 * 64, B / 64) uint64."""
    rows, columns = inputs.X.shape
    words, row_words = (columns + WORD - 1) // WORD, (rows + WORD - 1) // WORD
    return matrix_of(_BITS, inputs.visits, rows * words, words * WORD, row_words)


@part
def any_of_tile(bits, i, word):
    """Return the bits that any of the ROWS rows from i on has set in a word."""
    return bits[i, word] | bits[i + 1, word] | bits[i + 2, word] | bits[i + 3, word]


@part
def bits_of_row(X, i, first):
    """Return a word of the bits of ``X[i, first : first + WORD]``."""
    lanes = VECTOR_BYTES // X.itemsize
    bits = NONE
    for v in range(0, min(WORD, X.shape[1] - first), lanes):
        bits |= nonzero_bits(X, i, first + v) << np.uint64(v)
    return bits


@part
def bits_of_tile(shape, X, i, first):
    """Return a word of the bits that any of a tile's rows has set, from row i on."""
    bits = NONE
    for r in range(shape.rows):
        bits |= bits_of_row(X, i + r, first)
    return bits


@part
def has_many_zeros(shape, X, i, columns):
    """Tell whether it is worth leaving out what is zero in all rows of the tile at row i."""
    visited = 0
    for start in range(0, columns, WORD):
        visited += count_bits(bits_of_tile(shape, X, i, start))
    return visited < MOST_VISITED * columns


@kernel
def mark_nonzeros(inputs, rows, step):
    """Set the bits for the first rows of ``inputs.X``; what lies beyond them counts as zero for the columns' bits.

    step: does not matter; it does to ``sparse.link_columns``
    """
    X, row_bits, column_bits = inputs.X, row_bits_of(inputs), column_bits_of(inputs)
    for i in range(rows):
        for w in range(row_bits.shape[1]):
            row_bits[i, w] = bits_of_row(X, i, w * WORD)
    for first in range(0, rows, WORD):
        for w in range(row_bits.shape[1]):
            _transpose_bits(row_bits, first, min(rows - first, WORD), w, column_bits)


@part
def _transpose_bits(row_bits, first, rows, w, column_bits):
    """Write word ``w`` of 64 rows as the column words of 64 inputs (Warren, Hacker's Delight, section 7-3)."""
    block = column_bits[w * WORD : (w + 1) * WORD, first // WORD]
    for r in range(WORD):
        block[r] = row_bits[first + r, w] if r < rows else NONE
    distance, mask = 32, _ALL >> np.uint64(32)
    while distance:
        shift = np.uint64(distance)
        for start in range(0, WORD, 2 * distance):
            for r in range(start, start + distance):
                low, high = block[r], block[r + distance]
                swap = ((low >> shift) ^ high) & mask
                block[r] = low ^ (swap << shift)
                block[r + distance] = high ^ swap
        distance //= 2
        mask ^= mask << np.uint64(distance)
