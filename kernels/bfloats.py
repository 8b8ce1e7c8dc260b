"""Bytes and float32 as bfloat16, operands of the matrix unit (kernels.amx).

A bfloat16 is a float32 without the last 16 of its 32 bits, which leaves 8 of the 24 bits that make it exact. A byte is
one as it is; a float32 is the sum of three, exactly (Henry, Tang and Heinecke, 2019, split both factors so). So bytes
times float32 are three products of the unit, exact ones, whose sums are rounded to float32 as all others are. The three
take a quarter of the time of fused multiply-adds.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.addresses import RowAddresses, index
from fastmlp.kernels.amx import PARTS, SIDE
from fastmlp.kernels.tile import TileType, build, converted, filled, load_some, registers_of, store_many, transposed

DEPTH = 32
"""Rows of a right operand, columns of a left one."""
TILE = SIDE * DEPTH
"""Numbers of an operand."""

_BYTE, _WORD, _BITS = ir.IntType(8), ir.VectorType(ir.IntType(16), SIDE), ir.VectorType(ir.IntType(32), SIDE)


def _as_bfloat16(builder, x):
    """Return a register of float32 without the bits that a bfloat16 does not have."""
    return builder.bitcast(builder.and_(builder.bitcast(x, _BITS), filled(_BITS, 0xFFFF0000)), x.type)


def _pairs(builder, low, high):
    """Return the pairs of two registers of float32 that are bfloat16."""
    low, high = builder.bitcast(low, _BITS), builder.bitcast(high, _BITS)
    return builder.or_(builder.lshr(low, filled(_BITS, 16)), high)


@intrinsic
def store_parts(typing_context, low, high, S, s, pair):
    """``store_parts(low, high, S, s, pair)``: two rows of float32 become a row of pairs of a right operand.

    low, high: tiles of one register; S: (tiles, TILE) uint16, the operand's three parts from tile s on
    """

    def generate(context, builder, signature, arguments):
        matrix = RowAddresses(context, builder, S, arguments[2])
        rest = [registers_of(builder, low, row)[0] for row in arguments[:2]]
        for p in range(PARTS):
            parts = [_as_bfloat16(builder, row) for row in rest]
            rest = [builder.fsub(row, part) for row, part in zip(rest, parts, strict=True)]
            place = matrix.address(builder.add(arguments[3], index(p)), builder.mul(arguments[4], index(DEPTH)))
            store_many(builder, _pairs(builder, *parts), place, 64)
        return context.get_dummy_value()

    return types.void(low, high, S, types.intp, types.intp), generate


@intrinsic
def load_pairs(typing_context, like, M, rows, k, mask):
    """``load_pairs(like, M, rows, k, mask)``: ``M[rows, k : k + SIDE]`` of bytes as pairs, (r, n) beside (r + 1, n).

    like: of float32; rows: (1, DEPTH) row numbers, anywhere in M; mask: uint64, a bit for each column; where it is 0
    nothing is read, and the number is 0. A tile of SIDE x 1 registers.
    """
    tile = TileType(SIDE, 1, like.dtype)

    def generate(context, builder, signature, arguments):
        matrix = RowAddresses(context, builder, M, arguments[1])
        numbers = RowAddresses(context, builder, rows, arguments[2])
        found = []
        for r in range(DEPTH):
            place = matrix.address(builder.load(numbers.address(index(0), index(r))), arguments[3])
            found.append(converted(builder, load_some(builder, place, _BYTE, SIDE, arguments[4]), tile.vector))
        pairs = [_pairs(builder, *found[r : r + 2]) for r in range(0, DEPTH, 2)]
        return build(builder, context, tile, [builder.bitcast(pair, tile.vector) for pair in pairs])

    return tile(like, M, rows, types.intp, types.uint64), generate


@intrinsic
def store_rows(typing_context, pairs, X, x, step, k):
    """``store_rows(pairs, X, x, step, k)``: pairs become columns k to k + SIDE of left operands x and x + step.

    pairs: what ``load_pairs`` returns; X: (tiles, TILE) uint16
    """

    def generate(context, builder, signature, arguments):
        matrix = RowAddresses(context, builder, X, arguments[1])
        tiles = [matrix.address(x, arguments[4]) for x in (arguments[2], builder.add(arguments[2], arguments[3]))]
        for pair, register in enumerate(registers_of(builder, pairs, arguments[0])):
            low = builder.bitcast(register, _BITS)
            for r, numbers in enumerate((low, builder.lshr(low, filled(_BITS, 16))), 2 * pair):
                place = builder.gep(tiles[r // SIDE], [index(r % SIDE * DEPTH)])
                store_many(builder, builder.trunc(numbers, _WORD), place, 32)
        return context.get_dummy_value()

    return types.void(pairs, X, types.intp, types.intp, types.intp), generate


@intrinsic
def store_columns(typing_context, pairs, XT, x):
    """``store_columns(pairs, XT, x)``: the columns of pairs become the rows of left operand x.

    pairs: what ``load_pairs`` returns; XT: (tiles, TILE) uint16
    """

    def generate(context, builder, signature, arguments):
        matrix = RowAddresses(context, builder, XT, arguments[1])
        for n, column in enumerate(transposed(builder, registers_of(builder, pairs, arguments[0]))):
            store_many(builder, column, matrix.address(arguments[2], index(n * DEPTH)), 64)
        return context.get_dummy_value()

    return types.void(pairs, XT, types.intp), generate
