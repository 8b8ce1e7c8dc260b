"""Backward-plus-update: X^T G accumulates in a tile and becomes new weights there; it never is in memory.

An optimiser's rule turns the tile of a gradient into new weights. With dW = X^T G + decay W (decay is 2 * l2, or 0
for biases), rate r and momentum m:

    SGD         W -= r dW
    MOMENTUM    V = m V - r dW;  W += V
    NESTEROV    V = m V - r dW;  W += m V - r dW                (Sutskever et al., 2013, section 2, rearranged)
    ADAM        M = m M + (1 - m) dW;  V = v V + (1 - v) dW^2;  W = (1 - s) W - r M / (sqrt(V) + epsilon)
                                                                (Kingma and Ba, 2015, end of section 2: r holds the
                                                                correction for the bias of M and V; s, the shrinkage,
                                                                is what Loshchilov and Hutter, 2019, decouple: AdamW)
    ACCUMULATE  V += r X^T G;  W stays                          (a gradient to look at, a sum over minibatches)
    KEEP        V = dW;  W stays                                (a gradient to be clipped, V being the slot that all
                                                                other rules leave alone)
"""

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from fastmlp.kernels.elementary import reciprocal, root
from fastmlp.kernels.jit import Choice, ChoiceType, kernel, part
from fastmlp.kernels.layout import LINE_BYTES, share, values
from fastmlp.kernels.sparse import COLUMN, END, ENTRY, TOUCHED, lists_of
from fastmlp.kernels.tile import (
    STRIP,
    load,
    lowest_bit,
    matrix,
    outer,
    prefetch_at_once,
    room_for,
    store,
    zeros,
)
from fastmlp.kernels.zeros import GROUP, NONE, ONE, WORD, group_bits_of

SGD, MOMENTUM, NESTEROV = map(Choice, ("sgd", "momentum", "nesterov"))
ADAM, ACCUMULATE, KEEP = map(Choice, ("adam", "accumulate", "keep"))
SLOTS = {SGD: 1, MOMENTUM: 2, NESTEROV: 2, ADAM: 3, ACCUMULATE: 2}
"""How many numbers each rule keeps for a weight, the weight among them."""
KEPT = 3
"""The slot of gradients that are kept to be clipped."""
# Of a minibatch's gradient, 128 rows of 4 vectors of 64 bytes are 32 KiB, which the first cache holds
BLOCK = 128
LARGE_BYTES = 1 << 19


class Descent(NamedTuple):
    """The numbers of an optimiser's step."""

    rate: float = 0.0
    decay: float = 0.0
    shrinkage: float = 0.0  # the share of a weight that goes each step, whatever its gradient
    momentum: float = 0.0  # of Adam: beta 1
    second_momentum: float = 0.0  # of Adam: beta 2
    epsilon: float = 0.0


FIRST, ROWS_OF_STEP, RATE, SHARE, DECAY, SHRINKAGE, SEED, COLUMNS = range(8)
"""The columns of ``steps`` (minibatches, COLUMNS) float64: what differs from step to step.

FIRST, ROWS_OF_STEP: where in the order of rows the minibatch starts, and how many rows it has. SHARE: what the loss of
one row counts.
"""


@part
def step_of(descent, steps, t):
    """Return the numbers of step t."""
    return _with(descent, steps[t, RATE], steps[t, DECAY], steps[t, SHRINKAGE])


@part
def for_biases(descent):
    """Return the same step for what does not decay."""
    return _with(descent, descent.rate, 0.0, 0.0)


@part
def without_decay(descent):
    """Return the same step for a gradient that holds the decay already."""
    return _with(descent, descent.rate, 0.0, descent.shrinkage)


@part
def _with(descent, rate, decay, shrinkage):
    return Descent(rate, decay, shrinkage, descent.momentum, descent.second_momentum, descent.epsilon)


def descend(rule, shape, gradient, panel, i, descent):
    """Apply the rule to the tile at row i of a panel, given the tile X^T G."""


def _sgd(rule, shape, gradient, panel, i, descent):
    W = values(panel, 0)
    store(load(shape, W, i, 0) * (1 - descent.rate * descent.decay) - gradient * descent.rate, W, i, 0)


def _momentum(rule, shape, gradient, panel, i, descent):
    W, V = values(panel, 0), values(panel, 1)
    w = load(shape, W, i, 0)
    v = load(shape, V, i, 0) * descent.momentum - (gradient + w * descent.decay) * descent.rate
    store(v, V, i, 0)
    store(w + v, W, i, 0)


def _nesterov(rule, shape, gradient, panel, i, descent):
    W, V = values(panel, 0), values(panel, 1)
    w = load(shape, W, i, 0)
    step = (gradient + w * descent.decay) * descent.rate
    v = load(shape, V, i, 0) * descent.momentum - step
    store(v, V, i, 0)
    store(w + v * descent.momentum - step, W, i, 0)


def _adam(rule, shape, gradient, panel, i, descent):
    W, M, V = values(panel, 0), values(panel, 1), values(panel, 2)
    w = load(shape, W, i, 0)
    dw = gradient + w * descent.decay
    m = load(shape, M, i, 0) * descent.momentum + dw * (1 - descent.momentum)
    v = load(shape, V, i, 0) * descent.second_momentum + dw * dw * (1 - descent.second_momentum)
    store(m, M, i, 0)
    store(v, V, i, 0)
    kept = w * (1 - descent.shrinkage)
    store(kept - m * descent.rate * reciprocal(root(v) + descent.epsilon), W, i, 0)


def _accumulate(rule, shape, gradient, panel, i, descent):
    V = values(panel, 1)
    store(load(shape, V, i, 0) + gradient * descent.rate, V, i, 0)


def _keep(rule, shape, gradient, panel, i, descent):
    W = values(panel, 0)
    store(gradient + load(shape, W, i, 0) * descent.decay, values(panel, KEPT), i, 0)


_RULES = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "accumulate": _accumulate,
    "keep": _keep,
}


@overload(descend)
def _descend(rule, shape, gradient, panel, i, descent):
    if isinstance(rule, ChoiceType):
        return _RULES[rule.choice.name]
    return None


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


@kernel
def update(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """Apply the rule to rows first..last of a panel of weights, with the gradient ``X[:depth].T G[:depth, j:]``.

    shape: of the tiles, with the panel's vectors; first, last: multiples of its rows
    inputs: with X (>= depth, >= last) the layer's inputs; G: (>= depth, >= j + width) the gradient of Z
    panel: weights (rows >= last, width), overlapping neither
    """
    XT = inputs.X.T
    for i in range(first, last, shape.rows):
        dW = zeros(shape, G)
        for k in range(depth):
            dW = outer(dW, XT, i, k, G, k, j)
        descend(rule, shape, dW, panel, i, descent)


@part
def _add_products(shape, dW, XT, i, G, j, begin, end):
    """Return ``dW + XT[i : i + rows, begin:end] G[begin:end, j : j + width]``.

    Some tiles one below the other share the cache lines of X that they read, one for each k. A processor does not
    foresee that many lines, far from one another, so each of those tiles asks for its share of the lines that follow.
    """
    line = LINE_BYTES // XT.itemsize
    sharing = line // shape.rows
    first, last = share(end - begin, i // shape.rows % sharing, sharing)
    asking = begin + last - first
    for k in range(begin, asking):
        prefetch_at_once(XT, i + line, k + first)
        dW = outer(dW, XT, i, k, G, k, j)
    for k in range(asking, end):
        dW = outer(dW, XT, i, k, G, k, j)
    return dW


@kernel
def update_large(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update``, for minibatches that are more than caches hold (``is_large``).

    A block of G's rows, which the first cache holds, meets a strip of inputs before the next block does, and the lines
    of X are asked for. Small minibatches would lose a tenth by it.
    """
    XT, sums = inputs.X.T, room_for(shape.strip, G)
    blocks = (depth + BLOCK - 1) // BLOCK
    for start in range(first, last, STRIP):
        for block in range(blocks):
            begin, end = share(depth, block, blocks)
            for i in range(start, min(start + STRIP, last), shape.rows):
                dW = load(shape, sums, i - start, 0) if block else zeros(shape, G)
                dW = _add_products(shape, dW, XT, i, G, j, begin, end)
                if block < blocks - 1:
                    store(dW, sums, i - start, 0)
                else:
                    descend(rule, shape, dW, panel, i, descent)


def is_large(rows: int, inputs: int, dtype) -> bool:
    """Tell whether minibatches of so many rows are for ``update_large``."""
    return rows > BLOCK or rows * inputs * np.dtype(dtype).itemsize > LARGE_BYTES


@kernel
def update_nonzero(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update``, visiting only the rows that ``kernels.zeros`` has marked."""
    XT, bits_of = inputs.X.T, group_bits_of(inputs)
    for i in range(first, last, GROUP):
        dW = zeros(shape, G)
        for word in range((depth + WORD - 1) // WORD):
            bits = bits_of[word, i // GROUP]
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


@kernel
def apply_kept(shape, rule, panel, factor, descent):
    """Apply the rule to a panel with ``factor`` times the gradient that KEEP has kept; shape: one row of the panel.

    descent: with no decay, which the gradient holds already
    """
    kept = values(panel, KEPT)
    for i in range(kept.shape[0]):
        descend(rule, shape, load(shape, kept, i, 0) * factor, panel, i, descent)
