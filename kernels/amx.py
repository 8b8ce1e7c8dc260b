"""The matrix unit of processors with AMX: sums of products of tiles, of two kinds of numbers.

A tile is 16 rows of 64 bytes. The left operand has 16 rows. The right one has 16 columns, and in each row of bytes two
bfloat16 or four bytes of each of these, which lie below one another: numbers (k, n) and (k + 1, n), or to (k + 3, n),
side by side. The sums are 16 x 16: of 32 products of bfloat16 (kernels.bfloats) in float32, or of 64 products of bytes,
those on the right with a sign (kernels.digits), in 32-bit integers.
"""

import ctypes
import sys
from itertools import product
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.addresses import RowAddresses, index
from fastmlp.kernels.jit import call_llvm
from fastmlp.kernels.shape import FEATURES

SIDE, ROW_BYTES = 16, 64
"""Rows of a tile, and rows and columns of sums; bytes of a row."""
PARTS = 3
"""How many bfloat16 a float32 is the sum of."""
MOST_BYTE_PRODUCTS = 2**31 // (255 * 128)
"""Sums of how many products of bytes surely fit into 32 bits."""

_BYTE = ir.IntType(8)
_LEFT, _RIGHT = 4, 5  # of 8 registers of tiles: the first four are sums, the last three the parts of a right operand
_TWO_LEFT, _TWO_RIGHT = (4, 5), (6, 7)  # or two operands each of bytes


def _may_be_used() -> bool:
    """Ask Linux for the unit, which it gives to processes whose threads all have stacks large enough for signals."""
    if sys.platform != "linux" or not {"amx-tile", "amx-bf16", "amx-int8", "avx512bw"} <= FEATURES:
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18
    return ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0


HAS_AMX = _may_be_used()
"""Whether this process may use the unit. The processes that it forks may then, too."""


class Left(NamedTuple):
    """Left operands: ``count`` side by side, from tile x of X on, and those of the next SIDE rows ``step`` behind."""

    X: np.ndarray  # (tiles, numbers) of bfloat16 or bytes
    x: int
    step: int
    count: int


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
        palette = [1, *[0] * 15, *[ROW_BYTES, 0] * 8, *[0] * 16, *[SIDE] * 8, *[0] * 8]
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
    """Return what an intrinsic is to return that moves the sums from or to a matrix (rows, SIDE) of their kind."""

    def generate(context, builder, signature, arguments):
        matrix = RowAddresses(context, builder, M, arguments[1])
        for t in range(shape.rows // SIDE):
            place = _place(builder, matrix, builder.add(arguments[2], index(t * SIDE)), index(0))
            _run(builder, instruction, _register(t), place, index(ROW_BYTES))
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


def _load(builder, register, tiles, tile):
    place = _place(builder, tiles, tile, index(0))
    _run(builder, "tileloadd64", _register(register), place, index(ROW_BYTES))


@intrinsic
def add_products(typing_context, shape, X, x, step, S, s):
    """``add_products(shape, X, x, step, S, s)``: add to the sums tiles x, x + step ... of X times a right operand.

    X: (tiles, numbers) of bfloat16, left operands; S: likewise, with the three parts of the right one from tile s on
    """

    def generate(context, builder, signature, arguments):
        _, left, x, step, right, s = arguments
        left, right = RowAddresses(context, builder, X, left), RowAddresses(context, builder, S, right)
        for p in range(PARTS):
            _load(builder, _RIGHT + p, right, builder.add(s, index(p)))
        for t in range(shape.rows // SIDE):
            _load(builder, _LEFT, left, builder.add(x, builder.mul(step, index(t))))
            for p in reversed(range(PARTS)):  # the smallest first
                _run(builder, "tdpbf16ps", _register(t), _register(_LEFT), _register(_RIGHT + p))
        return context.get_dummy_value()

    return types.void(shape, X, types.intp, types.intp, S, types.intp), generate


@intrinsic
def add_products_of_bytes(typing_context, X, x, step, S, s, t):
    """``add_products_of_bytes(X, x, step, S, s, t)``: add ``X[x]`` and ``X[x + step]``, times ``S[s]`` and ``S[t]``.

    To the four sums, those by ``S[s]`` first. X: (tiles, numbers) uint8, left operands; S: likewise, right ones
    """

    def generate(context, builder, signature, arguments):
        left, x, step, right, s, t = arguments
        left, right = RowAddresses(context, builder, X, left), RowAddresses(context, builder, S, right)
        for register, tile in zip(_TWO_RIGHT, (s, t), strict=True):
            _load(builder, register, right, tile)
        for register, tile in zip(_TWO_LEFT, (x, builder.add(x, step)), strict=True):
            _load(builder, register, left, tile)
        for total, (by, of) in enumerate(product(_TWO_RIGHT, _TWO_LEFT)):
            _run(builder, "tdpbusd", _register(total), _register(of), _register(by))
        return context.get_dummy_value()

    return types.void(X, types.intp, types.intp, S, types.intp, types.intp), generate
