"""Bytes times float32 by vectors: ``affine`` and ``update`` by digits (kernels.digits), for kernels.split.

Each number becomes three, in as many right operands, whose sums are in registers together.
"""

from fastmlp.kernels.amx import SIDE
from fastmlp.kernels.byte_rows import operands_of, split, split_gradient
from fastmlp.kernels.digits import DIGITS_OF_SINGLE, QUAD
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.layout import Panel
from fastmlp.kernels.matmul import claim_to_finish, finish
from fastmlp.kernels.rules import descend
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.tile import fused, load_row
from fastmlp.kernels.vnni import ROWS, in_first_digits, sums_of_products

_DIGITS = Shape(DIGITS_OF_SINGLE, 1)


@part
def _products(X, start, quad, depth, S, s):
    """Return the products of ROWS rows of a left operand, from a quad on, with right ones, in units of first digits."""
    return in_first_digits(sums_of_products(_DIGITS, X, start, quad, depth, S, s, DIGITS_OF_SINGLE))


@kernel
def affine_quads(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine``, of bytes; shape: ROWS x 1 registers; first: a multiple of ROWS, begin: of ROW_BYTES."""
    operands = operands_of(inputs)
    for v in range(0, W.shape[1], SIDE):
        split(W, begin, end, v, v, operands, 0, 0)
        worth, bias = load_row(shape, operands.worth, 0, 0) * operands.scale[0, 0], load_row(shape, b, 0, v)
        for i in range(first, last, ROWS):
            claim_to_finish(shape, choice, A, G, i, j + v)
            products = _products(operands.X, i, begin // QUAD, end - begin, operands.S, 0)
            finish(choice, fused(products, worth, bias), A, G, i, j + v)


@kernel
def update_quads(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update``, of bytes; shape: ROWS x 1 registers; first: a multiple of ROWS.

    Weights are visited row by row: a processor that reads on along them would take those of other members.
    """
    operands, vectors = operands_of(inputs), panel.width // SIDE
    step = split_gradient(G, j, panel.width, depth, operands)
    for k in range(first, last, ROWS):
        for v in range(vectors):
            worth = load_row(shape, operands.worth, v, 0) * operands.scale[0, 0]
            dW = _products(operands.XT, k, 0, depth, operands.S, v * step) * worth
            columns = Panel(panel.buffer, panel.start + v * SIDE, panel.rows, panel.width, panel.size)
            descend(rule, shape, dW, columns, k, descent)
