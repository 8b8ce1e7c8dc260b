"""Matrix products, each ended while its tile is still in registers.

affine      A[:, j:] = f(X W + b)                  forward, a panel of columns at a time
backprop    G[:, j:] = (G' W'^T) * f'(Z)           gradient of a layer's weighted inputs Z, from the next layer's
"""

from fastmlp.kernels.activation import activate, hands_on, slope, to_keep
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.prefetch import claim
from fastmlp.kernels.shape import BLOCK, WORD
from fastmlp.kernels.sparse import lists_of
from fastmlp.kernels.tile import load, load_row, load_transposed, lowest_bit, outer, stack, store, zeros
from fastmlp.kernels.views import lanes_of
from fastmlp.kernels.zeros import GROUP, NONE, ONE, any_of_tile, bits_of_tile, has_many_zeros, row_bits_of


@part
def claim_to_finish(shape, choice, A, G, i, j):
    """Ask for what ``finish`` will write of a tile."""
    claim(shape, G, i, j)
    if hands_on(choice):
        claim(shape, A, i, j)


@part
def finish(choice, Z, A, G, i, j):
    """Hand on the activations of a tile of weighted inputs, and keep what the derivative will need."""
    activations = activate(choice, Z)
    store(to_keep(choice, Z, activations), G, i, j)
    if hands_on(choice):
        store(activations, A, i, j)


@kernel
def affine(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """``A[first:last, j : j + width] = activation(X[first:last, begin:end] W[begin:end] + b)``.

    shape: of the tiles, with the panel's vectors; choice: the activation
    inputs: with X (>= last, >= end) and A (>= last, >= j + width) in blocks; W: (>= end, width) and b: (1, width)
        C-ordered; all of one dtype; A overlaps none of the others
    G: (>= last, >= j + width), where Z or A is kept for the gradient; A is not written for OUTPUT
    first, last: the last tile may reach beyond ``last``; rows of X beyond the minibatch may hold anything
    """
    bias = load_row(shape, b, 0, 0)
    for i in range(first, last, shape.rows):
        claim_to_finish(shape, choice, A, G, i, j)
        Z = bias
        for k in range(begin, end):
            Z = outer(Z, inputs.X, i, k, W, k, 0)
        finish(choice, Z, A, G, i, j)


@kernel
def affine_nonzero(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``affine``, visiting only the inputs that ``kernels.zeros`` has marked; begin: a multiple of WORD."""
    bias = load_row(shape, b, 0, 0)
    bits_of = row_bits_of(inputs)
    for i in range(first, last, GROUP):
        Z = bias
        for word in range(begin // WORD, (end + WORD - 1) // WORD):
            bits = any_of_tile(bits_of, i, word)
            while bits != NONE:
                k = word * WORD + lowest_bit(bits)
                bits &= bits - ONE
                Z = outer(Z, inputs.X, i, k, W, k, 0)
        finish(choice, Z, A, G, i, j)


@kernel
def affine_lean(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``affine``, leaving out what is zero in all rows of a tile, if that is much of the first tile; begin: 0.

    Nothing needs to be marked before: for few panels, or one, looking while multiplying is cheaper.
    """
    bias, X = load_row(shape, b, 0, 0), inputs.X
    leaves_out = has_many_zeros(shape, X, first, end)
    for i in range(first, last, shape.rows):
        Z = bias
        if leaves_out:
            for start in range(begin, end, WORD):
                bits = bits_of_tile(shape, X, i, start, end)
                while bits != NONE:
                    k = start + lowest_bit(bits)
                    bits &= bits - ONE
                    Z = outer(Z, X, i, k, W, k, 0)
        else:
            for k in range(begin, end):
                Z = outer(Z, X, i, k, W, k, 0)
        finish(choice, Z, A, G, i, j)


@kernel
def multiply(shape, inputs, W, P, j, first, last, begin, end):
    """``P[first:last, j : j + width] = X[first:last, begin:end] W[begin:end]``.

    P: (>= last, >= j + width), overlapping none of the others; these as for ``affine``
    """
    for i in range(first, last, shape.rows):
        claim(shape, P, i, j)
        Z = zeros(shape, P)
        for k in range(begin, end):
            Z = outer(Z, inputs.X, i, k, W, k, 0)
        store(Z, P, i, j)


@kernel
def affine_onto(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """``A[first:last, j : j + width] = activation((X[first:last, begin:end] W[begin:end] + P) + b)``.

    As ``affine``; on entry G holds P, the product of the other inputs, in ``G[first:last, j : j + width]``: it does not
    matter which of the two came first.
    """
    bias = load_row(shape, b, 0, 0)
    for i in range(first, last, shape.rows):
        claim_to_finish(shape, choice, A, G, i, j)
        Z = zeros(shape, G)
        for k in range(begin, end):
            Z = outer(Z, inputs.X, i, k, W, k, 0)
        finish(choice, (Z + load(shape, G, i, j)) + bias, A, G, i, j)


@kernel
def add_halves(shape, choice, P, A, G, j, first, last):
    """``A[first:last, j : j + width] = activation(P[first:last, j:] + P[R + first : R + last, j:])``.

    P: (2 R, >= j + width), R >= last; the products with the first half of the inputs, and the biases, then with the
        second; choice, A, G, first, last: as for ``affine``
    """
    for i in range(first, last, shape.rows):
        claim_to_finish(shape, choice, A, G, i, j)
        finish(choice, load(shape, P, i, j) + load(shape, P, P.shape[0] // 2 + i, j), A, G, i, j)


@part
def _add_entries(Z, inputs, lists, i, W):
    for e in range(lists.starts[0, i], lists.starts[0, i + 1]):
        Z = outer(Z, inputs.X, 0, e, W, lists.columns[0, e], 0)
    return Z


@kernel
def affine_entries(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``affine``, visiting only the entries of sparse rows (kernels.sparse); shape: one row and the panel's vectors.

    W: (D, width), whatever D is; begin, end: do not matter, as entries are of all inputs
    """
    bias, lists = load_row(shape, b, 0, 0), lists_of(inputs)
    for i in range(first, last, BLOCK):
        Z = stack(
            (
                _add_entries(bias, inputs, lists, i, W),
                _add_entries(bias, inputs, lists, i + 1, W),
                _add_entries(bias, inputs, lists, i + 2, W),
                _add_entries(bias, inputs, lists, i + 3, W),
            )
        )
        finish(choice, Z, A, G, i, j)


@kernel
def backprop(shape, choice, G_next, WT, G, j, first, last, depth, width):
    """``G[i, j : j + width] = (G_next[i, :depth] WT[:depth]) * f'(Z[i, j : j + width])`` for rows i, first..last.

    shape, choice, first, last: as in ``affine``
    G_next: the gradient of the next layer's weighted inputs, ``width`` columns of it (>= last, >= width), and right
        below these the next ones
    WT: (>= depth, width) the transpose of this panel's rows of the next layer's weights, from before their update
    G: (>= last, >= j + width); on entry it holds what ``affine`` has kept; it overlaps none of the others
    """
    for i in range(first, last, shape.rows):
        claim(shape, G, i, j)
        dA = zeros(shape, G)
        row = i
        for begin in range(0, depth, width):
            for k in range(min(width, depth - begin)):
                dA = outer(dA, G_next, row, k, WT, begin + k, 0)
            row += G_next.shape[0]
        store(dA * slope(choice, load(shape, G, i, j)), G, i, j)


@kernel
def transpose_rows(W, first, width, out, k):
    """``out[k : k + W.shape[1], :width] = W[first : first + width].T``; both sides are whole registers."""
    lanes = lanes_of(out)
    for i in range(0, width, lanes):
        for j in range(0, W.shape[1], lanes):
            store(load_transposed(W, first + i, j), out, k + j, i)
