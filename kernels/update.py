"""Backward-plus-update: X^T G accumulates in a tile and becomes new weights there; it never is in memory.

The rule that the gradient of a tile is given to is one of ``kernels.rules``.
"""

from numba.extending import overload

from fastmlp.kernels.jit import ChoiceType, kernel, part
from fastmlp.kernels.layout import values
from fastmlp.kernels.prefetch import claim, prefetch_column, prefetch_tile, take_over
from fastmlp.kernels.rules import KEEP, KEPT, descend, for_biases
from fastmlp.kernels.shape import BLOCK, STRIP, WORD, ZEN
from fastmlp.kernels.sparse import COLUMN, END, ENTRY, TOUCHED, lists_of
from fastmlp.kernels.tile import load, lowest_bit, outer, room_for, store, zeros
from fastmlp.kernels.views import matrix
from fastmlp.kernels.zeros import GROUP, NONE, ONE, column_bits_of, place_of_group

MOST_ROWS = 2048 if 0 < ZEN < 5 else 128
"""Of a minibatch's gradient, so many rows of 4 vectors of 64 bytes lie in a near cache, with room for all else there.

32 KiB are in the first; a Zen that multiplies once a cycle does so from half of its second, 512 KiB, without waiting.
"""
FEW_ROWS = 64
"""In minibatches of so many rows or fewer a tile is done too soon for claims of its weights to pay: 1% slower."""
ROWS_SOON = 4
"""How many rows before its turn a row of kept gradients is asked for: of many more at once, some would be forgotten."""
ROWS_TAKEN = 16
"""How many rows of weights are taken from others together: other stores, in between, would wait for each."""


def begin(rule, shape, G, panel, first, last, descent):
    """Before the rows of a panel that entries touch get their gradients: do to all what no other step could make up."""


def _keep_decay(rule, shape, G, panel, first, last, descent):
    nothing = zeros(shape, G)
    for k in range(first, last):
        descend(rule, shape, nothing, panel, k, descent)


def _make_up_later(rule, shape, G, panel, first, last, descent):
    pass


@overload(begin)
def _begin(rule, shape, G, panel, first, last, descent):
    if isinstance(rule, ChoiceType):
        return _keep_decay if rule.choice is KEEP else _make_up_later
    return None


@part
def _add_products(shape, dW, XT, i, G, j, begin, end):
    """Return ``dW + XT[i : i + rows, begin:end] G[begin:end, j : j + width]``; begin: a multiple of BLOCK.

    What the next tile will need is asked for: of each block another line, which no processor foresees.
    """
    whole = end - (end - begin) % BLOCK
    for block in range(begin, whole, BLOCK):
        prefetch_column(shape, XT, i + shape.rows, block)
        for k in range(block, block + BLOCK):
            dW = outer(dW, XT, i, k, G, k, j)
    for k in range(whole, end):
        dW = outer(dW, XT, i, k, G, k, j)
    return dW


@kernel
def update(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """Apply the rule to rows first..last of a panel of weights, with the gradient ``X[:depth].T G[:depth, j:]``.

    shape: of the tiles, with the panel's vectors; first: a multiple of its rows; the last tile may end beyond ``last``
    inputs: with X (>= depth, >= last) the layer's inputs, in blocks; G: (>= depth, >= j + width) the gradient of Z
    panel: weights (rows >= last, width), overlapping neither; a tile's are claimed while it is multiplied, as those of
        large networks come from the third cache
    """
    for i in range(first, last, shape.rows):
        if depth > FEW_ROWS:
            claim(shape, values(panel, 0), i, 0)
        dW = _add_products(shape, zeros(shape, G), inputs.X.T, i, G, j, 0, depth)
        descend(rule, shape, dW, panel, i, descent)


@kernel
def update_large(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update``, for so many rows that no near cache holds their gradients (``is_large``).

    A part of G's rows, which one does hold, meets a strip of inputs before the next part does. Small minibatches would
    lose a tenth by it.
    """
    XT, sums = inputs.X.T, room_for(shape.strip, G)
    parts = max(1, (depth + MOST_ROWS - 1) // MOST_ROWS)
    for start in range(first, last, STRIP):
        for p in range(parts):
            begin, end = p * MOST_ROWS, min((p + 1) * MOST_ROWS, depth)
            for i in range(start, min(start + STRIP, last), shape.rows):
                if p == parts - 1:
                    claim(shape, values(panel, 0), i, 0)
                dW = load(shape, sums, i - start, 0) if p else zeros(shape, G)
                dW = _add_products(shape, dW, XT, i, G, j, begin, end)
                if p < parts - 1:
                    store(dW, sums, i - start, 0)
                else:
                    descend(rule, shape, dW, panel, i, descent)


def is_large(rows: int) -> bool:
    """Tell whether minibatches of so many rows are for ``update_large``."""
    return rows > MOST_ROWS


@kernel
def update_nonzero(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update``, visiting only the rows that ``kernels.zeros`` has marked."""
    XT, bits_of = inputs.X.T, column_bits_of(inputs)
    for i in range(first, last, GROUP):
        dW = zeros(shape, G)
        for word in range((depth + WORD - 1) // WORD):
            bits = bits_of[word, place_of_group(i)]
            while bits != NONE:
                k = word * WORD + lowest_bit(bits)
                bits &= bits - ONE
                dW = outer(dW, XT, i, k, G, k, j)
        descend(rule, shape, dW, panel, i, descent)


@kernel
def update_entries(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update``, visiting only the entries of sparse rows (kernels.sparse), whose columns may be any of the panel.

    shape: one row and the panel's vectors. KEEP visits all rows, those without entries for the gradient of their decay
    """
    lists = lists_of(inputs)
    begin(rule, shape, G, panel, first, last, descent)
    for t in range(lists.sizes[0, TOUCHED]):
        k = lists.touched[t, COLUMN]
        dW = zeros(shape, G)
        e = lists.heads[k, ENTRY]
        while e != END:
            dW = outer(dW, inputs.X, 0, e, G, lists.rows[0, e], j)
            e = lists.links[0, e]
        descend(rule, shape, dW, panel, k, descent)


@kernel
def update_biases(shape, rule, G, j, panel, depth, descent):
    """Apply the rule to a panel of biases (1, width), with the gradient ``G[:depth, j:]`` summed over its rows."""
    db = zeros(shape, G)
    for k in range(depth):
        db = db + load(shape, G, k, j)
    descend(rule, shape, db, panel, 0, for_biases(descent))


@kernel
def sum_squares(shape, W, out, start):
    """``out[start : start + width] = sum_k W[k]^2`` for a panel (rows, width).

    shape: one row and the panel's vectors
    """
    total = zeros(shape, W)
    for k in range(W.shape[0]):
        w = load(shape, W, k, 0)
        total = total + w * w
    store(total, matrix(out, start, 1, W.shape[1]), 0, 0)


@part
def _ask_for_kept(shape, panel, i, parts):
    """Ask for row i (1, width) of a panel's weights and of its kept gradients: other members had them last."""
    claim(shape, values(panel, 0), i, 0)
    for p in range(parts):
        prefetch_tile(shape, values(panel, KEPT + p), i, 0)


@part
def _sum_of_kept(shape, panel, i, parts):
    """Return the sum, part by part, of row i (1, width) of a panel's kept gradients."""
    gradient = load(shape, values(panel, KEPT), i, 0)
    for p in range(1, parts):
        gradient = gradient + load(shape, values(panel, KEPT + p), i, 0)
    return gradient


@kernel
def apply_kept(shape, rule, panel, first, last, parts, factor, descent):
    """Apply the rule to rows first..last of a panel, given ``factor`` times the sum of its gradients that are kept.

    shape: one row of the panel; parts: how many gradients are kept
    """
    for i in range(first, min(first + ROWS_SOON, last)):
        _ask_for_kept(shape, panel, i, parts)
    for start in range(first, last, ROWS_TAKEN):
        end = min(start + ROWS_TAKEN, last)
        for i in range(start, end):
            take_over(shape, values(panel, 0), i, 0)
        for i in range(start, end):
            if i + ROWS_SOON < last:
                _ask_for_kept(shape, panel, i + ROWS_SOON, parts)
            descend(rule, shape, _sum_of_kept(shape, panel, i, parts) * factor, panel, i, descent)
