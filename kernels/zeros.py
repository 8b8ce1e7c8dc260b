"""Zeros cost nothing: which numbers of a minibatch are worth visiting.

Forward, a tile of 4 rows visits only the inputs where one of the rows is not zero (39% of them on MNIST, where 19% of
all numbers are not zero); updating, a tile of 4 neighbouring inputs visits only the rows where one of them is not zero
(28%). What is left out would add 0 * w: the sums are the same, bit for bit.

What to visit is marked by bits, 64 to a word: a row's words for its inputs, and, transposed, an input's for the rows.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.layout import aligned_for_each, ceil_div, matrix_type
from fastmlp.kernels.tile import VECTOR_BYTES, nonzero_bits

WORD = 64
ONE = np.uint64(1)
NONE = np.uint64(0)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Inputs(NamedTuple):
    """Inputs of a layer: X (B, stride), and, where zeros are skipped, bits that are set where X is not zero.

    Bit k of ``row_bits[i, w]`` and bit i % 64 of ``column_bits[w * 64 + k, i // 64]`` stand for ``X[i, w * 64 + k]``.
    """

    X: np.ndarray
    row_bits: np.ndarray  # (B, D / 64) uint64
    column_bits: np.ndarray  # (D / 64 * 64, B / 64) uint64


def inputs_type(dtype) -> types.NamedTuple:
    """Return the Numba type of Inputs."""
    bits = types.Array(types.uint64, 2, "C")
    return types.NamedTuple((matrix_type(dtype), bits, bits), Inputs)


def new_inputs(rows: int, stride: int, members: int, dtype, skip_zeros: bool) -> Inputs:
    """Return memory for a minibatch for each member of a team: Inputs of arrays (members, ...)."""
    words, row_words = (ceil_div(stride, WORD), ceil_div(rows, WORD)) if skip_zeros else (0, 0)
    return Inputs(
        aligned_for_each(members, (rows, stride), dtype),
        aligned_for_each(members, (rows, words), np.uint64),
        aligned_for_each(members, (words * WORD, row_words), np.uint64),
    )


@part
def inputs_for(inputs, member):
    """Return a member's own minibatch."""
    return Inputs(inputs.X[member], inputs.row_bits[member], inputs.column_bits[member])


@part
def with_matrix(inputs, X):
    """Return the inputs with another matrix, of which nothing is marked."""
    return Inputs(X, inputs.row_bits, inputs.column_bits)


@part
def any_of_tile(bits, i, word):
    """Return the bits that any of the ROWS rows from i on has set in a word."""
    return bits[i, word] | bits[i + 1, word] | bits[i + 2, word] | bits[i + 3, word]


@kernel
def mark_nonzeros(inputs, rows):
    """Set the bits for the first rows of ``inputs.X``; what lies beyond them counts as zero for the columns' bits."""
    X, row_bits = inputs.X, inputs.row_bits
    lanes = VECTOR_BYTES // X.itemsize
    for i in range(rows):
        for w in range(row_bits.shape[1]):
            bits = NONE
            for v in range(0, min(WORD, X.shape[1] - w * WORD), lanes):
                bits |= nonzero_bits(X, i, w * WORD + v) << np.uint64(v)
            row_bits[i, w] = bits
    for first in range(0, rows, WORD):
        for w in range(row_bits.shape[1]):
            _transpose_bits(row_bits, first, min(rows - first, WORD), w, inputs.column_bits)


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
