"""Layers after rectified linear units, about half of whose outputs are zero: these are left out one by one.

How many there are changes while a network learns, so each minibatch tells whether that pays. Sums are the same, bit for
bit: what is left out would add 0 * w. Gradients are zero where activations are, and are left out likewise.
"""

from fastmlp.kernels.activation import slope
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.matmul import affine, backprop
from fastmlp.kernels.prefetch import claim
from fastmlp.kernels.shape import BLOCK, WORD, WORD_BYTES
from fastmlp.kernels.singles import add_by_turns, affine_by_twos, update_by_twos
from fastmlp.kernels.tile import count_bits, load, nonzero_word, store, zeros
from fastmlp.kernels.update import update
from fastmlp.kernels.views import matrix, matrix_of
from fastmlp.kernels.zeros import first_bits, mark_words_of_columns, row_bits_of, single_visit

MOST_FILLED = 0.7
"""Where more than this share of the inputs is not zero, all are visited."""
_SAMPLED = 2 * BLOCK  # rows of a gradient, which tell how many zeros all have
_WORDS = Choice("uint64")


def pays(columns: int) -> bool:
    """Tell whether leaving out zeros one by one pays in a layer of so many inputs, if no more than most are filled."""
    return single_visit(columns) * MOST_FILLED < 1.0


@part
def _decision_of(inputs):
    """Return where it is kept whether zeros are left out: behind the bits of activations, (1, 1) uint64, 0 or 1."""
    return matrix_of(_WORDS, inputs.visits, inputs.visits.size // WORD_BYTES - 1, 1, 1)


@part
def _bits_of_row(M, i, start, columns):
    """Return a word of bits: which numbers of ``M[i, start:columns]`` are not zero, WORD of them at most."""
    return nonzero_word(M, i, start) & first_bits(min(WORD, columns - start))  # what lies behind them is forgotten


@kernel
def mark_active(inputs, G, rows, columns):
    """Set the bits of activations that are not zero, of rows and of columns, and decide whether to leave out others.

    inputs: with X (>= rows, >= columns) in blocks, and room for bits and the decision behind it
    G: (>= rows, >= columns), what is kept of them, which lies in rows: where that is zero, they are
    columns: those of padding too, which are zero
    """
    bits, words, count = row_bits_of(inputs), (columns + WORD - 1) // WORD, 0
    for i in range(rows):
        for w in range(words):
            bits[i, w] = _bits_of_row(G, i, w * WORD, columns)
            count += count_bits(bits[i, w])
    _decision_of(inputs)[0, 0] = count < MOST_FILLED * rows * columns
    mark_words_of_columns(inputs, rows, words)


@kernel
def affine_active(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine``, leaving out what ``mark_active`` has not marked, if it decided so; begin: 0."""
    if _decision_of(inputs)[0, 0] != 0:
        affine_by_twos(add_by_turns, shape.row, choice, inputs, W, b, A, G, j, first, last, begin, end)
    else:
        affine(shape, choice, inputs, W, b, A, G, j, first, last, begin, end)


@kernel
def update_active(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update``, likewise."""
    if _decision_of(inputs)[0, 0] != 0:
        update_by_twos(add_by_turns, shape.row, rule, inputs, G, j, panel, first, last, depth, descent)
    else:
        update(shape, rule, inputs, G, j, panel, first, last, depth, descent)


@part
def _place_in_rows(i, k):
    return i, k


@part
def _two_rows_of_product(shape, G_next, WT, G, i, depth, width):
    """Return rows i and i + 1 of ``G_next[:, :depth] WT``; of each ``width`` columns the next lie below the last."""
    first, second, row = zeros(shape, G), zeros(shape, G), i
    for begin in range(0, depth, width):
        count, rows_of_WT = min(width, depth - begin), matrix(WT, begin * WT.shape[1], depth - begin, WT.shape[1])
        for start in range(0, count, WORD):
            bits, others = _bits_of_row(G_next, row, start, count), _bits_of_row(G_next, row + 1, start, count)
            first, second = add_by_turns(_place_in_rows, first, second, G_next, row, start, bits, others, rows_of_WT, 0)
        row += G_next.shape[0]
    return first, second


@part
def _share_filled(G, first, last, columns):
    """Return the share of ``G[first:last, :columns]`` that is not zero."""
    count = 0
    for i in range(first, last):
        for start in range(0, columns, WORD):
            count += count_bits(_bits_of_row(G, i, start, columns))
    return count / ((last - first) * columns)


@kernel
def backprop_active(shape, choice, G_next, WT, G, j, first, last, depth, width):
    """As ``matmul.backprop``, leaving out zeros of the gradient of the next layer, if there are enough."""
    if _share_filled(G_next, first, min(first + _SAMPLED, last), min(depth, width)) > MOST_FILLED:
        backprop(shape, choice, G_next, WT, G, j, first, last, depth, width)
        return
    row = shape.row
    for i in range(first, last, 2):
        claim(row, G, i, j)
        claim(row, G, i + 1, j)
        one, other = _two_rows_of_product(row, G_next, WT, G, i, depth, width)
        store(one * slope(choice, load(row, G, i, j)), G, i, j)
        store(other * slope(choice, load(row, G, i + 1, j)), G, i + 1, j)
