"""Zeros left out one by one: a row visits what is not zero in itself, and updating, an input likewise.

Two of them take turns: a sum has to wait some cycles for its last product, in which the other goes on. Or, in pairs,
they go together, as weights, or gradients, are then read once for both.
"""

from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.matmul import finish
from fastmlp.kernels.rules import descend
from fastmlp.kernels.shape import BLOCK, WORD
from fastmlp.kernels.tile import load_row, lowest_bit, outer, stack, zeros
from fastmlp.kernels.views import blocks_as_rows, place_in_blocks
from fastmlp.kernels.zeros import NONE, ONE, column_bits_of, row_bits_of


@part
def _input_of_row(i, k):
    return place_in_blocks(i, k)


@part
def _row_of_input(i, k):
    return place_in_blocks(k, i)


@part
def _add_lowest(place, total, X, i, start, bits, M, j):
    k = start + lowest_bit(bits)
    row, column = place(i, k)
    return outer(total, X, row, column, M, k, j)


@part
def add_by_turns(place, first, second, X, i, start, bits, others, M, j):
    """Add what two neighbours visit in a word to their sums, tiles of one row; return both.

    bits, others: of the rows of M, from ``start`` on, that i and i + 1 visit; of each the part (1, width) from column j
    on is multiplied by the number of X (blocks, columns * BLOCK), or of X in rows, that is at ``place(i, k)``
    """
    while bits != NONE and others != NONE:
        first = _add_lowest(place, first, X, i, start, bits, M, j)
        second = _add_lowest(place, second, X, i + 1, start, others, M, j)
        bits, others = bits & (bits - ONE), others & (others - ONE)
    while bits != NONE:
        first = _add_lowest(place, first, X, i, start, bits, M, j)
        bits &= bits - ONE
    while others != NONE:
        second = _add_lowest(place, second, X, i + 1, start, others, M, j)
        others &= others - ONE
    return first, second


@part
def _add_together(place, first, second, X, i, start, bits, others, M, j):
    """As ``add_by_turns``, but what either visits both do: of M it is read once, and adds nothing where X is zero."""
    either = bits | others
    while either != NONE:
        first = _add_lowest(place, first, X, i, start, either, M, j)
        second = _add_lowest(place, second, X, i + 1, start, either, M, j)
        either &= either - ONE
    return first, second


@part
def _two_rows(add, bias, X, bits_of, i, W, words):
    """Return ``bias + X[i] W`` and ``bias + X[i + 1] W``, of the inputs of a range of words of bits.

    add: ``add_by_turns``, or what does the same
    """
    first, second = bias, bias
    for word in range(words[0], words[1]):
        bits, others = bits_of[i, word], bits_of[i + 1, word]
        first, second = add(_input_of_row, first, second, X, i, word * WORD, bits, others, W, 0)
    return first, second


@part
def affine_by_twos(add, shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine``, two rows at a time; shape: one row and the panel's vectors; add: as for ``_two_rows``."""
    bias, X, bits_of = load_row(shape, b, 0, 0), blocks_as_rows(inputs.X), row_bits_of(inputs)
    words = begin // WORD, (end + WORD - 1) // WORD
    for i in range(first, last, BLOCK):
        rows = _two_rows(add, bias, X, bits_of, i, W, words)
        Z = stack(rows + _two_rows(add, bias, X, bits_of, i + 2, W, words))
        finish(choice, Z, A, G, i, j)


@part
def update_by_twos(add, shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update``, two inputs at a time; shape, add: as for ``affine_by_twos``.

    panel: rows >= last rounded up to a pair, whose second input may be padding, of which nothing is marked
    """
    X, bits_of = blocks_as_rows(inputs.X), column_bits_of(inputs)
    for i in range(first, last, 2):
        dW, other = zeros(shape, G), zeros(shape, G)
        for word in range((depth + WORD - 1) // WORD):
            bits, others = bits_of[word, i], bits_of[word, i + 1]
            dW, other = add(_row_of_input, dW, other, X, i, word * WORD, bits, others, G, j)
        descend(rule, shape, dW, panel, i, descent)
        descend(rule, shape, other, panel, i + 1, descent)


@kernel
def affine_singles(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine_nonzero``, for each row by itself; shape: one row and the panel's vectors."""
    affine_by_twos(add_by_turns, shape, choice, inputs, W, b, A, G, j, first, last, begin, end)


@kernel
def update_singles(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update_nonzero``, for each input by itself; shape: one row and the panel's vectors."""
    update_by_twos(add_by_turns, shape, rule, inputs, G, j, panel, first, last, depth, descent)


@kernel
def affine_pairs(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``affine_singles``, for pairs of rows: both visit what is not zero in either."""
    affine_by_twos(_add_together, shape, choice, inputs, W, b, A, G, j, first, last, begin, end)


@kernel
def update_pairs(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update_singles``, for pairs of inputs, likewise."""
    update_by_twos(_add_together, shape, rule, inputs, G, j, panel, first, last, depth, descent)
