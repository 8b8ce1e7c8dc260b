"""Bytes times float64 on the matrix unit: ``affine`` and ``update`` by digits (kernels.digits), for kernels.split.

Each number becomes eight, in as many right operands.
"""

from fastmlp.kernels.amx import SIDE, Left, add_products_of_bytes, clear_sums, start_unit, stop_unit, store_sums
from fastmlp.kernels.byte_tiles import STRIP, tiles_of
from fastmlp.kernels.digits import (
    APART,
    DEPTH,
    DIGITS,
    QUAD,
    last_digits_in_one,
    load_from_digits,
    rows_of_quad,
    store_digits,
    worth_of_columns,
)
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.layout import Panel
from fastmlp.kernels.matmul import finish
from fastmlp.kernels.rules import descend
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.tile import load_row, store
from fastmlp.kernels.views import lanes_of

_FOUR_TILES = Shape(4 * SIDE, 1)


@part
def _split(M, begin, end, j, last, tiles):
    """Write ``M[begin:end, j : j + SIDE]`` as right operands, one digit after another, and what digits are worth.

    last: where a register begins at the latest. What is left of the last operands may hold anything.
    """
    worth = worth_of_columns(M, begin, end, j, last)
    per_one, count = last_digits_in_one(worth), (end - begin + DEPTH - 1) // DEPTH
    for k in range(begin, end, QUAD):
        rows = rows_of_quad(M, k, end, j, last)
        store_digits(rows, per_one, tiles.S, (k - begin) // DEPTH, count, (k - begin) % DEPTH // QUAD)
    store(worth, tiles.worth, 0, 0)


@part
def _multiply(tiles, left):
    """Let sums be L S for the left operands L of a strip."""
    for p in range(0, DIGITS, 2):
        clear_sums(_FOUR_TILES)
        for k in range(left.count):
            s = p * left.count + k
            add_products_of_bytes(left.X, left.x + k, left.step, tiles.S, s, s + left.count)
        store_sums(_FOUR_TILES, tiles.sums, p * STRIP)


@part
def _product(shape, like, tiles, i, u):
    """Return what was multiplied, of a strip's rows from the i-th on, of columns from the u-th on."""
    worth = load_row(shape, tiles.worth, 0, u) * tiles.scale[0, 0]
    return load_from_digits(shape, like, APART, tiles.sums, STRIP, i, u) * worth


@kernel
def affine_digits(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine``, of bytes; shape: some rows of one vector; first: a multiple of 2 SIDE, begin: of DEPTH."""
    tiles, lanes, count = tiles_of(inputs), lanes_of(W), (end - begin + DEPTH - 1) // DEPTH
    start_unit()
    for v in range(0, W.shape[1], SIDE):
        _split(W, begin, end, v, W.shape[1] - lanes, tiles)
        for start in range(first, last, STRIP):
            rows, x = min(STRIP, last - start), start // SIDE * tiles.wide + begin // DEPTH
            _multiply(tiles, Left(tiles.X, x, tiles.wide, count))
            for u in range(v, min(v + SIDE, W.shape[1]), lanes):
                bias = load_row(shape, b, 0, u)
                for i in range(0, rows, shape.rows):
                    finish(choice, _product(shape, W, tiles, i, u - v) + bias, A, G, start + i, j + u)
    stop_unit()


@kernel
def update_digits(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update``, of bytes; shape: some rows of one vector; first: a multiple of 2 SIDE."""
    tiles, lanes, count = tiles_of(inputs), lanes_of(G), (depth + DEPTH - 1) // DEPTH
    start_unit()
    for v in range(0, panel.width, SIDE):
        _split(G, 0, depth, j + v, j + panel.width - lanes, tiles)
        for start in range(first, last, STRIP):
            rows, x = min(STRIP, last - start), start // SIDE * tiles.high
            _multiply(tiles, Left(tiles.XT, x, tiles.high, count))
            for u in range(v, min(v + SIDE, panel.width), lanes):
                columns = Panel(panel.buffer, panel.start + u, panel.rows, panel.width, panel.size)
                for i in range(0, rows, shape.rows):
                    descend(rule, shape, _product(shape, G, tiles, i, u - v), columns, start + i, descent)
    stop_unit()
