"""A block of vector registers as a Numba type, with the operators of matrix algebra.

A tile holds ``rows`` x ``vectors`` vector registers, a small matrix of rows x (vectors * lanes) numbers. Loops of
``acc = outer(acc, ...)`` compile to loads and fused multiply-adds and nothing else. This is the only file that writes
LLVM: the number of lanes and the shapes come from the processor that Numba compiles for and from the dtype.

Matrices are two-dimensional arrays, C-ordered ("rows are contiguous"), or lie *in blocks* of BLOCK rows whose numbers
are interleaved: C-ordered arrays (blocks, columns, BLOCK), number (i, k) being ``M[i // BLOCK, k, i % BLOCK]``. A tile
then finds a column of its rows side by side, in one cache line, and reads on from there for the next column; and the
tiles of the transpose find all they need of BLOCK rows together. A single row is a block of height 1. Nothing here
checks bounds: callers see to it that whole tiles lie inside their arrays.
"""

import operator
from functools import reduce

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.core import cgutils
from numba.core.imputils import lower_builtin, lower_constant
from numba.core.registry import cpu_target
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import NativeValue, intrinsic, models, overload_attribute, register_model, typeof_impl, unbox

from fastmlp.kernels.jit import call_llvm


def _vector_unit() -> tuple[int, int]:
    """Return (bytes a vector register holds, number of registers) of the processor that Numba compiles for."""
    codegen = cpu_target.target_context.codegen()
    triple, _, features = codegen.magic_tuple()
    enabled = {flag[1:] for flag in features.split(",") if flag.startswith("+")}
    if "avx512f" in enabled:
        return 64, 32
    if "avx" in enabled:
        return 32, 16
    return 16, 32 if triple.startswith(("aarch64", "arm64")) else 16


VECTOR_BYTES, REGISTERS = _vector_unit()
HAS_ESTIMATES = VECTOR_BYTES == 64
"""Whether the processor can estimate 1 / x and 1 / sqrt(x) to 14 bits, as AVX-512 can."""


LINE_BYTES = 64

BLOCK = 4
"""Rows of a block: the height of tiles, or half of it."""

STRIP = 64
"""Rows of a strip, some tiles one below the other."""


class Shape:
    """The shape of a tile: rows x vectors. A constant of the kernels, known when they are compiled."""

    def __init__(self, rows: int, vectors: int):
        self.rows, self.vectors = rows, vectors


class ShapeType(types.Type):
    """The Numba type of one Shape."""

    def __init__(self, rows, vectors):
        self.rows, self.vectors = rows, vectors
        super().__init__(name=f"Shape({rows}x{vectors})")


@typeof_impl.register(Shape)
def _typeof_shape(value, context):
    return ShapeType(value.rows, value.vectors)


@register_model(ShapeType)
class _ShapeModel(models.OpaqueModel):
    pass


@lower_constant(ShapeType)
def _constant_shape(context, builder, numba_type, value):
    return context.get_constant_null(numba_type)


@unbox(ShapeType)
def _unbox_shape(numba_type, value, context):
    return NativeValue(cgutils.get_null_value(context.context.get_value_type(numba_type)))


@overload_attribute(ShapeType, "rows")
def _rows_of(shape):
    rows = shape.rows
    return lambda shape: rows


@overload_attribute(ShapeType, "strip")
def _strip_of(shape):
    strip = Shape(STRIP, shape.vectors)
    return lambda shape: strip


class TileType(types.Type):
    """The Numba type of a tile."""

    def __init__(self, rows, vectors, dtype):
        self.rows, self.vectors, self.dtype = rows, vectors, dtype
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Tile({rows}x{vectors}x{dtype})")

    @property
    def count(self):
        """Registers."""
        return self.rows * self.vectors

    @property
    def vector(self):
        """The LLVM type of one register."""
        scalar = ir.FloatType() if self.dtype == types.float32 else ir.DoubleType()
        return ir.VectorType(scalar, self.lanes)

    @property
    def alignment(self):
        """Bytes: that of one number, since users' arrays need not start on a register."""
        return self.dtype.bitwidth // 8


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        super().__init__(manager, tile, ir.ArrayType(tile.vector, tile.count))


# ---- pieces of LLVM ----


def _index(value: int):
    return ir.Constant(ir.IntType(64), value)


def _splat(builder, vector, scalar):
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    return builder.shuffle_vector(first, undefined, zeros)


def _suffix(vector):
    return f"v{vector.count}f{32 if isinstance(vector.element, ir.FloatType) else 64}"


def _multiply_add(builder, x, y, z):
    # fmuladd, not fma: without the instruction, fma becomes a library call (1% of the peak instead of 26%)
    return call_llvm(builder, f"llvm.fmuladd.{_suffix(x.type)}", x.type, x, y, z)


class _Rows:
    """Addresses inside a matrix of rows."""

    def __init__(self, context, builder, array_type, value):
        self.builder, self.type = builder, array_type
        array = context.make_array(array_type)(context, builder, value)
        self.data = array.data
        self.shape = cgutils.unpack_tuple(builder, array.shape)

    def address(self, i, j):
        b = self.builder
        return b.gep(self.data, [b.add(b.mul(i, self.shape[1]), j)])

    def column(self, tile, i, k):
        """Return where (i, k), (i + 1, k) ... lie, one for each row of a tile."""
        return [self.address(self.builder.add(i, _index(r)), k) for r in range(tile.rows)]

    def registers(self, tile, i, j):
        """Return where the registers of a tile at (i, j) lie."""
        return [self.vector(tile, row, v) for row in self.column(tile, i, j) for v in range(tile.vectors)]

    def arranged(self, tile, registers):
        """Return the registers of a tile as they lie in memory."""
        return registers

    def vector(self, tile, pointer, v):
        pointer = self.builder.gep(pointer, [_index(v * tile.lanes)])
        return self.builder.bitcast(pointer, tile.vector.as_pointer())


class _Blocks(_Rows):
    """Addresses inside a matrix in blocks, or the transpose of one; a tile begins at a multiple of its rows."""

    def address(self, i, j):
        b = self.builder
        of_rows, of_columns = (j, i) if self.is_transpose else (i, j)
        block, within = b.ashr(of_rows, _index(BLOCK.bit_length() - 1)), b.and_(of_rows, _index(BLOCK - 1))
        row = [b.mul(block, b.mul(self.shape[1], _index(BLOCK))), within]
        column = [b.mul(of_columns, _index(BLOCK))]
        # what depends on i comes first: loops over j then compute it once
        return reduce(
            lambda at, step: b.gep(at, [step]), column + row if self.is_transpose else row + column, self.data
        )

    @property
    def is_transpose(self):
        return self.type.layout == "F"

    def column(self, tile, i, k):
        # distances from as few addresses as can be, which the processor adds as it loads
        rows, step = (tile.rows, BLOCK) if self.is_transpose else (BLOCK, 1)
        starts = [self.address(self.builder.add(i, _index(r)), k) for r in range(0, tile.rows, rows)]
        return [self.builder.gep(start, [_index(r * step)]) for start in starts for r in range(rows)]

    def registers(self, tile, i, j):
        starts = [self.address(self.builder.add(i, _index(r)), j) for r in range(0, tile.rows, BLOCK)]
        return [self.vector(tile, start, n) for start in starts for n in range(BLOCK * tile.vectors)]

    def arranged(self, tile, registers):
        arranged = []
        for first in range(0, tile.count, BLOCK * tile.vectors):
            for v in range(tile.vectors):
                rows = registers[first + v : first + BLOCK * tile.vectors : tile.vectors]
                arranged += _interleaved(self.builder, rows)
        return arranged


def _array(context, builder, array_type, value, tile=None):
    """Return what knows the addresses of an array: for tiles of one row, one in blocks is a matrix of rows."""
    has_blocks = array_type.ndim == 3 and (tile is None or tile.rows > 1)
    return (_Blocks if has_blocks else _Rows)(context, builder, array_type, value)


def _zip(builder, x, y):
    """Return x[0], y[0], x[1], y[1] ... in two vectors."""
    n = x.type.count
    order = [lane // 2 + lane % 2 * n for lane in range(2 * n)]
    masks = [ir.Constant(ir.VectorType(ir.IntType(32), n), order[half : half + n]) for half in (0, n)]
    return [builder.shuffle_vector(x, y, mask) for mask in masks]


def _transposed(builder, rows):
    """Return the columns of as many vectors as each has numbers."""
    distance = len(rows) // 2
    while distance:
        rows = _exchange_halves(builder, rows, distance)
        distance //= 2
    return rows


def _exchange_halves(builder, rows, distance):
    """Swap the off-diagonal blocks of size ``distance`` in every pair of rows that far apart."""
    n = len(rows)
    low = [k if not k & distance else n + k - distance for k in range(n)]
    high = [k + distance if not k & distance else n + k for k in range(n)]
    mask = [ir.Constant(ir.VectorType(ir.IntType(32), n), picks) for picks in (low, high)]
    out = list(rows)
    for r in range(n):
        if not r & distance:
            a, b = rows[r], rows[r + distance]
            out[r] = builder.shuffle_vector(a, b, mask[0])
            out[r + distance] = builder.shuffle_vector(a, b, mask[1])
    return out


def _interleaved(builder, rows):
    """Return the vectors that hold column after column of BLOCK rows, given a vector of each."""
    if rows[0].type.count == BLOCK:
        return _transposed(builder, rows)
    (p, q), (s, t) = (_zip(builder, rows[r], rows[r + 2]) for r in (0, 1))
    return _zip(builder, p, s) + _zip(builder, q, t)


def _load_vector(builder, tile, pointer):
    value = builder.load(pointer)
    value.align = tile.alignment
    return value


def _build(builder, context, tile, registers):
    value = ir.Constant(context.get_value_type(tile), ir.Undefined)
    for k, register in enumerate(registers):
        value = builder.insert_value(value, register, k)
    return value


def _registers(builder, tile, value):
    return [builder.extract_value(value, k) for k in range(tile.count)]


def _tile_of(shape, array):
    return TileType(shape.rows, shape.vectors, array.dtype)


# ---- making, loading, storing ----


def _view(array_type, context, builder, pointer, start, *shape):
    view = context.make_array(array_type)(context, builder)
    size = _index(array_type.dtype.bitwidth // 8)
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
        return _view(result, context, builder, source.data, *arguments[1:])

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

    kind: a Choice with the name of a NumPy dtype; start: counted in such numbers
    """
    result = types.Array(from_dtype(np.dtype(kind.choice.name)), 2, "C", readonly=not buffer.mutable)

    def generate(context, builder, signature, arguments):
        source = context.make_array(buffer)(context, builder, arguments[1])
        pointer = builder.bitcast(source.data, context.get_data_type(result.dtype).as_pointer())
        return _view(result, context, builder, pointer, *arguments[2:])

    return result(kind, buffer, types.intp, types.intp, types.intp), generate


# how to ask for a cache line: whether it will be written to, and 3 for the first level or 2 for the second
_TO_READ_SOON, _TO_READ_AT_ONCE, _TO_WRITE = (0, 2), (0, 3), (1, 3)


def _ask_for(builder, address, how):
    pointer = builder.bitcast(address, ir.IntType(8).as_pointer())
    flags = [ir.Constant(ir.IntType(32), value) for value in (*how, 1)]  # 1: it holds data
    call_llvm(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, *flags)


@intrinsic
def prefetch(typing_context, M, i, j):
    """``prefetch(M, i, j)``: ask for the cache line of ``M[i, j]`` of a matrix of rows, for reading soon."""

    def generate(context, builder, signature, arguments):
        address = _Rows(context, builder, signature.args[0], arguments[0]).address(*arguments[1:])
        _ask_for(builder, address, _TO_READ_SOON)
        return context.get_dummy_value()

    return types.void(M, types.intp, types.intp), generate


@intrinsic
def prefetch_column(typing_context, shape, X, i, k):
    """``prefetch_column(shape, X, i, k)``: ask for ``X[i : i + rows, k]`` of the transpose of a matrix in blocks.

    The other columns of the block come with it. For reading in less than a microsecond.
    """

    def generate(context, builder, signature, arguments):
        start = _array(context, builder, signature.args[1], arguments[1]).address(*arguments[2:])
        line = LINE_BYTES * 8 // X.dtype.bitwidth
        for number in range(0, shape.rows * BLOCK, line):
            _ask_for(builder, builder.gep(start, [_index(number)]), _TO_READ_AT_ONCE)
        return context.get_dummy_value()

    return types.void(shape, X, types.intp, types.intp), generate


@intrinsic
def claim(typing_context, shape, M, i, j):
    """``claim(shape, M, i, j)``: ask for the cache lines of a tile of M, for writing soon.

    A line that another core has read is taken from it first. Stores wait for that one after the other; claims do not.
    """

    def generate(context, builder, signature, arguments):
        tile = _tile_of(shape, M)
        matrix = _array(context, builder, signature.args[1], arguments[1], tile)
        for register in matrix.registers(tile, *arguments[2:]):
            _ask_for(builder, register, _TO_WRITE)
        return context.get_dummy_value()

    return types.void(shape, M, types.intp, types.intp), generate


@intrinsic
def zeros(typing_context, shape, like):
    """``zeros(shape, like)``: a tile of zeros with the dtype of the array ``like``."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(signature.return_type), None)

    return _tile_of(shape, like)(shape, like), generate


@intrinsic
def room_for(typing_context, shape, like):
    """``room_for(shape, like)``: memory for a tile with the dtype of the array ``like``, a matrix on the stack."""
    result = types.Array(like.dtype, 2, "C")

    def generate(context, builder, signature, arguments):
        tile = _tile_of(shape, like)
        memory = cgutils.alloca_once(builder, context.get_value_type(tile))
        pointer = builder.bitcast(memory, context.get_data_type(like.dtype).as_pointer())
        return _view(result, context, builder, pointer, _index(0), _index(tile.rows), _index(tile.vectors * tile.lanes))

    return result(shape, like), generate


@intrinsic
def load(typing_context, shape, M, i, j):
    """``load(shape, M, i, j)``: the tile ``M[i : i + rows, j : j + width]`` of a matrix of rows."""

    def generate(context, builder, signature, arguments):
        tile = signature.return_type
        matrix = _Rows(context, builder, signature.args[1], arguments[1])
        places = matrix.registers(tile, *arguments[2:])
        return _build(builder, context, tile, [_load_vector(builder, tile, place) for place in places])

    return _tile_of(shape, M)(shape, M, types.intp, types.intp), generate


@intrinsic
def load_as(typing_context, like, M, i, j):
    """``load_as(like, M, i, j)``: a register of numbers of any kind from ``M[i, j]`` on, in the dtype of ``like``."""

    def generate(context, builder, signature, arguments):
        tile, kind = signature.return_type, context.get_data_type(M.dtype)
        address = _Rows(context, builder, M, arguments[1]).address(*arguments[2:])
        numbers = _load_many(builder, address, kind, tile.lanes)
        return _build(builder, context, tile, [_converted(builder, numbers, tile.vector)])

    return TileType(1, 1, like.dtype)(like, M, types.intp, types.intp), generate


@intrinsic
def load_block_as(typing_context, like, M, rows, k):
    """``load_block_as(like, M, rows, k)``: column after column of some rows of any kind, from column k on.

    like: in its dtype; rows: a tuple of BLOCK row numbers, anywhere in M. A tile of BLOCK x 1 registers.
    """

    def generate(context, builder, signature, arguments):
        tile, kind = signature.return_type, context.get_data_type(M.dtype)
        matrix = _Rows(context, builder, M, arguments[1])
        starts = [matrix.address(row, arguments[3]) for row in cgutils.unpack_tuple(builder, arguments[2])]
        numbers = [_load_many(builder, start, kind, tile.lanes) for start in starts]
        if M.dtype.bitwidth < tile.dtype.bitwidth:  # narrow numbers are the cheaper to interleave
            turned = [_converted(builder, part, tile.vector) for part in _interleaved(builder, numbers)]
        else:
            turned = _interleaved(builder, [_converted(builder, row, tile.vector) for row in numbers])
        return _build(builder, context, tile, turned)

    return TileType(BLOCK, 1, like.dtype)(like, M, rows, types.intp), generate


def _load_many(builder, address, kind, count):
    """Return ``count`` numbers of a kind, which may lie anywhere, as one vector, however many registers it takes."""
    value = builder.load(builder.bitcast(address, ir.VectorType(kind, count).as_pointer()))
    value.align = 1
    return value


def _converted(builder, numbers, vector):
    if isinstance(numbers.type.element, ir.IntType):  # unsigned, and narrow enough to be signed in 32 bits
        return builder.sitofp(builder.zext(numbers, ir.VectorType(ir.IntType(32), vector.count)), vector)
    if numbers.type == vector:
        return numbers
    return (builder.fptrunc if isinstance(vector.element, ir.FloatType) else builder.fpext)(numbers, vector)


@intrinsic
def load_row(typing_context, shape, M, i, j):
    """``load_row(shape, M, i, j)``: a tile whose every row is ``M[i, j : j + width]``."""

    def generate(context, builder, signature, arguments):
        tile = signature.return_type
        array = _Rows(context, builder, signature.args[1], arguments[1])
        start = array.address(arguments[2], arguments[3])
        row = [_load_vector(builder, tile, array.vector(tile, start, v)) for v in range(tile.vectors)]
        return _build(builder, context, tile, row * tile.rows)

    return _tile_of(shape, M)(shape, M, types.intp, types.intp), generate


@intrinsic
def store(typing_context, tile, M, i, j):
    """``store(tile, M, i, j)``: ``M[i : i + rows, j : j + width] = tile``."""

    def generate(context, builder, signature, arguments):
        tile = signature.args[0]
        matrix = _array(context, builder, signature.args[1], arguments[1], tile)
        registers = matrix.arranged(tile, _registers(builder, tile, arguments[0]))
        for register, place in zip(registers, matrix.registers(tile, *arguments[2:]), strict=True):
            builder.store(register, place).align = tile.alignment
        return context.get_dummy_value()

    return types.void(tile, M, types.intp, types.intp), generate


@intrinsic
def stack(typing_context, tiles):
    """``stack(tiles)``: a tile of all rows of a tuple of tiles, one below the other."""
    one = tiles.dtype
    result = TileType(one.rows * len(tiles), one.vectors, one.dtype)

    def generate(context, builder, signature, arguments):
        parts = cgutils.unpack_tuple(builder, arguments[0])
        return _build(builder, context, result, [r for part in parts for r in _registers(builder, one, part)])

    return result(tiles), generate


@intrinsic
def load_transposed(typing_context, M, i, j):
    """``load_transposed(M, i, j)``: the transpose of ``M[i : i + lanes, j : j + lanes]``, a tile of lanes x 1.

    It takes log2(lanes) rounds of exchanging halves of registers.
    """
    lanes = VECTOR_BYTES * 8 // M.dtype.bitwidth

    def generate(context, builder, signature, arguments):
        tile = signature.return_type
        matrix = _Rows(context, builder, signature.args[0], arguments[0])
        starts = [matrix.address(builder.add(arguments[1], _index(r)), arguments[2]) for r in range(tile.lanes)]
        rows = [_load_vector(builder, tile, matrix.vector(tile, start, 0)) for start in starts]
        return _build(builder, context, tile, _transposed(builder, rows))

    return TileType(lanes, 1, M.dtype)(M, types.intp, types.intp), generate


# ---- arithmetic ----


@intrinsic
def outer(typing_context, acc, X, i, k, W, kw, j):
    """``outer(acc, X, i, k, W, kw, j)``: ``acc + X[i : i + rows, k] (outer) W[kw, j : j + width]``."""

    def generate(context, builder, signature, arguments):
        acc, X, i, k, W, kw, j = arguments
        tile = signature.args[0]
        left = _array(context, builder, signature.args[1], X, tile)
        right = _Rows(context, builder, signature.args[4], W)
        start = right.address(kw, j)
        row = [_load_vector(builder, tile, right.vector(tile, start, v)) for v in range(tile.vectors)]
        for r, address in enumerate(left.column(tile, i, k)):
            x = _splat(builder, tile.vector, builder.load(address))
            for v in range(tile.vectors):
                n = r * tile.vectors + v
                term = _multiply_add(builder, x, row[v], builder.extract_value(acc, n))
                acc = builder.insert_value(acc, term, n)
        return acc

    index = types.intp
    return acc(acc, X, index, index, W, index, index), generate


@intrinsic
def fused(typing_context, x, y, z):
    """``fused(x, y, z)``: x * y + z of a tile and tiles or numbers, rounded once if the processor has such a step."""

    def generate(context, builder, signature, arguments):
        tile = signature.return_type
        operands = [
            _registers(builder, tile, value)
            if isinstance(kind, TileType)
            else [_splat(builder, tile.vector, value)] * tile.count
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        return _build(builder, context, tile, [_multiply_add(builder, *given) for given in zip(*operands, strict=True)])

    return x(x, *(kind if isinstance(kind, TileType) else x.dtype for kind in (y, z))), generate


def _larger(builder, x, y):
    # written so that a NaN in x stays: a diverging network must show
    return builder.select(builder.fcmp_ordered("<", x, y), y, x)


def _one_where_greater(builder, x, y):
    one = _splat(builder, x.type, ir.Constant(x.type.element, 1.0))
    return builder.select(builder.fcmp_ordered(">", x, y), one, ir.Constant(x.type, None))


# These fuse nothing: of the two products in a * b + c * d, compilers pick another one for another shape of tile
_OPERATIONS = {
    operator.add: lambda b, x, y: b.fadd(x, y),
    operator.sub: lambda b, x, y: b.fsub(x, y),
    operator.mul: lambda b, x, y: b.fmul(x, y),
    operator.truediv: lambda b, x, y: b.fdiv(x, y),
    operator.gt: _one_where_greater,
    max: _larger,
}


def _define_operator(python_operator, operation):
    """Give tiles an operator: what to do with two registers, and that a scalar is spread over one first."""

    @infer_global(python_operator)
    class Operator(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and isinstance(args[0], TileType):
                x, y = args
                return x(x, y if isinstance(y, TileType) else x.dtype)
            return None

    def generate(context, builder, signature, arguments):
        tile = signature.args[0]
        x = _registers(builder, tile, arguments[0])
        if isinstance(signature.args[1], TileType):
            y = _registers(builder, tile, arguments[1])
        else:
            y = [_splat(builder, tile.vector, arguments[1])] * tile.count
        return _build(builder, context, tile, [operation(builder, p, q) for p, q in zip(x, y, strict=True)])

    lower_builtin(python_operator, TileType, TileType)(generate)
    lower_builtin(python_operator, TileType, types.Float)(generate)


for _operator, _operation in _OPERATIONS.items():
    _define_operator(_operator, _operation)


# ---- within a register: lanes and bits ----


def _across_rows(operation):
    """Make an intrinsic that folds each row of a tile to one number, in all lanes of a tile of one vector.

    It halves each time: a fixed order for a fixed shape, and the same in every lane.
    """

    @intrinsic
    def fold(typing_context, x):
        result = TileType(x.rows, 1, x.dtype)

        def generate(context, builder, signature, arguments):
            registers = _registers(builder, x, arguments[0])
            totals = []
            for r in range(x.rows):
                total, *rest = registers[r * x.vectors : (r + 1) * x.vectors]
                for register in rest:
                    total = operation(builder, total, register)
                distance = x.lanes // 2
                while distance:
                    turn = [(lane + distance) % x.lanes for lane in range(x.lanes)]
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), x.lanes), turn)
                    total = operation(builder, total, builder.shuffle_vector(total, total, mask))
                    distance //= 2
                totals.append(total)
            return _build(builder, context, result, totals)

        return result(x), generate

    return fold


row_sum = _across_rows(lambda b, x, y: b.fadd(x, y))
"""``row_sum(x)``: the sum of each row of a tile, in all lanes of a tile of one vector."""

row_max = _across_rows(_larger)
"""``row_max(x)``: the largest number of each row, likewise."""


@intrinsic
def keep_first(typing_context, x, count, fill):
    """``keep_first(x, count, fill)``: a tile whose columns from ``count`` on are replaced by ``fill``."""

    def generate(context, builder, signature, arguments):
        x, count, fill = arguments
        tile = signature.args[0]
        index = ir.VectorType(ir.IntType(64), tile.lanes)
        limit, filler = _splat(builder, index, count), _splat(builder, tile.vector, fill)
        kept = []
        for n, register in enumerate(_registers(builder, tile, x)):
            column = ir.Constant(index, [n % tile.vectors * tile.lanes + lane for lane in range(tile.lanes)])
            kept.append(builder.select(builder.icmp_signed("<", column, limit), register, filler))
        return _build(builder, context, tile, kept)

    return x(x, types.intp, x.dtype), generate


def _per_register(generate_one):
    """Make an intrinsic of one tile from a function of one register."""

    @intrinsic
    def apply(typing_context, x):
        def generate(context, builder, signature, arguments):
            tile = signature.args[0]
            registers = [generate_one(builder, tile, r) for r in _registers(builder, tile, arguments[0])]
            return _build(builder, context, tile, registers)

        return x(x), generate

    return apply


def _significand_bits(tile):
    return 23 if tile.dtype == types.float32 else 52


def _integer_maker(builder, tile):
    # adding 1.5 * 2^23 leaves no bits for a fraction, and the integer in the lowest bits
    return _splat(builder, tile.vector, ir.Constant(tile.vector.element, 1.5 * 2.0 ** _significand_bits(tile)))


def _round(builder, tile, x):
    magic = _integer_maker(builder, tile)
    return builder.fsub(builder.fadd(x, magic), magic)


def _power_of_two(builder, tile, n):
    bits = _significand_bits(tile)
    integer = ir.IntType(tile.dtype.bitwidth)
    shifted = builder.bitcast(builder.fadd(n, _integer_maker(builder, tile)), ir.VectorType(integer, tile.lanes))
    exponent = builder.shl(shifted, _splat(builder, shifted.type, ir.Constant(integer, bits)))
    bias = (2 ** (tile.dtype.bitwidth - bits - 2) - 1) << bits
    total = builder.add(exponent, _splat(builder, shifted.type, ir.Constant(integer, bias)))
    return builder.bitcast(total, tile.vector)


square_root = _per_register(lambda builder, tile, x: call_llvm(builder, f"llvm.sqrt.{_suffix(x.type)}", x.type, x))
"""``square_root(x)``: the square roots of a tile."""


def _estimate(name):
    """Make an intrinsic of one of AVX-512's estimates, which only processors that have it can run."""

    def generate_one(builder, tile, x):
        kind = "ps" if tile.dtype == types.float32 else "pd"
        everywhere = ir.Constant(ir.IntType(tile.lanes), -1)
        return call_llvm(
            builder, f"llvm.x86.avx512.{name}.{kind}.512", x.type, x, ir.Constant(x.type, None), everywhere
        )

    return _per_register(generate_one)


reciprocal_estimate = _estimate("rcp14")
"""``reciprocal_estimate(x)``: 1 / x to 14 bits, where HAS_ESTIMATES."""

reciprocal_root_estimate = _estimate("rsqrt14")
"""``reciprocal_root_estimate(x)``: 1 / sqrt(x) to 14 bits, where HAS_ESTIMATES."""

rounded = _per_register(_round)
"""``rounded(x)``: the nearest integers, for |x| below 2^22."""

power_of_two = _per_register(_power_of_two)
"""``power_of_two(n)``: 2^n for a tile of integers from -126 to 127 (float32) or -1022 to 1023 (float64)."""


@intrinsic
def nonzero_word(typing_context, M, i, j):
    """``nonzero_word(M, i, j)``: bit k of 64 is set where ``M[i, j + k]`` is not zero, for numbers of any kind."""

    def generate(context, builder, signature, arguments):
        kind = context.get_data_type(M.dtype)
        address = _Rows(context, builder, M, arguments[0]).address(*arguments[1:])
        numbers = _load_many(builder, address, kind, 64)
        nothing = ir.Constant(numbers.type, None)
        if isinstance(kind, ir.IntType):
            differs = builder.icmp_unsigned("!=", numbers, nothing)
        else:
            differs = builder.fcmp_unordered("!=", numbers, nothing)
        return builder.bitcast(differs, ir.IntType(64))

    return types.uint64(M, types.intp, types.intp), generate


@intrinsic
def lowest_bit(typing_context, bits):
    """``lowest_bit(bits)``: the number of the lowest bit that is set; there must be one."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def count_bits(typing_context, bits):
    """``count_bits(bits)``: how many bits are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate
