"""What optimisers do to the weights of inputs that a minibatch does not touch, made up for later, exactly.

With the gradient X^T G being zero, a step of SGD, momentum or Nesterov is linear in a weight w and its momentum v:

    w <- a w + b v          SGD         a = 1 - r d
    v <- c w + d v          MOMENTUM    a = 1 - r d            b = m      c = -r d    d = m
                            NESTEROV    a = 1 - (1 + m) r d    b = m^2    c = -r d    d = m

(r the rate, m the momentum, and in r d, d the decay). Several steps are the product of their matrices, which a tree of
products over all steps gives in a number of multiplications that grows with the logarithm of theirs: the tree's leaves
are the steps, each inner node the product of its two children. Adam's step is not linear: it is simply done as often
as it was missed, while the weights are in registers' reach.
"""

import numpy as np
from numba.extending import overload

from fastmlp.kernels.jit import Choice, ChoiceType, kernel, part
from fastmlp.kernels.layout import values
from fastmlp.kernels.sparse import COLUMN, SEEN, TOUCHED, lists_of
from fastmlp.kernels.tile import load, store, zeros
from fastmlp.kernels.update import MOMENTUM, NESTEROV, SGD, Descent, descend, with_rate


def tree_of_steps(rule: Choice, rates: np.ndarray, descent: Descent) -> np.ndarray:
    """Return the products of the steps' matrices, (2 * leaves, 4) float64: a, b, c, d of each, the leaves last.

    Node n is the product of nodes 2 n + 1 and 2 n, the earlier steps being applied first. Rules that are not linear
    have no tree: (0, 4).
    """
    if rule not in (SGD, MOMENTUM, NESTEROV):
        return np.zeros((0, 4))
    leaves = 1 << max(0, len(rates) - 1).bit_length()
    tree = np.tile(np.eye(2), (2 * leaves, 1, 1))
    tree[leaves : leaves + len(rates)] = _matrices(rule, rates * descent.decay, descent.momentum)
    while leaves > 1:
        tree[leaves // 2 : leaves] = tree[leaves + 1 : 2 * leaves : 2] @ tree[leaves : 2 * leaves : 2]
        leaves //= 2
    return tree.reshape(-1, 4)


def _matrices(rule: Choice, decays: np.ndarray, momentum: float) -> np.ndarray:
    """Return the matrix [[a, b], [c, d]] of each step, (steps, 2, 2)."""
    steps = np.zeros((len(decays), 2, 2))
    steps[:, 0, 0] = 1 - decays
    if rule is not SGD:
        steps[:, 0, 1], steps[:, 1, 0], steps[:, 1, 1] = momentum, -decays, momentum
    if rule is NESTEROV:
        steps[:, 0, 0] -= momentum * decays
        steps[:, 0, 1] *= momentum
    return steps


@part
def _node(tree, n):
    return tree[n, 0], tree[n, 1], tree[n, 2], tree[n, 3]


@part
def _times(x, y):
    """Return the product of two matrices [[a, b], [c, d]]."""
    a, b, c, d = x
    p, q, r, s = y
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s


@part
def product_of_steps(tree, first, last):
    """Return the matrix (a, b, c, d) of steps first to last - 1, from the largest nodes that hold no other steps."""
    earlier, later = (1.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 1.0)
    lower, upper = first + tree.shape[0] // 2, last + tree.shape[0] // 2
    while lower < upper:
        if lower & 1:
            earlier = _times(_node(tree, lower), earlier)
            lower += 1
        if upper & 1:
            upper -= 1
            later = _times(later, _node(tree, upper))
        lower, upper = lower >> 1, upper >> 1
    return _times(later, earlier)


def make_up(rule, shape, panel, k, tree, rates, first, last, descent):
    """Do steps first to last - 1 to row k of a panel, the gradient being that of the weight decay alone."""


def _sgd(rule, shape, panel, k, tree, rates, first, last, descent):
    W = values(panel, 0)
    a, _, _, _ = product_of_steps(tree, first, last)
    store(load(shape, W, k, 0) * a, W, k, 0)


def _with_momentum(rule, shape, panel, k, tree, rates, first, last, descent):
    W, V = values(panel, 0), values(panel, 1)
    a, b, c, d = product_of_steps(tree, first, last)
    w, v = load(shape, W, k, 0), load(shape, V, k, 0)
    store(w * a + v * b, W, k, 0)
    store(w * c + v * d, V, k, 0)


def _adam(rule, shape, panel, k, tree, rates, first, last, descent):
    for step in range(first, last):
        nothing = zeros(shape, panel.buffer)
        descend(rule, shape, nothing, panel, k, with_rate(descent, rates[step], descent.decay))


def _accumulate(rule, shape, panel, k, tree, rates, first, last, descent):
    pass


_RULES = {
    "sgd": _sgd,
    "momentum": _with_momentum,
    "nesterov": _with_momentum,
    "adam": _adam,
    "accumulate": _accumulate,
}


@overload(make_up)
def _make_up(rule, shape, panel, k, tree, rates, first, last, descent):
    if isinstance(rule, ChoiceType):
        return _RULES[rule.choice.name]
    return None


@kernel
def catch_up(shape, rule, inputs, panel, tree, rates, step, descent):
    """Bring the weights of the columns that a minibatch touches up to date, for use in step number ``step``.

    shape: (1, the panel's vectors); inputs: sparse, linked; tree: of ``tree_of_steps``; rates: of the same steps
    """
    lists = lists_of(inputs)
    for t in range(lists.sizes[0, TOUCHED]):
        seen = lists.touched[t, SEEN]
        if seen < step:
            make_up(rule, shape, panel, lists.touched[t, COLUMN], tree, rates, seen, step, descent)
