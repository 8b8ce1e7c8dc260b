"""The matrix unit of processors with AMX: products of tiles of bfloat16, added up in float32.

A bfloat16 is a float32 without the last 16 of its 32 bits, which leaves 8 of the 24 bits that make it exact. A byte is
one as it is; a float32 is the sum of three, exactly (Henry, Tang and Heinecke, 2019, split both factors so). So bytes
times float32 are three products of the unit, exact ones, whose sums are rounded to float32 as all others are. The three
take a quarter of the time of fused multiply-adds.

A tile is 16 rows of 64 bytes. The left operand has 16 rows of 32 numbers. The right one has 32 rows of 16 numbers, of
which two at a time lie together, as pairs: number (k, n) beside (k + 1, n). The sums are 16 x 16.
"""

import ctypes
import sys

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.addresses import RowAddresses, index
from fastmlp.kernels.jit import call_llvm
from fastmlp.kernels.shape import FEATURES
from fastmlp.kernels.tile import TileType, build, converted, load_many, registers_of, transposed

SIDE, DEPTH = 16, 32
"""Rows and columns of sums, and how many products each is of."""
TILE = SIDE * DEPTH
"""Numbers of an operand."""
PARTS = 3
"""How many bfloat16 a float32 is the sum of."""

_BYTE, _WORD, _BITS = ir.IntType(8), ir.VectorType(ir.IntType(16), SIDE), ir.VectorType(ir.IntType(32), SIDE)
_LEFT, _RIGHT = 4, 5  # of 8 registers of tiles: the first four are sums, the last three the parts of a right operand


def _may_be_used() -> bool:
    """Ask Linux for the unit, which it gives to processes whose threads all have stacks large enough for signals."""
    if sys.platform != "linux" or not {"amx-tile", "amx-bf16", "avx512f"} <= FEATURES:
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18
    return ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0


HAS_AMX = _may_be_used()
"""Whether this process may use the unit. The processes that it forks may then, too."""


# ---- tiles ----


def _run(builder, instruction, *operands):
    call_llvm(builder, f"llvm.x86.{instruction}", ir.VoidType(), *operands)


def _register(number):
    return ir.Constant(_BYTE, number)


def _place(builder, matrix, i, j):
    """Return where number (i, j) of a matrix lies, as instructions on tiles take it."""
    return builder.bitcast(matrix.address(i, j), _BYTE.as_pointer())


@intrinsic
def start_unit(typing_context):
    """``start_unit()``: from now on this thread's registers of tiles are 16 x 64 bytes each."""

    def generate(context, builder, signature, arguments):
        palette = [1, *[0] * 15, *[64, 0] * 8, *[0] * 16, *[SIDE] * 8, *[0] * 8]
        constant = ir.Constant(ir.ArrayType(_BYTE, len(palette)), bytearray(palette))
        memory = cgutils.alloca_once_value(builder, constant)
        _run(builder, "ldtilecfg", builder.bitcast(memory, _BYTE.as_pointer()))
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def stop_unit(typing_context):
    """``stop_unit()``: nobody needs this thread's tiles any more, nor needs to save them."""

    def generate(context, builder, signature, arguments):
        _run(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def clear_sums(typing_context, shape):
    """``clear_sums(shape)``: let the sums be 0; shape: 16, 32, 48 or 64 rows of one vector."""

    def generate(context, builder, signature, arguments):
        for t in range(shape.rows // SIDE):
            _run(builder, "tilezero", _register(t))
        return context.get_dummy_value()

    return types.void(shape), generate


def _move_sums(shape, M, instruction):
    """Return what an intrinsic is to return that moves the sums from or to rows of a matrix (rows, SIDE) of float32."""

    def generate(context, builder, signature, arguments):
        matrix = RowAddresses(context, builder, M, arguments[1])
        row_bytes = index(4 * SIDE)
        for t in range(shape.rows // SIDE):
            place = _place(builder, matrix, builder.add(arguments[2], index(t * SIDE)), index(0))
            _run(builder, instruction, _register(t), place, row_bytes)
        return context.get_dummy_value()

    return types.void(shape, M, types.intp), generate


@intrinsic
def load_sums(typing_context, shape, M, i):
    """``load_sums(shape, M, i)``: let the sums be ``M[i : i + rows]``."""
    return _move_sums(shape, M, "tileloadd64")


@intrinsic
def store_sums(typing_context, shape, M, i):
    """``store_sums(shape, M, i)``: ``M[i : i + rows]`` becomes the sums."""
    return _move_sums(shape, M, "tilestored64")


@intrinsic
def add_products(typing_context, shape, X, x, step, S, s):
    """``add_products(shape, X, x, step, S, s)``: add to the sums tiles x, x + step ... of X times a right operand.

    X: (tiles, TILE) uint16, left operands; S: likewise, with the three parts of the right one from tile s on
    """

    def generate(context, builder, signature, arguments):
        _, left, x, step, right, s = arguments
        left, right = RowAddresses(context, builder, X, left), RowAddresses(context, builder, S, right)
        row_bytes = index(2 * DEPTH)
        for p in range(PARTS):
            place = _place(builder, right, builder.add(s, index(p)), index(0))
            _run(builder, "tileloadd64", _register(_RIGHT + p), place, row_bytes)
        for t in range(shape.rows // SIDE):
            place = _place(builder, left, builder.add(x, builder.mul(step, index(t))), index(0))
            _run(builder, "tileloadd64", _register(_LEFT), place, row_bytes)
            for p in reversed(range(PARTS)):  # the smallest first
                _run(builder, "tdpbf16ps", _register(t), _register(_LEFT), _register(_RIGHT + p))
        return context.get_dummy_value()

    return types.void(shape, X, types.intp, types.intp, S, types.intp), generate


# ---- operands ----


def _all(number):
    return ir.Constant(_BITS, [number] * SIDE)


def _as_bfloat16(builder, x):
    """Return a register of float32 without the bits that a bfloat16 does not have."""
    return builder.bitcast(builder.and_(builder.bitcast(x, _BITS), _all(0xFFFF0000)), x.type)


def _pairs(builder, low, high):
    """Return the pairs of two registers of float32 that are bfloat16."""
    low, high = builder.bitcast(low, _BITS), builder.bitcast(high, _BITS)
    return builder.or_(builder.lshr(low, _all(16)), high)


def _store_row(builder, row, place, alignment):
    builder.store(row, builder.bitcast(place, row.type.as_pointer())).align = alignment


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
            _store_row(builder, _pairs(builder, *parts), place, 64)
        return context.get_dummy_value()

    return types.void(low, high, S, types.intp, types.intp), generate


@intrinsic
def load_pairs(typing_context, like, M, rows, k):
    """``load_pairs(like, M, rows, k)``: ``M[rows, k : k + SIDE]`` of bytes as pairs, (r, n) beside (r + 1, n).

    like: of float32; rows: (1, DEPTH) row numbers, anywhere in M. A tile of SIDE x 1 registers.
    """
    tile = TileType(SIDE, 1, like.dtype)

    def generate(context, builder, signature, arguments):
        matrix = RowAddresses(context, builder, M, arguments[1])
        numbers = RowAddresses(context, builder, rows, arguments[2])
        found = []
        for r in range(DEPTH):
            place = matrix.address(builder.load(numbers.address(index(0), index(r))), arguments[3])
            found.append(converted(builder, load_many(builder, place, _BYTE, SIDE), tile.vector))
        pairs = [_pairs(builder, *found[r : r + 2]) for r in range(0, DEPTH, 2)]
        return build(builder, context, tile, [builder.bitcast(pair, tile.vector) for pair in pairs])

    return tile(like, M, rows, types.intp), generate


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
            for r, numbers in enumerate((low, builder.lshr(low, _all(16))), 2 * pair):
                place = builder.gep(tiles[r // SIDE], [index(r % SIDE * DEPTH)])
                _store_row(builder, builder.trunc(numbers, _WORD), place, 32)
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
            _store_row(builder, column, matrix.address(arguments[2], index(n * DEPTH)), 64)
        return context.get_dummy_value()

    return types.void(pairs, XT, types.intp), generate
