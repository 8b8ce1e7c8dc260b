"""Bytes, and floats as digits to the base 256: what is multiplied as bytes, by the matrix unit or by vectors.

Of n digits d, of the numbers x of a column, the first is worth u:

    x = u (d_0 + d_1 / 256 + ... + d_(n-1) / 256^(n-1)),   -128 <= d <= 127,

but for half of what the last one is worth. So bytes times floats are n products of bytes, whose sums are exact (Ootomo,
Ozaki and Yokota, 2024, multiply matrices so). What is left out counts beside the largest number of a column, not beside
each: unless all of the largest meet zeros,

- eight digits of a float64, or seven, are nearer to the exact products than fused multiply-adds are: u is a power of
  two that makes no bit of the largest get lost;
- three of a float32 are as near where many are added up, if no bit is wasted: u is a fraction of the largest.

On the matrix unit (kernels.amx) eight products take a quarter of the time of fused multiply-adds, half of it with all
that goes with them. By vectors (kernels.vnni) three take three quarters, and seven seven eighths.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.addresses import RowAddresses, index
from fastmlp.kernels.amx import HAS_AMX, ROW_BYTES, SIDE
from fastmlp.kernels.jit import Choice, call_llvm, part
from fastmlp.kernels.shape import VECTOR_BYTES
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
DIGITS, DIGITS_OF_SINGLE = 8 if HAS_AMX else 7, 3
"""Of a float64, and of a float32; the matrix unit multiplies by two of a float64 at a time."""
NUMBERS_OF_DIGITS = {32: DIGITS_OF_SINGLE, 64: DIGITS}
"""The same, of a float of so many bits."""
APART, IN_PAIRS = Choice("apart"), Choice("in pairs")
"""How sums of products are kept: those with each digit, or with two as one, in which the first's count 256 times."""

_BYTE = ir.IntType(8)
_WORDS = ir.VectorType(ir.IntType(32), SIDE)
_EXPONENT = 0x7FF << 52  # bits of a float64
_MOST = 127.25  # of the first digit: when those behind are rounded, it must not become 128
_LEAST = {32: 2.0**-100, 64: 2.0**-900}  # as which a smaller number counts as the largest of a column


def _row(dtype):
    """Return the type of a tile of SIDE numbers."""
    return TileType(1, SIDE * dtype.bitwidth // 8 // VECTOR_BYTES, dtype)


def _integers(row):
    """Return the type of a register's numbers as integers."""
    return ir.VectorType(ir.IntType(row.dtype.bitwidth), row.lanes)


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
def digits_of(typing_context, M):
    """``digits_of(M)``: how many digits a number of an array has, a constant."""

    def generate(context, builder, signature, arguments):
        return index(NUMBERS_OF_DIGITS[M.dtype.bitwidth])

    return types.intp(M), generate


@intrinsic
def load_side(typing_context, M, i, j, last):
    """``load_side(M, i, j, last)``: ``M[i, j : j + SIDE]``, a tile of one row.

    last: where a register begins at the latest, so that nothing is read behind the last column of a panel
    """
    row = _row(M.dtype)

    def generate(context, builder, signature, arguments):
        matrix, (_, i, j, last) = RowAddresses(context, builder, M, arguments[0]), arguments
        registers = []
        for v in range(row.vectors):
            column = builder.add(j, index(v * row.lanes))
            column = builder.select(builder.icmp_signed("<", column, last), column, last)
            registers.append(load_many(builder, matrix.address(i, column), row.vector.element, row.lanes))
        return build(builder, context, row, registers)

    return row(M, types.intp, types.intp, types.intp), generate


@intrinsic
def larger(typing_context, x, y):
    """``larger(x, y)``: the larger magnitudes; what is not a number is larger than any that is."""

    def generate(context, builder, signature, arguments):
        integers = _integers(x)
        found, no_sign = [], filled(integers, (1 << x.dtype.bitwidth - 1) - 1)
        for pair in zip(*(registers_of(builder, x, value) for value in arguments), strict=True):
            p, q = (builder.and_(builder.bitcast(register, integers), no_sign) for register in pair)
            found.append(builder.bitcast(builder.select(builder.icmp_unsigned(">", p, q), p, q), x.vector))
        return build(builder, context, x, found)

    return x(x, x), generate


@intrinsic
def worth_of(typing_context, largest):
    """``worth_of(largest)``: what 1 as the first digit stands for, NaN where a largest number is not finite.

    largest: the largest magnitude of each column
    """
    bits, vector, integers = largest.dtype.bitwidth, largest.vector, _integers(largest)

    def worth(builder, register):
        if bits == 32:
            return builder.fmul(register, filled(vector, 1 / _MOST))
        power = builder.and_(builder.bitcast(register, integers), filled(integers, _EXPONENT))
        return builder.fmul(builder.bitcast(power, vector), filled(vector, 2.0**-5))

    def generate(context, builder, signature, arguments):
        found, least = [], filled(vector, _LEAST[bits])
        for register in registers_of(builder, largest, arguments[0]):
            enough = builder.select(builder.fcmp_ordered("<", register, least), least, register)
            zero_or_nan = builder.fsub(enough, enough)
            found.append(builder.fadd(worth(builder, enough), zero_or_nan))
        return build(builder, context, largest, found)

    return largest(largest), generate


@intrinsic
def last_digits_in_one(typing_context, worth):
    """``last_digits_in_one(worth)``: how many times what 1 as the last digit stands for goes into 1."""

    def generate(context, builder, signature, arguments):
        first_in_last = filled(worth.vector, 256.0 ** (NUMBERS_OF_DIGITS[worth.dtype.bitwidth] - 1))
        found = [builder.fdiv(first_in_last, register) for register in registers_of(builder, worth, arguments[0])]
        return build(builder, context, worth, found)

    return worth(worth), generate


@intrinsic
def store_digits(typing_context, rows, per_one, S, s, step, quad):
    """``store_digits(rows, per_one, S, s, step, quad)``: the digits of four rows become rows of right operands.

    rows: a tuple of four tiles; per_one: what ``last_digits_in_one`` returns
    S: (operands, bytes) uint8, first digits being those of operand s, the next ones of that step behind it
    quad: which four rows of these operands
    """
    row = per_one

    def generate(context, builder, signature, arguments):
        rows, per_one, tiles, s, step, quad = arguments
        words = [_digits_in_words(builder, row, numbers, per_one) for numbers in cgutils.unpack_tuple(builder, rows)]
        lowest_first = [digit for four in zip(*words, strict=True) for digit in _bytes_of(builder, four)]
        tiles = RowAddresses(context, builder, S, tiles)
        for digit in reversed(lowest_first[: NUMBERS_OF_DIGITS[row.dtype.bitwidth]]):
            store_many(builder, digit, tiles.address(s, builder.mul(quad, index(ROW_BYTES))), ROW_BYTES)
            s = builder.add(s, step)
        return context.get_dummy_value()

    return types.void(rows, row, S, types.intp, types.intp, types.intp), generate


def _digits_in_words(builder, row, numbers, per_one):
    """Return the digits of a row in one or two rows of words, the lower ones first."""
    bits, integers = row.dtype.bitwidth, _integers(row)
    # adding 128 to each digit but the first makes bytes without a sign of them, flipping its bit takes it away again
    shift = filled(integers, sum(128 * 256**p for p in range(NUMBERS_OF_DIGITS[bits] - 1)))
    found = []
    for x, factor in zip(*(registers_of(builder, row, value) for value in (numbers, per_one)), strict=True):
        nearest = call_llvm(builder, f"llvm.rint.v{row.lanes}f{bits}", row.vector, builder.fmul(x, factor))
        count = builder.fptosi(nearest, integers)
        found.append(builder.bitcast(builder.xor(builder.add(count, shift), shift), _WORDS))
    orders = [_order(range(half, SIDE * row.vectors, row.vectors)) for half in range(row.vectors)]
    return [builder.shuffle_vector(found[0], found[-1], order) for order in orders]


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


@part
def worth_of_columns(M, begin, end, j, last):
    """Return what 1 as the first digit of ``M[begin:end, j : j + SIDE]`` stands for, in each column."""
    largest = load_side(M, begin, j, last)
    for k in range(begin, end):
        largest = larger(load_side(M, k, j, last), largest)
    return worth_of(largest)


@part
def rows_of_quad(M, k, end, j, last):
    """Return ``M[k : k + QUAD, j : j + SIDE]``, four tiles of one row; from row ``end`` on, the one before again."""
    return (
        load_side(M, k, j, last),
        load_side(M, min(k + 1, end - 1), j, last),
        load_side(M, min(k + 2, end - 1), j, last),
        load_side(M, min(k + 3, end - 1), j, last),
    )


# ---- sums ----


@intrinsic
def load_from_digits(typing_context, shape, like, how, sums, step, i, j):
    """``load_from_digits(shape, like, how, sums, step, i, j)``: a tile of products, in units of 1 as first digit.

    shape: some rows of one vector; like: of the floats that were split
    how: APART, or IN_PAIRS, counted from the last digit on
    sums: (rows, SIDE) int32, of first digits those from (i, j) on, of the next ones, or the next pair, ``step`` below
    """
    tile = tile_of(shape, like)

    def generate(context, builder, signature, arguments):
        _, _, _, matrix, step, i, j = arguments
        matrix, digits = RowAddresses(context, builder, sums, matrix), NUMBERS_OF_DIGITS[like.dtype.bitwidth]
        together = 2 if how.choice is IN_PAIRS else 1
        shrink, totals = filled(tile.vector, 256.0**-together), [None] * tile.count
        for p in reversed(range((digits + together - 1) // together)):
            for r, total in enumerate(totals):
                row = builder.add(builder.add(i, index(r)), builder.mul(step, index(p)))
                found = load_many(builder, matrix.address(row, j), ir.IntType(32), tile.lanes)
                found = builder.sitofp(found, tile.vector)
                totals[r] = found if total is None else multiply_add(builder, total, shrink, found)
        return build(builder, context, tile, totals)

    return tile(shape, like, how, sums, types.intp, types.intp, types.intp), generate
