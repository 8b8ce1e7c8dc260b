"""Parts of buffers as arrays, without a copy."""

from functools import reduce

import numpy as np
from numba import from_dtype, types
from numba.extending import intrinsic, overload

from fastmlp.kernels.addresses import index
from fastmlp.kernels.jit import part
from fastmlp.kernels.shape import BLOCK, LINE_BYTES, VECTOR_BYTES

BLOCK_BITS = BLOCK.bit_length() - 1


def _fitting_into(size, M):
    """Return how to type and to generate how many numbers of an array fit into so many bytes, known when compiled."""

    def generate(context, builder, signature, arguments):
        return index(size * 8 // M.dtype.bitwidth)

    return types.intp(M), generate


@intrinsic
def lanes_of(typing_context, M):
    """``lanes_of(M)``: how many numbers of an array a vector register holds, a constant: by others, loops divide."""
    return _fitting_into(VECTOR_BYTES, M)


@intrinsic
def line_of(typing_context, M):
    """``line_of(M)``: how many numbers of an array a cache line holds, a constant as well."""
    return _fitting_into(LINE_BYTES, M)


def generate_view(array_type, context, builder, pointer, start, *shape):
    """Generate a C-ordered array of what lies ``start`` numbers behind a pointer; it owns nothing."""
    view = context.make_array(array_type)(context, builder)
    size = index(array_type.dtype.bitwidth // 8)
    context.populate_array(
        view,
        data=builder.gep(pointer, [start]),
        shape=shape,
        strides=[reduce(builder.mul, shape[axis:], size) for axis in range(1, len(shape) + 1)],
        itemsize=size,
        meminfo=None,
    )
    return view._getvalue()


def _part_of(buffer, dimensions):
    """Return how to type and to generate a view of part of a buffer, given where it starts and its shape."""
    result = types.Array(buffer.dtype, dimensions, "C", readonly=not buffer.mutable)

    def generate(context, builder, signature, arguments):
        source = context.make_array(buffer)(context, builder, arguments[0])
        return generate_view(result, context, builder, source.data, *arguments[1:])

    return result(buffer, types.intp, *[types.intp] * dimensions), generate


@intrinsic
def matrix(typing_context, buffer, start, rows, columns):
    """``matrix(buffer, start, rows, columns)``: that part of a C-ordered buffer as a matrix, without a copy.

    The view owns nothing: it costs no reference count, and the buffer must outlive it.
    """
    return _part_of(buffer, 2)


@intrinsic
def blocks_at(typing_context, buffer, start, blocks, columns, height):
    """``blocks_at(buffer, start, blocks, columns, height)``: as ``matrix``, of a matrix in blocks of so many rows."""
    return _part_of(buffer, 3)


@intrinsic
def span(typing_context, buffer, start, count):
    """``span(buffer, start, count)``: that part of a flat buffer, as ``matrix`` would return it, but flat."""
    return _part_of(buffer, 1)


@intrinsic
def matrix_of(typing_context, kind, buffer, start, rows, columns):
    """``matrix_of(kind, bytes, start, rows, columns)``: as ``matrix``, of bytes that hold numbers of another kind.

    kind: an array of such numbers, or a Choice with the name of a NumPy dtype; start: counted in such numbers
    """
    dtype = kind.dtype if isinstance(kind, types.Array) else from_dtype(np.dtype(kind.choice.name))
    result = types.Array(dtype, 2, "C", readonly=not buffer.mutable)

    def generate(context, builder, signature, arguments):
        source = context.make_array(buffer)(context, builder, arguments[1])
        pointer = builder.bitcast(source.data, context.get_data_type(result.dtype).as_pointer())
        return generate_view(result, context, builder, pointer, *arguments[2:])

    return result(kind, buffer, types.intp, types.intp, types.intp), generate


def row_of(M, i):
    """Return row i of a matrix, in blocks or not, which may be written to; for compiled code."""


@overload(row_of)
def _row_of(M, i):
    if M.ndim == 3:
        return lambda M, i: M[i // M.shape[2], :, i % M.shape[2]]
    return lambda M, i: M[i]


@part
def blocks_as_rows(M):
    """Return a matrix in blocks as one without, each block a row of it."""
    return matrix(M, 0, M.shape[0], M.shape[1] * M.shape[2])


@part
def place_in_blocks(i, k):
    """Return where number (i, k) of a matrix in blocks is in ``blocks_as_rows``: the row and the column there."""
    # a division would allow for negative numbers
    return i >> BLOCK_BITS, (k << BLOCK_BITS) + (i & (BLOCK - 1))
