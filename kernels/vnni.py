"""Sums of products of bytes by vectors: AVX-512's VNNI adds up those of four pairs in one instruction.

It multiplies four times as many bytes as a fused multiply-add does float32, eight times as many as float64. The left
operand's bytes have no sign, the right one's have, and lie as the matrix unit would read them (kernels.amx): quads of
each of 16 columns side by side.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.addresses import RowAddresses, index
from fastmlp.kernels.amx import ROW_BYTES, SIDE
from fastmlp.kernels.digits import QUAD
from fastmlp.kernels.jit import call_llvm, part
from fastmlp.kernels.shape import FEATURES
from fastmlp.kernels.tile import (
    TileType,
    build,
    filled,
    interleaved,
    load_many,
    load_some,
    multiply_add,
    registers_of,
    splat,
    store_many,
)

HAS_VNNI = {"avx512vnni", "avx512vbmi", "avx512bw", "avx512dq"} <= FEATURES and "amx-int8" not in FEATURES
"""Whether the processor has these instructions, and those that make operands of bytes, but no matrix unit."""
ROWS = 8
"""Of a left operand, whose sums with three digits the registers hold at the same time."""
AT_ONCE = 4
"""Quads of a row that are multiplied before it is asked whether these are all: LLVM unrolls fewer, and spills sums."""

MOST_IN_PAIRS = 256
"""So many products of bytes and digits, 256 times their sum, and that of as many others, are less than 2^31."""

_BYTE, _WORD = ir.IntType(8), ir.IntType(32)
_WORDS = ir.VectorType(_WORD, SIDE)


@intrinsic
def add_products(typing_context, sums, X, start, quad, S, s, step):
    """``add_products(sums, X, start, quad, S, s, step)``: add AT_ONCE quads' products to the sums of ROWS rows.

    sums: a tile of one register of int32 in each row: ROWS with one digit, ROWS with the next one, three at most
    X: uint8, of which the rows from ``start`` on, their quads from ``quad`` on, both multiples of as many. In an array
        (strips, parts, ROWS * ROW_BYTES) so many bytes of each row of a strip follow one another, in one (quads, bytes)
        the quads of all rows
    S: (..., ROW_BYTES) uint8, rows of right operands, from row s on: these digits of a quad, and of the next ``step``
        rows further on
    """
    rows = _InStrips if X.ndim == 3 else _Interleaved

    def generate(context, builder, signature, arguments):
        given, left, start, quad, right, s, step = arguments
        left, right = rows(context, builder, X, left, start, quad), RowAddresses(context, builder, S, right)
        found = registers_of(builder, sums, given)
        for q in range(AT_ONCE):
            first = right.address(builder.add(s, builder.mul(step, index(q))), index(0))
            places = [builder.gep(first, [index(p * ROW_BYTES)]) for p in range(sums.rows // ROWS)]
            columns = [load_many(builder, place, _WORD, SIDE) for place in places]
            for r in range(ROWS):
                row = _everywhere(builder, left.address_of(r, q))
                for n, column in zip(range(r, sums.rows, ROWS), columns, strict=True):
                    found[n] = call_llvm(builder, "llvm.x86.avx512.vpdpbusd.512", _WORDS, found[n], row, column)
        return build(builder, context, sums, found)

    return sums(sums, X, types.intp, types.intp, S, types.intp, types.intp), generate


@intrinsic
def no_sums(typing_context, digits):
    """``no_sums(digits)``: zeros, for ``add_products`` with some digits; digits: a Shape of so many rows."""
    sums = TileType(digits.rows * ROWS, 1, types.int32)
    return sums(digits), lambda context, builder, signature, arguments: ir.Constant(context.get_value_type(sums), None)


@part
def sums_of_products(digits, X, start, quad, depth, S, s, step):
    """Return sums of products of ROWS rows of X, from a quad on, with so many digits, in rows of S from s on.

    digits: a Shape of so many rows; the others: as for ``add_products``
    """
    sums = no_sums(digits)
    for n in range(0, (depth + QUAD - 1) // QUAD, AT_ONCE):
        sums = add_products(sums, X, start, quad + n, S, s + n * step, step)
    return sums


@intrinsic
def in_first_digits(typing_context, sums):
    """``in_first_digits(sums)``: what sums stand for, in units of what 1 as the first digit does: ROWS x 1 float32."""
    products = TileType(ROWS, 1, types.float32)

    def generate(context, builder, signature, arguments):
        found = registers_of(builder, sums, arguments[0])
        shrink, totals = filled(products.vector, 1 / 256), [ir.Constant(products.vector, None)] * ROWS
        for n, digit in reversed(list(enumerate(found))):
            row = n % ROWS
            totals[row] = multiply_add(builder, totals[row], shrink, builder.sitofp(digit, products.vector))
        return build(builder, context, products, totals)

    return products(sums), generate


@intrinsic
def last_two_as_one(typing_context, sums):
    """``last_two_as_one(sums)``: the same, but for those of the last two digits, which are added up.

    The first one's count 256 times as much; no more than MOST_IN_PAIRS numbers were added up in each.
    """
    result = TileType(sums.rows - ROWS, 1, types.int32)

    def generate(context, builder, signature, arguments):
        *found, lower = (registers_of(builder, sums, arguments[0])[p : p + ROWS] for p in range(0, sums.rows, ROWS))
        bits = filled(_WORDS, 8)
        found[-1] = [builder.add(builder.shl(a, bits), b) for a, b in zip(found[-1], lower, strict=True)]
        return build(builder, context, result, [register for digit in found for register in digit])

    return result(sums), generate


class _InStrips:
    """Where the quads of some rows lie in an array of strips."""

    def __init__(self, context, builder, array_type, value, start, quad):
        self.builder, array = builder, RowAddresses(context, builder, array_type, value)
        part, within = (f(quad, index(ROW_BYTES // QUAD)) for f in (builder.sdiv, builder.srem))
        whole = builder.add(builder.mul(builder.sdiv(start, index(ROWS)), array.shape[1]), part)
        offset = builder.add(builder.mul(whole, array.shape[2]), builder.mul(within, index(QUAD)))
        self.first = builder.gep(array.data, [offset])

    def address_of(self, row, quad):
        """Return where a quad of a row lies, both counted from the first."""
        return self.builder.gep(self.first, [index(row * ROW_BYTES + quad * QUAD)])


class _Interleaved:
    """Where they lie in an array of quads."""

    def __init__(self, context, builder, array_type, value, start, quad):
        self.builder, self.array = builder, RowAddresses(context, builder, array_type, value)
        self.quad, self.column = quad, builder.mul(start, index(QUAD))

    def address_of(self, row, quad):
        """Return where a quad of a row lies, both counted from the first."""
        first = self.array.address(self.builder.add(self.quad, index(quad)), self.column)
        return self.builder.gep(first, [index(row * QUAD)])


def _everywhere(builder, address):
    """Return a register of the four bytes at an address, over and over."""
    word = builder.load(builder.bitcast(address, _WORD.as_pointer()))
    word.align = QUAD
    return splat(builder, _WORDS, word)


@intrinsic
def copy_quads(typing_context, M, rows, k, masks, X, r, XT):
    """``copy_quads(M, rows, k, masks, X, r, XT)``: ``M[rows, k : k + ROW_BYTES]`` become rows from r on of X, and XT.

    M: (rows, columns) uint8; rows: a tuple of QUAD row numbers; masks: of as many uint64, a bit for each byte of a row;
    where it is 0 nothing is read, and 0 is written; k: a multiple of ROW_BYTES; r: of QUAD
    X: (strips, parts, ROWS * ROW_BYTES); XT: (quads, bytes), columns of M being its rows
    """

    def generate(context, builder, signature, arguments):
        source, rows, k, masks, left, r, turned = arguments
        source, turned = RowAddresses(context, builder, M, source), RowAddresses(context, builder, XT, turned)
        pairs = zip(*(cgutils.unpack_tuple(builder, given) for given in (rows, masks)), strict=True)
        found = [load_some(builder, source.address(row, k), _BYTE, ROW_BYTES, mask) for row, mask in pairs]
        row_of_strip = builder.mul(builder.srem(r, index(ROWS)), index(ROW_BYTES))
        strip = _InStrips(context, builder, X, left, r, builder.sdiv(k, index(QUAD))).first
        to_rows = builder.gep(strip, [row_of_strip])
        to_columns = turned.address(builder.sdiv(r, index(QUAD)), builder.mul(k, index(QUAD)))
        for numbers, first in ((found, to_rows), (interleaved(builder, found), to_columns)):
            for n, register in enumerate(numbers):
                store_many(builder, register, builder.gep(first, [index(n * ROW_BYTES)]), ROW_BYTES)
        return context.get_dummy_value()

    return types.void(M, rows, types.intp, masks, X, types.intp, XT), generate
