"""Bytes, and float64 as digits to the base 256, operands of the matrix unit (kernels.amx).

Of the numbers x of a column let 2^e be the largest power of two that one of them reaches. Then

    x = 2^(e - 5) (d_0 + d_1 / 256 + ... + d_7 / 256^7),   -128 <= d <= 127,

but for what is below 2^(e - 61). So bytes times float64 are eight products of the unit, whose sums are exact (Ootomo,
Ozaki and Yokota, 2024, multiply matrices so). They take a quarter of the time of fused multiply-adds, half of it with
all that goes with them, and are nearer to the exact products than those, unless all of the largest numbers of a column
meet zeros: what is left out counts beside the largest, not beside each.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.addresses import RowAddresses, index
from fastmlp.kernels.amx import ROW_BYTES, SIDE
from fastmlp.kernels.tile import (
    TileType,
    build,
    filled,
    load_many,
    load_some,
    multiply_add,
    registers_of,
    store_many,
    tile_of,
    transposed,
)

DEPTH = 64
"""Rows of a right operand, columns of a left one."""
TILE = SIDE * DEPTH
"""Bytes of an operand."""
QUAD = 4
"""Numbers of a column that lie side by side in a right operand."""
DIGITS = 8
"""Of a float64."""

_BYTE = ir.IntType(8)
_WORDS = ir.VectorType(ir.IntType(32), SIDE)
_ROW = TileType(1, 2, types.float64)  # SIDE numbers
_INTEGERS = ir.VectorType(ir.IntType(64), _ROW.lanes)
_ALL_BUT_SIGN, _EXPONENT = (1 << 63) - 1, 0x7FF << 52  # bits of a float64


def _order(places):
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))


# ---- left operands: bytes ----


@intrinsic
def copy_row(typing_context, M, i, k, mask, X, x, r):
    """``copy_row(M, i, k, mask, X, x, r)``: ``M[i, k : k + DEPTH]`` becomes row r of left operand x.

    M: (rows, columns) uint8; mask: uint64, a bit for each byte; where it is 0 nothing is read, and 0 is written
    X: (tiles, TILE) uint8
    """

    def generate(context, builder, signature, arguments):
        rows, i, k, mask, tiles, x, r = arguments
        rows, tiles = RowAddresses(context, builder, M, rows), RowAddresses(context, builder, X, tiles)
        numbers = load_some(builder, rows.address(i, k), _BYTE, DEPTH, mask)
        store_many(builder, numbers, tiles.address(x, builder.mul(r, index(DEPTH))), ROW_BYTES)
        return context.get_dummy_value()

    return types.void(M, types.intp, types.intp, types.uint64, X, types.intp, types.intp), generate


@intrinsic
def transpose_tiles(typing_context, X, x, step, k, XT, t):
    """``transpose_tiles(X, x, step, k, XT, t)``: columns k to k + SIDE of DEPTH rows become the rows of operand t.

    X: (tiles, TILE) uint8, the rows being those of operands x, x + step ...; XT: likewise
    """

    def generate(context, builder, signature, arguments):
        tiles, x, step, k, turned, t = arguments
        tiles, turned = RowAddresses(context, builder, X, tiles), RowAddresses(context, builder, XT, turned)
        quads = []
        for r in range(0, DEPTH, QUAD):
            first = tiles.address(builder.add(x, builder.mul(step, index(r // SIDE))), k)
            places = [builder.gep(first, [index((r + n) % SIDE * DEPTH)]) for n in range(QUAD)]
            quads.append(_as_quads(builder, [load_many(builder, place, _BYTE, SIDE) for place in places]))
        for n, column in enumerate(transposed(builder, quads)):
            store_many(builder, column, turned.address(t, index(n * DEPTH)), ROW_BYTES)
        return context.get_dummy_value()

    return types.void(X, types.intp, types.intp, types.intp, XT, types.intp), generate


def _as_quads(builder, rows):
    """Return four rows of bytes column after column, each column a word."""
    while len(rows) > 1:
        order = _order(range(2 * rows[0].type.count))
        rows = [builder.shuffle_vector(*rows[n : n + 2], order) for n in range(0, len(rows), 2)]
    order = _order([row * SIDE + column for column in range(SIDE) for row in range(QUAD)])
    return builder.bitcast(builder.shuffle_vector(*rows * 2, order), _WORDS)


# ---- right operands: digits ----


@intrinsic
def load_side(typing_context, M, i, j, last):
    """``load_side(M, i, j, last)``: ``M[i, j : j + SIDE]`` of float64, a tile of two registers.

    last: where a register begins at the latest, so that nothing is read behind the last column of a panel
    """

    def generate(context, builder, signature, arguments):
        matrix, (_, i, j, last) = RowAddresses(context, builder, M, arguments[0]), arguments
        registers = []
        for v in range(_ROW.vectors):
            column = builder.add(j, index(v * _ROW.lanes))
            column = builder.select(builder.icmp_signed("<", column, last), column, last)
            registers.append(load_many(builder, matrix.address(i, column), ir.DoubleType(), _ROW.lanes))
        return build(builder, context, _ROW, registers)

    return _ROW(M, types.intp, types.intp, types.intp), generate


@intrinsic
def larger(typing_context, x, y):
    """``larger(x, y)``: the larger magnitudes; what is not a number is larger than any that is."""

    def generate(context, builder, signature, arguments):
        found, no_sign = [], filled(_INTEGERS, _ALL_BUT_SIGN)
        for pair in zip(*(registers_of(builder, _ROW, value) for value in arguments), strict=True):
            p, q = (builder.and_(builder.bitcast(register, _INTEGERS), no_sign) for register in pair)
            found.append(builder.bitcast(builder.select(builder.icmp_unsigned(">", p, q), p, q), _ROW.vector))
        return build(builder, context, _ROW, found)

    return _ROW(_ROW, _ROW), generate


@intrinsic
def worth_of(typing_context, largest):
    """``worth_of(largest)``: what 1 as the first digit stands for, NaN where a largest number is not finite.

    largest: the largest magnitude of each column, which counts as if it were 2^-900 at least
    """

    def generate(context, builder, signature, arguments):
        found, least = [], filled(_ROW.vector, 2.0**-900)
        for register in registers_of(builder, _ROW, arguments[0]):
            bits = builder.and_(builder.bitcast(register, _INTEGERS), filled(_INTEGERS, _EXPONENT))
            power = builder.bitcast(bits, _ROW.vector)
            power = builder.select(builder.fcmp_ordered("<", power, least), least, power)
            zero_or_nan = builder.fsub(power, power)
            found.append(builder.fadd(builder.fmul(power, filled(_ROW.vector, 2.0**-5)), zero_or_nan))
        return build(builder, context, _ROW, found)

    return _ROW(_ROW), generate


@intrinsic
def last_digits_in_one(typing_context, worth):
    """``last_digits_in_one(worth)``: how many times what 1 as the last digit stands for goes into 1."""

    def generate(context, builder, signature, arguments):
        first_in_last = filled(_ROW.vector, 256.0 ** (DIGITS - 1))
        found = [builder.fdiv(first_in_last, register) for register in registers_of(builder, _ROW, arguments[0])]
        return build(builder, context, _ROW, found)

    return _ROW(_ROW), generate


@intrinsic
def store_digits(typing_context, rows, per_one, S, s, step, quad):
    """``store_digits(rows, per_one, S, s, step, quad)``: the digits of four rows become rows of right operands.

    rows: a tuple of four tiles; per_one: what ``last_digits_in_one`` returns
    S: (tiles, TILE) uint8, first digits being those of operand s, the next ones of that step behind it
    quad: which four rows of these operands
    """

    def generate(context, builder, signature, arguments):
        rows, per_one, tiles, s, step, quad = arguments
        words = [_digits_of(builder, row, per_one) for row in cgutils.unpack_tuple(builder, rows)]
        lowest_first = [digit for four in zip(*words, strict=True) for digit in _bytes_of(builder, four)]
        tiles = RowAddresses(context, builder, S, tiles)
        for digit in reversed(lowest_first):
            store_many(builder, digit, tiles.address(s, builder.mul(quad, index(ROW_BYTES))), ROW_BYTES)
            s = builder.add(s, step)
        return context.get_dummy_value()

    return types.void(rows, _ROW, S, types.intp, types.intp, types.intp), generate


def _digits_of(builder, row, per_one):
    """Return the digits of a row in two rows of words, the lower ones first."""
    # adding 128 to each digit but the first makes bytes without a sign of them, flipping its bit takes it away again
    shift = filled(_INTEGERS, sum(128 * 256**p for p in range(DIGITS - 1)))
    found = []
    for x, factor in zip(*(registers_of(builder, _ROW, value) for value in (row, per_one)), strict=True):
        count = builder.fptosi(builder.fmul(x, factor), _INTEGERS)
        found.append(builder.bitcast(builder.xor(builder.add(count, shift), shift), _WORDS))
    return [builder.shuffle_vector(*found, _order(range(half, 2 * SIDE, 2))) for half in (0, 1)]


def _bytes_of(builder, rows):
    """Return the lowest bytes of four rows of words as a row of quads, then the second lowest ones, and so on."""
    a, b, c, d = rows
    (a, c), (b, d) = (_exchange(builder, *pair, 16, 0x0000FFFF) for pair in ((a, c), (b, d)))
    (a, b), (c, d) = (_exchange(builder, *pair, 8, 0x00FF00FF) for pair in ((a, b), (c, d)))
    return [a, b, c, d]


def _exchange(builder, x, y, distance, keep):
    """Swap what x has behind the bits to keep, so far behind, for these bits of y."""
    keep, rest, distance = filled(_WORDS, keep), filled(_WORDS, keep ^ 0xFFFFFFFF), filled(_WORDS, distance)
    low = builder.or_(builder.and_(x, keep), builder.and_(builder.shl(y, distance), rest))
    high = builder.or_(builder.and_(builder.lshr(x, distance), keep), builder.and_(y, rest))
    return low, high


# ---- sums ----


@intrinsic
def load_from_digits(typing_context, shape, like, sums, i, j):
    """``load_from_digits(shape, like, sums, i, j)``: a tile of sums of products, in units of what 1 as first digit is.

    shape: some rows of one vector; like: of float64
    sums: (rows, SIDE) int32, as many rows for each digit; of first digits those from (i, j) on
    """
    tile = tile_of(shape, like)

    def generate(context, builder, signature, arguments):
        _, _, matrix, i, j = arguments
        matrix, shrink = RowAddresses(context, builder, sums, matrix), filled(tile.vector, 1 / 256)
        step = builder.udiv(matrix.shape[0], index(DIGITS))
        totals = [ir.Constant(tile.vector, None)] * tile.count
        for p in reversed(range(DIGITS)):
            for r, total in enumerate(totals):
                row = builder.add(builder.add(i, index(r)), builder.mul(step, index(p)))
                place = matrix.address(row, j)
                digit = builder.sitofp(load_many(builder, place, ir.IntType(32), tile.lanes), tile.vector)
                totals[r] = multiply_add(builder, total, shrink, digit)
        return build(builder, context, tile, totals)

    return tile(shape, like, sums, types.intp, types.intp), generate
