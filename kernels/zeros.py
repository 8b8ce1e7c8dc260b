"""Zeros cost nothing: which numbers of a minibatch are worth visiting.

Forward, a tile of 4 rows visits only the inputs where one of the rows is not zero (39% of them on MNIST, where 19% of
all numbers are not zero); updating, a tile of 4 neighbouring inputs visits only the rows where one of them is not zero
(28%). What is left out would add 0 * w: the sums are the same, bit for bit.

What to visit is marked by bits, 64 to a word. Bit k of ``row_bits[i, w]`` stands for ``X[i, w * 64 + k]``. Of a group
of 4 neighbouring inputs, 4 g to 4 g + 3, the rows where any is not zero are bits too: that of row i is bit i % 64 of
``group_bits[i // 64, g]``.
"""

import numpy as np

from fastmlp.kernels.inputs import Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.layout import ceil_div
from fastmlp.kernels.tile import VECTOR_BYTES, count_bits, matrix_of, nonzero_bits, nonzero_word

WORD = 64
GROUP = 4
"""Rows, or neighbouring inputs, that are left out together where all of them are zero."""
ONE = np.uint64(1)
NONE = np.uint64(0)
MOST_VISITED = 0.6
"""Where more than this share of the inputs would be visited, all are: a visit takes a quarter longer than a product."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_BITS = Choice("uint64")


def new_bits(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches with their bits, for each member of a team."""

    def bytes_for_bits(rows: int, columns: int) -> int:
        words, group_words = ceil_div(columns, WORD), ceil_div(columns, GROUP * WORD)
        return 8 * (rows * words + ceil_div(rows, WORD) * group_words * WORD)

    return new_inputs(members, shape, dtype, bytes_for_bits)


@part
def row_bits_of(inputs):
    """Return the bits of the rows, (B, D / 64) uint64."""
    words = (inputs.X.shape[1] + WORD - 1) // WORD
    return matrix_of(_BITS, inputs.visits, 0, inputs.X.shape[0], words)


@part
def group_bits_of(inputs):
    """Return the bits of the groups of inputs, (B / 64, D / 4) uint64, the latter in whole words of groups."""
    rows, columns = inputs.X.shape
    words, group_words = (columns + WORD - 1) // WORD, (columns + GROUP * WORD - 1) // (GROUP * WORD)
    return matrix_of(_BITS, inputs.visits, rows * words, (rows + WORD - 1) // WORD, group_words * WORD)


@part
def any_of_tile(bits, i, word):
    """Return the bits that any of a group of rows from i on has set in a word."""
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


@part
def mark_row(x, inputs, r):
    """Set the bits of row r of ``inputs.X`` (B, >= D), which is the row x (1, D), of any kind, but for its scale.

    What has become zero by its scale alone counts as not zero: it is visited, and adds nothing.
    """
    bits, words = row_bits_of(inputs), x.shape[1] // WORD
    for w in range(words):
        bits[r, w] = nonzero_word(x, 0, w * WORD)
    for w in range(words, bits.shape[1]):
        bits[r, w] = bits_of_row(inputs.X, r, w * WORD)


@part
def _any_of_groups(word):
    """Return 16 bits of uint64, one for each group of 4 neighbouring bits of a word: whether any of them is set."""
    word |= word >> np.uint64(1)
    word |= word >> np.uint64(2)
    word &= np.uint64(0x1111111111111111)
    word = (word | word >> np.uint64(3)) & np.uint64(0x0303030303030303)
    word = (word | word >> np.uint64(6)) & np.uint64(0x000F000F000F000F)
    word = (word | word >> np.uint64(12)) & np.uint64(0x000000FF000000FF)
    return (word | word >> np.uint64(24)) & np.uint64(0xFFFF)


@kernel
def mark_groups(inputs, rows, step):
    """Set the bits of groups of inputs from those of the first rows; what lies beyond these counts as zero.

    step: does not matter; it does to ``sparse.link_columns``
    """
    row_bits, group_bits = row_bits_of(inputs), group_bits_of(inputs)
    for first in range(0, rows, WORD):
        for w in range(group_bits.shape[1] // WORD):
            block = group_bits[first // WORD, w * WORD : (w + 1) * WORD]
            for r in range(WORD):
                block[r] = NONE
            for v in range(w * GROUP, min((w + 1) * GROUP, row_bits.shape[1])):
                shift = np.uint64(v % GROUP * (WORD // GROUP))
                for r in range(min(rows - first, WORD)):
                    block[r] |= _any_of_groups(row_bits[first + r, v]) << shift
            _transpose(block)


@part
def _transpose(block):
    """Transpose a square of 64 x 64 bits, a word a row (Warren, Hacker's Delight, section 7-3)."""
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
