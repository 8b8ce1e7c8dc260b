"""Zeros cost nothing: which numbers of a minibatch are worth visiting.

Forward, a tile of 4 rows visits only the inputs where one of the rows is not zero (39% of them on MNIST, where 19% of
all numbers are not zero); updating, a tile of 4 neighbouring inputs visits only the rows where one of them is not zero
(28%). What is left out would add 0 * w: the sums are the same, bit for bit.

Or each row visits what is not zero in itself, and each input likewise. That is fewer numbers, where zeros are scattered
far fewer, but weights or gradients are read for each alone (``single_visit``). Or pairs visit what is not zero in
either of them (``pair_visit``). Forward and updating may differ in this.

What to visit is marked by bits, 64 to a word. Bit k of ``row_bits[i, w]`` stands for ``X[i, w * 64 + k]``. Of a group
of 4 neighbouring inputs, from k on, the rows where any is not zero are bits too: that of row i is bit i % 64 of
``column_bits[i // 64, place_of_group(k)]``. Where inputs are visited singly, or in pairs, each stands for itself there:
``column_bits[i // 64, k]``.
"""

import math

import numpy as np

from fastmlp.kernels.inputs import NONZEROS, PAIRS, SINGLES, Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.layout import bytes_of_bits
from fastmlp.kernels.shape import BLOCK, VECTOR_BYTES, WORD, WORD_BITS, ZEN
from fastmlp.kernels.tile import count_bits, nonzero_word
from fastmlp.kernels.views import matrix, matrix_of

GROUP = BLOCK
"""Rows, or neighbouring inputs, that are left out together where all of them are zero."""
ONE = np.uint64(1)
NONE = np.uint64(0)
GROUP_VISIT = 1.2 if VECTOR_BYTES == 64 else 1.3
"""How many times a product's time it takes to visit a group (measured: README)."""
MOST_VISITED = 0.6
"""Where more than this share of the inputs would be visited, all are, if what is zero has to be looked for first."""
_FIRST_CACHE = 32 << 10  # bytes
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_BITS = Choice("uint64")


def new_bits(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches with their bits, for each member of a team."""
    return new_inputs(members, shape, dtype, bytes_of_bits)


@part
def row_bits_of(inputs):
    """Return the bits of the rows, (B, D / 64) uint64."""
    words = (inputs.X.shape[1] + WORD - 1) // WORD
    return matrix_of(_BITS, inputs.visits, 0, inputs.X.shape[0] * BLOCK, words)


@part
def column_bits_of(inputs):
    """Return the bits of the columns, or of groups of them, (B / 64, D) uint64, the latter in whole words."""
    rows, columns = inputs.X.shape[0] * BLOCK, inputs.X.shape[1]
    words = (columns + WORD - 1) // WORD
    return matrix_of(_BITS, inputs.visits, rows * words, (rows + WORD - 1) // WORD, words * WORD)


@part
def any_of_tile(bits, i, word):
    """Return the bits that any of a group of rows from i on has set in a word."""
    return bits[i, word] | bits[i + 1, word] | bits[i + 2, word] | bits[i + 3, word]


@part
def first_bits(count):
    """Return a word whose first ``count`` bits are set, WORD at most; none where it is 0 or less."""
    return _ALL >> np.uint64(WORD - count) if count > 0 else NONE


@part
def bits_of_tile(shape, X, i, first, columns):
    """Return a word of bits: whether any row of the tile at row i is not zero in the columns from ``first`` on.

    shape: of BLOCK rows, or of one that is a matrix of its own; columns: how many there are in all
    """
    rows, bits = shape.rows, NONE
    numbers = matrix(X, i * X.shape[1], 1, X.shape[1] * rows)
    per_word = WORD // rows
    count = min(WORD, columns - first)
    for k in range(0, count, per_word):  # may look at what lies behind X, and forgets it
        of_all = nonzero_word(numbers, 0, (first + k) * rows)
        bits |= (of_all if rows == 1 else any_of_groups(of_all)) << np.uint64(k)
    return bits & first_bits(count)


def single_visit(columns: int) -> float:
    """Return how many times a product's time it takes to visit one of so many inputs by itself (measured: README).

    Without AVX-512 nothing is gained beside groups: infinite.
    """
    if VECTOR_BYTES < 64:
        return math.inf
    if not ZEN:
        return 2.4 if _is_held(columns) else 2.8
    if not _is_held(columns):
        return 2.7
    return 1.3 if ZEN < 5 else 1.4


def pair_visit(columns: int) -> float:
    """Return how many times two products' time it takes to visit one of so many inputs for a pair (measured: README).

    It saves loads, for which processors wait that multiply as often as they load: infinite for others.
    """
    return 1.05 if ZEN >= 5 and _is_held(columns) else math.inf


def ways_to_leave_out(columns: int) -> dict[Choice, tuple[int, float]]:
    """Return of each way to leave out zeros how many rows, or inputs, visit together, and what a visit takes.

    That is how many times a product's time it takes for each of them, in rows of so many columns; infinite where it
    never pays.
    """
    return {NONZEROS: (GROUP, GROUP_VISIT), PAIRS: (2, pair_visit(columns)), SINGLES: (1, single_visit(columns))}


def _is_held(columns: int) -> bool:
    """Tell whether the first cache holds a panel's weights of so many inputs."""
    return columns * 4 * VECTOR_BYTES <= _FIRST_CACHE


@part
def has_many_zeros(shape, X, i, columns):
    """Tell whether it is worth leaving out what is zero in all rows of the tile at row i."""
    visited = 0
    for start in range(0, columns, WORD):
        visited += count_bits(bits_of_tile(shape, X, i, start, columns))
    return visited < MOST_VISITED * columns


@part
def mark_row(data, i, inputs, r, begin, end):
    """Set the bits of row r of ``inputs.X``, which is row i of the data (N, D), of any kind, but for its scale.

    begin: a multiple of WORD; end: another, or D

    What has become zero by its scale alone counts as not zero: it is visited, and adds nothing.
    """
    bits, columns = row_bits_of(inputs), data.shape[1]
    words, rest = end // WORD, end % WORD
    for w in range(begin // WORD, words):
        bits[r, w] = nonzero_word(data, i, w * WORD)
    if end == columns:
        for w in range(words, bits.shape[1]):
            bits[r, w] = NONE
    if rest and (i + 1) * columns >= WORD:  # the word that ends with the row may begin in the one before
        bits[r, words] = nonzero_word(data, i, columns - WORD) >> np.uint64(WORD - rest)
    elif rest:
        for k in range(columns):
            if data[i, k] != 0:
                bits[r, 0] |= ONE << np.uint64(k)


@part
def unmark_rows(inputs, rows):
    """Let nothing be marked in the first rows, nor in what fills up their last block."""
    bits = row_bits_of(inputs)
    for r in range((rows + BLOCK - 1) // BLOCK * BLOCK):
        for w in range(bits.shape[1]):
            bits[r, w] = NONE


@part
def mark(inputs, r, k):
    """Set the bit of ``inputs.X[r, k]``."""
    # a division would allow for negative numbers, which takes longer than all the rest
    row_bits_of(inputs)[r, k >> WORD_BITS] |= ONE << np.uint64(k & (WORD - 1))


@part
def _firsts_of_groups(word):
    """Return a word in which of 4 neighbouring bits only the first may be set: whether any of them is."""
    word |= word >> np.uint64(1)
    word |= word >> np.uint64(2)
    return word & np.uint64(0x1111111111111111)


@part
def any_of_groups(word):
    """Return 16 bits of uint64, one for each group of 4 neighbouring bits of a word: whether any of them is set."""
    word = _firsts_of_groups(word)
    word = (word | word >> np.uint64(3)) & np.uint64(0x0303030303030303)
    word = (word | word >> np.uint64(6)) & np.uint64(0x000F000F000F000F)
    word = (word | word >> np.uint64(12)) & np.uint64(0x000000FF000000FF)
    return (word | word >> np.uint64(24)) & np.uint64(0xFFFF)


@part
def place_of_group(k):
    """Return the column of ``column_bits`` that stands for inputs k to k + 3.

    Those of 256 inputs, 4 words, lie together: the first group of each word, the second of each, and so on. In this
    order they come out of words whose groups are one bit each, shifted by 0 to 3.
    """
    return (k >> 8 << 6) + (k >> 2 & 15) * GROUP + (k >> 6 & 3)


@kernel
def mark_groups(inputs, rows, step):
    """Set the bits of groups of inputs from those of the first rows; what lies beyond these counts as zero.

    step: does not matter; it does to ``sparse.link_columns``
    """
    row_bits, group_bits = row_bits_of(inputs), column_bits_of(inputs)
    for first in range(0, rows, WORD):
        for w in range((row_bits.shape[1] + GROUP - 1) // GROUP):
            block = group_bits[first // WORD, w * WORD : (w + 1) * WORD]
            for r in range(WORD):
                block[r] = NONE
            for v in range(w * GROUP, min((w + 1) * GROUP, row_bits.shape[1])):
                shift = np.uint64(v % GROUP)
                for r in range(min(rows - first, WORD)):
                    block[r] |= _firsts_of_groups(row_bits[first + r, v]) << shift
            _transpose(block)


@kernel
def mark_columns(inputs, rows, step):
    """Set the bits of the columns, each by itself, from those of the first rows, as ``mark_groups`` those of groups."""
    mark_words_of_columns(inputs, rows, row_bits_of(inputs).shape[1])


@part
def mark_words_of_columns(inputs, rows, words):
    """Set the bits of so many words of columns, each by itself, from those of the first rows."""
    row_bits, column_bits = row_bits_of(inputs), column_bits_of(inputs)
    for first in range(0, rows, WORD):
        for w in range(words):
            block = column_bits[first // WORD, w * WORD : (w + 1) * WORD]
            for r in range(WORD):
                block[r] = row_bits[first + r, w] if first + r < rows else NONE
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
