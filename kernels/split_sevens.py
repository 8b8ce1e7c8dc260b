"""Bytes times float64 by vectors: ``affine`` and ``update`` by digits (kernels.digits), for kernels.split.

Each number becomes seven, in as many right operands. Sums with three of them, two and two fill the registers in turn.
Making floats of them takes as long as an eighth of the products of 128 rows: in pairs it is half of that.
"""

from numba.extending import overload

from fastmlp.kernels.amx import SIDE
from fastmlp.kernels.byte_rows import operands_of, split, split_gradient
from fastmlp.kernels.digits import APART, DIGITS, IN_PAIRS, QUAD, load_from_digits
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.layout import Panel
from fastmlp.kernels.matmul import claim_to_finish, finish
from fastmlp.kernels.rules import descend
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.tile import load_row, store
from fastmlp.kernels.views import lanes_of
from fastmlp.kernels.vnni import MOST_IN_PAIRS, ROWS, last_two_as_one, sums_of_products

_TWO, _THREE = Shape(2, 1), Shape(3, 1)  # digits


def _store_sums(how, sums, out, first):
    """Write sums of some digits, as ``how`` keeps them; first: the number of what is kept before them."""


def _apart(how, sums, out, first):
    store(sums, out, first * ROWS, 0)


def _in_pairs(how, sums, out, first):
    store(last_two_as_one(sums), out, (first + 1) // 2 * ROWS, 0)


@overload(_store_sums)
def _store(how, sums, out, first):
    return _in_pairs if how.choice is IN_PAIRS else _apart


@part
def _multiply(how, operands, X, start, quad, depth, s):
    """Let ``operands.sums`` be those of ROWS rows of X, from a quad on, with right operands in rows of S from s on."""
    S, sums = operands.S, operands.sums
    _store_sums(how, sums_of_products(_THREE, X, start, quad, depth, S, s, DIGITS), sums, 0)
    _store_sums(how, sums_of_products(_TWO, X, start, quad, depth, S, s + 3, DIGITS), sums, 3)
    _store_sums(how, sums_of_products(_TWO, X, start, quad, depth, S, s + 5, DIGITS), sums, 5)


@part
def _products(shape, like, how, operands, v, u):
    """Return what was multiplied, of columns from the u-th on."""
    worth = load_row(shape, operands.worth, v, u) * operands.scale[0, 0]
    return load_from_digits(shape, like, how, operands.sums, ROWS, 0, u) * worth


@kernel
def affine_sevens(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine``, of bytes; shape: ROWS x 1 registers; first: a multiple of ROWS, begin: of ROW_BYTES."""
    operands, lanes = operands_of(inputs), lanes_of(W)
    for v in range(0, W.shape[1], SIDE):
        split(W, begin, end, v, W.shape[1] - lanes, operands, 0, 0)
        for i in range(first, last, ROWS):
            _multiply(APART, operands, operands.X, i, begin // QUAD, end - begin, 0)
            for u in range(v, min(v + SIDE, W.shape[1]), lanes):
                claim_to_finish(shape, choice, A, G, i, j + u)
                bias = load_row(shape, b, 0, u)
                finish(choice, _products(shape, W, APART, operands, 0, u - v) + bias, A, G, i, j + u)


@part
def _update(how, shape, rule, operands, G, step, panel, rows, depth, descent):
    """Apply the rule to a range of rows of a panel of weights; step: what ``split_gradient`` has returned for G."""
    (first, last), lanes = rows, lanes_of(G)
    for k in range(first, last, ROWS):
        for v in range(0, panel.width, SIDE):
            _multiply(how, operands, operands.XT, k, 0, depth, v // SIDE * step)
            for u in range(v, min(v + SIDE, panel.width), lanes):
                dW = _products(shape, G, how, operands, v // SIDE, u - v)
                columns = Panel(panel.buffer, panel.start + u, panel.rows, panel.width, panel.size)
                descend(rule, shape, dW, columns, k, descent)


@kernel
def update_sevens(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update``, of bytes; shape: ROWS x 1 registers; first: a multiple of ROWS."""
    operands, rows = operands_of(inputs), (first, last)
    step = split_gradient(G, j, panel.width, depth, operands)
    if depth <= MOST_IN_PAIRS:
        _update(IN_PAIRS, shape, rule, operands, G, step, panel, rows, depth, descent)
    else:
        _update(APART, shape, rule, operands, G, step, panel, rows, depth, descent)
