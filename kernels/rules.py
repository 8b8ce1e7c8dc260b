"""Optimisers' rules: what turns the tile of a gradient into new weights.

With dW = X^T G + decay W (decay is 2 * l2, or 0 for biases), rate r and momentum m:

    SGD         W -= r dW
    MOMENTUM    V = m V - r dW;  W += V
    NESTEROV    V = m V - r dW;  W += m V - r dW                (Sutskever et al., 2013, section 2, rearranged)
    ADAM        M = m M + dW;  V = v V + dW^2;  W = (1 - s) W - r M / (sqrt(V) + epsilon)
                                                                (Kingma and Ba, 2015, end of section 2: what makes
                                                                averages of the sums M and V is in r and epsilon; s,
                                                                the shrinkage, is what Loshchilov and Hutter, 2019,
                                                                decouple: AdamW)
    ACCUMULATE  V += r X^T G;  W stays                          (a gradient to look at, a sum over minibatches)
    KEEP        V = dW;  W stays                                (a gradient that something is done to first)
    KEEP_PART   V = X^T G;  W stays                             (what others are added to before weights decay)
"""

from typing import NamedTuple

from numba.extending import overload

from fastmlp.kernels.elementary import quotient, root
from fastmlp.kernels.jit import Choice, ChoiceType, part
from fastmlp.kernels.layout import values
from fastmlp.kernels.tile import fused, load, room_for, store

SGD, MOMENTUM, NESTEROV = map(Choice, ("sgd", "momentum", "nesterov"))
ADAM, ACCUMULATE, KEEP, KEEP_PART = map(Choice, ("adam", "accumulate", "keep", "keep part"))
SLOTS = {SGD: 1, MOMENTUM: 2, NESTEROV: 2, ADAM: 3, ACCUMULATE: 2}
"""How many numbers each rule keeps for a weight, the weight among them."""
KEPT = 3
"""The first slot that no rule uses: of gradients that are kept, one slot for each part of a minibatch."""


class Descent(NamedTuple):
    """The numbers of an optimiser's step."""

    rate: float = 0.0
    decay: float = 0.0
    shrinkage: float = 0.0  # the share of a weight that goes each step, whatever its gradient
    momentum: float = 0.0  # of Adam: beta 1
    second_momentum: float = 0.0  # of Adam: beta 2
    epsilon: float = 0.0  # as the rate, with what makes averages of sums (fastmlp.adam)


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
def with_decay(descent, decay):
    """Return the same step with another decay, such as none for a gradient that holds it already."""
    return _with(descent, descent.rate, decay, descent.shrinkage)


@part
def _with(descent, rate, decay, shrinkage):
    return Descent(rate, decay, shrinkage, descent.momentum, descent.second_momentum, descent.epsilon)


def descend_row(rule, shape, gradient, panel, i, descent):
    """Apply the rule to row i of a panel, given that row (1, width) of X^T G; shape: one row of the panel."""


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
    dw = fused(w, descent.decay, gradient)
    m = fused(load(shape, M, i, 0), descent.momentum, dw)
    v = fused(load(shape, V, i, 0), descent.second_momentum, dw * dw)
    store(m, M, i, 0)
    store(v, V, i, 0)
    kept = w * (1 - descent.shrinkage)
    store(fused(quotient(m, root(v) + descent.epsilon), -descent.rate, kept), W, i, 0)


def _accumulate(rule, shape, gradient, panel, i, descent):
    V = values(panel, 1)
    store(load(shape, V, i, 0) + gradient * descent.rate, V, i, 0)


def _keep(rule, shape, gradient, panel, i, descent):
    W, V = values(panel, 0), values(panel, 1)
    store(gradient + load(shape, W, i, 0) * descent.decay, V, i, 0)


def _keep_part(rule, shape, gradient, panel, i, descent):
    store(gradient, values(panel, 1), i, 0)


_RULES = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "accumulate": _accumulate,
    "keep": _keep,
    "keep part": _keep_part,
}


@overload(descend_row)
def _descend_row(rule, shape, gradient, panel, i, descent):
    if isinstance(rule, ChoiceType):
        return _RULES[rule.choice.name]
    return None


@part
def descend(rule, shape, gradient, panel, i, descent):
    """Apply the rule to the tile at row i of a panel (rows, width), given that tile of X^T G; shape: the tile's.

    Row by row: what rules compute of a whole tile at once are more numbers than there are registers.
    """
    rows = room_for(shape, panel.buffer)
    store(gradient, rows, 0, 0)
    for r in range(shape.rows):
        descend_row(rule, shape.row, load(shape.row, rows, r, 0), panel, i + r, descent)
