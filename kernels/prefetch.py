"""Asking memory for cache lines before they are needed, and taking them from other cores."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.addresses import RowAddresses, addresses_in, index
from fastmlp.kernels.jit import call_llvm
from fastmlp.kernels.shape import BLOCK, LINE_BYTES
from fastmlp.kernels.tile import tile_of

_TO_READ, _TO_WRITE = 0, 1
_FIRST_LEVEL, _DATA = 3, 1  # of caches; not instructions


def _ask_for(builder, address, what_for):
    pointer = builder.bitcast(address, ir.IntType(8).as_pointer())
    flags = [ir.Constant(ir.IntType(32), value) for value in (what_for, _FIRST_LEVEL, _DATA)]
    call_llvm(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, *flags)


@intrinsic
def prefetch(typing_context, M, i, j):
    """``prefetch(M, i, j)``: ask for the cache line of ``M[i, j]`` of a matrix of rows, for reading soon."""

    def generate(context, builder, signature, arguments):
        address = RowAddresses(context, builder, signature.args[0], arguments[0]).address(*arguments[1:])
        _ask_for(builder, address, _TO_READ)
        return context.get_dummy_value()

    return types.void(M, types.intp, types.intp), generate


@intrinsic
def prefetch_column(typing_context, shape, X, i, k):
    """``prefetch_column(shape, X, i, k)``: ask for ``X[i : i + rows, k]`` of the transpose of a matrix in blocks.

    The other columns of the block come with it.
    """

    def generate(context, builder, signature, arguments):
        start = addresses_in(context, builder, signature.args[1], arguments[1]).address(*arguments[2:])
        line = LINE_BYTES * 8 // X.dtype.bitwidth
        for number in range(0, shape.rows * BLOCK, line):
            _ask_for(builder, builder.gep(start, [index(number)]), _TO_READ)
        return context.get_dummy_value()

    return types.void(shape, X, types.intp, types.intp), generate


def _with_registers(shape, M, do):
    """Return what an intrinsic is to return that does something where each register of a tile of M lies.

    do: given the builder and that address; the tile is at a row and a column
    """

    def generate(context, builder, signature, arguments):
        tile = tile_of(shape, M)
        matrix = addresses_in(context, builder, signature.args[1], arguments[1], tile)
        for register in matrix.registers(tile, *arguments[2:]):
            do(builder, register)
        return context.get_dummy_value()

    return types.void(shape, M, types.intp, types.intp), generate


def _ask_for_tile(shape, M, what_for):
    """Return what an intrinsic is to return that asks for the cache lines of a tile of M."""
    return _with_registers(shape, M, lambda builder, register: _ask_for(builder, register, what_for))


@intrinsic
def prefetch_tile(typing_context, shape, M, i, j):
    """``prefetch_tile(shape, M, i, j)``: ask for the cache lines of a tile of M, for reading soon."""
    return _ask_for_tile(shape, M, _TO_READ)


@intrinsic
def claim(typing_context, shape, M, i, j):
    """``claim(shape, M, i, j)``: ask for the cache lines of a tile of M, for writing soon.

    A line that another core has read is taken from it first. Stores wait for that one after the other; claims do not.
    """
    return _ask_for_tile(shape, M, _TO_WRITE)


@intrinsic
def take_over(typing_context, shape, M, i, j):
    """``take_over(shape, M, i, j)``: take the cache lines of a tile of M from other cores, storing what is there.

    Nobody else may write there meanwhile. Asked for a line to write that lies, shared, in their own second cache, some
    processors do nothing (Zen 4); they cannot leave out a store.
    """
    number, size = ir.IntType(M.dtype.bitwidth), M.dtype.bitwidth // 8

    def store_again(builder, register):
        place = builder.bitcast(register, number.as_pointer())
        # atomic, as a plain store of what is there already would be left out when compiled
        builder.store_atomic(builder.load_atomic(place, "monotonic", size), place, "monotonic", size)

    return _with_registers(shape, M, store_again)
