"""What optimisers do to the weights of inputs that a minibatch does not touch, made up for later, exactly.

With the gradient X^T G being zero, a step of SGD, momentum or Nesterov is linear in a weight w and its momentum v:

    w <- a w + b v          SGD         a = 1 - r d
    v <- c w + e v          MOMENTUM    a = 1 - r d            b = m      c = -r d    e = m
                            NESTEROV    a = 1 - (1 + m) r d    b = m^2    c = -r d    e = m

(r the rate, m the momentum, and in r d, d the decay). Several steps are the product of their matrices: column s of the
matrix ``products`` (4, steps) holds a, b, c and e of all steps from s on, and each further step is multiplied to all of
them. Adam's step is not linear: it is simply done as often as it was missed, to weights that are in the cache.
"""

from numba.extending import overload

from fastmlp.kernels.jit import NOTHING, ChoiceType, call, kernel, part
from fastmlp.kernels.layout import panel_of, values, weights_of
from fastmlp.kernels.pieces import own_panels
from fastmlp.kernels.rules import descend, step_of
from fastmlp.kernels.sparse import COLUMN, SEEN, TOUCHED, lists_of
from fastmlp.kernels.tile import load, store, zeros


def multiply(rule, products, step, descent):
    """Multiply the matrix of a step to the products of all steps before it, and begin a new one with it."""


def make_up(rule, shape, panel, k, first, last, products, steps, descent):
    """Do steps first to last - 1 to row k of a panel, the gradient being that of the weight decay alone."""


# ---- SGD ----


def _multiply_sgd(rule, products, step, descent):
    a = 1.0 - descent.rate * descent.decay
    for s in range(step):
        products[0, s] *= a
    products[0, step] = a


def _make_up_sgd(rule, shape, panel, k, first, last, products, steps, descent):
    if products[0, first] == 1.0:
        return
    W = values(panel, 0)
    store(load(shape, W, k, 0) * products[0, first], W, k, 0)


# ---- momentum and Nesterov ----


@part
def _multiply_matrix(products, step, a, b, c, e):
    for s in range(step):
        w, v = products[0, s], products[2, s]
        products[0, s], products[2, s] = a * w + b * v, c * w + e * v
        w, v = products[1, s], products[3, s]
        products[1, s], products[3, s] = a * w + b * v, c * w + e * v
    products[0, step], products[1, step], products[2, step], products[3, step] = a, b, c, e


def _multiply_momentum(rule, products, step, descent):
    m, rd = descent.momentum, descent.rate * descent.decay
    _multiply_matrix(products, step, 1.0 - rd, m, -rd, m)


def _multiply_nesterov(rule, products, step, descent):
    m, rd = descent.momentum, descent.rate * descent.decay
    _multiply_matrix(products, step, 1.0 - (1.0 + m) * rd, m * m, -rd, m)


def _make_up_with_momentum(rule, shape, panel, k, first, last, products, steps, descent):
    W, V = values(panel, 0), values(panel, 1)
    w, v = load(shape, W, k, 0), load(shape, V, k, 0)
    store(w * products[0, first] + v * products[1, first], W, k, 0)
    store(w * products[2, first] + v * products[3, first], V, k, 0)


# ---- Adam ----


def _make_up_adam(rule, shape, panel, k, first, last, products, steps, descent):
    nothing = zeros(shape, panel.buffer)
    for step in range(first, last):
        descend(rule, shape, nothing, panel, k, step_of(descent, steps, step))


def _nothing_to_multiply(rule, products, step, descent):
    pass


def _nothing_to_make_up(rule, shape, panel, k, first, last, products, steps, descent):
    pass


_RULES = {
    "sgd": (_multiply_sgd, _make_up_sgd),
    "momentum": (_multiply_momentum, _make_up_with_momentum),
    "nesterov": (_multiply_nesterov, _make_up_with_momentum),
    "adam": (_nothing_to_multiply, _make_up_adam),
    "accumulate": (_nothing_to_multiply, _nothing_to_make_up),
    "keep": (_nothing_to_multiply, _nothing_to_make_up),  # its steps touch all weights
}


@overload(multiply)
def _multiply(rule, products, step, descent):
    if isinstance(rule, ChoiceType):
        return _RULES[rule.choice.name][0]
    return None


@overload(make_up)
def _make_up(rule, shape, panel, k, first, last, products, steps, descent):
    if isinstance(rule, ChoiceType):
        return _RULES[rule.choice.name][1]
    return None


@kernel
def make_up_panel(shape, rule, inputs, panel, steps, step, descent):
    """Bring a panel's weights of the columns that a minibatch touches up to date, for use in step number ``step``.

    shape: one row and the panel's vectors; inputs: sparse, linked; steps: (>= step, COLUMNS) float64, of all
    """
    lists = lists_of(inputs)
    for t in range(lists.sizes[0, TOUCHED]):
        seen = lists.touched[t, SEEN]
        if seen < step:
            make_up(rule, shape, panel, lists.touched[t, COLUMN], seen, step, lists.products, steps, descent)


@kernel
def catch_up(inputs, network, steps, step, member, descent):
    """Do as ``make_up_panel`` to all panels of this member."""
    layer = network.layers[0]
    first, last = own_panels(layer, member)
    for p in range(first, last):
        panel = panel_of(network, layer, p)
        call(panel.make_up, NOTHING, NOTHING, inputs, weights_of(network, layer, panel), steps, step, descent)


@kernel
def pass_step(rule, inputs, step, descent):
    """Let step number ``step`` pass for all weights that it does not touch: multiply it to the products."""
    multiply(rule, lists_of(inputs).products, step, descent)
