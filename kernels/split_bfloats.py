"""Bytes times float32 on the matrix unit: ``affine`` and ``update`` by bfloat16 (kernels.bfloats), for kernels.split.

Each number becomes three, in as many right operands.
"""

from numba.extending import overload

from fastmlp.kernels.amx import (
    PARTS,
    SIDE,
    Left,
    add_products,
    clear_sums,
    load_sums,
    start_unit,
    stop_unit,
    store_sums,
)
from fastmlp.kernels.bfloat_tiles import AT_ONCE, MOST_STRIPS, STRIP, tiles_of
from fastmlp.kernels.bfloats import DEPTH, store_parts
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.layout import Panel
from fastmlp.kernels.matmul import finish
from fastmlp.kernels.rules import ADAM, descend
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.tile import fused, load, load_row, zeros

_ROW, _TWO_TILES, _FOUR_TILES = Shape(1, 1), Shape(2 * SIDE, 1), Shape(4 * SIDE, 1)


@part
def _split(M, begin, end, j, S):
    """Write ``M[begin:end, j : j + SIDE]`` to S as the parts of right operands, and zeros behind it."""
    whole, s = begin + (end - begin) // DEPTH * DEPTH, 0
    for first in range(begin, whole, DEPTH):
        for pair in range(DEPTH // 2):
            k = first + 2 * pair
            store_parts(load(_ROW, M, k, j), load(_ROW, M, k + 1, j), S, s, pair)
        s += PARTS
    if whole < end:
        for pair in range(DEPTH // 2):
            k = whole + 2 * pair
            low = load(_ROW, M, k, j) if k < end else zeros(_ROW, M)
            high = load(_ROW, M, k + 1, j) if k + 1 < end else zeros(_ROW, M)
            store_parts(low, high, S, s, pair)


@part
def _add_to(shape, sums, i, left, S, goes_on):
    """``sums[i : i + shape.rows] += L S`` for the left operands L of these rows; or ``=``, if it does not go on."""
    if goes_on:
        load_sums(shape, sums, i)
    else:
        clear_sums(shape)
    x = left.x + i // SIDE * left.step
    for k in range(left.count):
        add_products(shape, left.X, x + k, left.step, S, k * PARTS)
    store_sums(shape, sums, i)


@part
def _multiply(sums, rows, left, S, goes_on):
    """As ``_add_to``, for ``sums[:rows]`` (rows, SIDE), and what fills up the last 2 or 4 tiles."""
    for i in range(0, rows, STRIP):
        if rows - i > 2 * SIDE:
            _add_to(_FOUR_TILES, sums, i, left, S, goes_on)
        else:
            _add_to(_TWO_TILES, sums, i, left, S, goes_on)


@kernel
def affine_bfloats(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine``, of bytes; shape: some rows of one vector; first, begin: multiples of DEPTH.

    Few right operands at a time are split and multiplied: the first cache holds them.
    """
    tiles = tiles_of(inputs)
    start_unit()
    for v in range(0, W.shape[1], SIDE):
        for k in range(begin, end, AT_ONCE * DEPTH):
            stop = min(k + AT_ONCE * DEPTH, end)
            x, count = first // SIDE * tiles.wide + k // DEPTH, (stop - k + DEPTH - 1) // DEPTH
            _split(W, k, stop, v, tiles.S)
            _multiply(tiles.sums, last - first, Left(tiles.X, x, tiles.wide, count), tiles.S, k > begin)
        bias = load_row(shape, b, 0, v)
        for i in range(first, last, shape.rows):
            Z = fused(load(shape, tiles.sums, i - first, 0), tiles.scale[0, 0], bias)
            finish(choice, Z, A, G, i, j + v)
    stop_unit()


def strips_at_once(rule):
    """How many strips of weights get their sums before the rule is applied to them."""


@overload(strips_at_once)
def _strips_at_once(rule):
    # what writes much holds up the tiles that are read after it; what writes little had better find its sums at hand
    count = MOST_STRIPS if rule.choice is ADAM else 1
    return lambda rule: count


@kernel
def update_bfloats(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update``, of bytes; shape: some rows of one vector; first: a multiple of DEPTH."""
    tiles, count, at_once = tiles_of(inputs), (depth + DEPTH - 1) // DEPTH, strips_at_once(rule) * STRIP
    start_unit()
    for v in range(0, panel.width, SIDE):
        columns = Panel(panel.buffer, panel.start + v, panel.rows, panel.width, panel.size)
        _split(G, 0, depth, j + v, tiles.S)
        for start in range(first, last, at_once):
            rows, x = min(at_once, last - start), start // SIDE * tiles.high
            _multiply(tiles.sums, rows, Left(tiles.XT, x, tiles.high, count), tiles.S, False)
            for i in range(0, rows, shape.rows):
                dW = load(shape, tiles.sums, i, 0) * tiles.scale[0, 0]
                descend(rule, shape, dW, columns, start + i, descent)
    stop_unit()
