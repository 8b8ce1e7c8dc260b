"""A block of vector registers as a Numba type, with the operators of matrix algebra.

A tile holds ``rows`` x ``vectors`` vector registers, a small matrix of rows x (vectors * lanes) numbers. Loops of
``acc = outer(acc, ...)`` compile to loads and fused multiply-adds and nothing else. This is the only file with vector
instructions in it, but for those on bytes (kernels.bfloats, kernels.digits, kernels.vnni): lanes and shapes come from
the processor that Numba compiles for and from the dtype. Matrices lie in rows or in blocks (kernels.addresses).
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, models, register_model

from fastmlp.kernels.addresses import BlockAddresses, RowAddresses, addresses_in, index
from fastmlp.kernels.jit import call_llvm
from fastmlp.kernels.shape import BLOCK, VECTOR_BYTES
from fastmlp.kernels.views import generate_view

_SCALARS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType(), types.int32: ir.IntType(32)}


class TileType(types.Type):
    """The Numba type of a tile; lanes: of a vector, 0 for all that a register has."""

    def __init__(self, rows, vectors, dtype, lanes=0):
        self.rows, self.vectors, self.dtype = rows, vectors, dtype
        self.lanes = lanes or VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Tile({rows}x{vectors}x{self.lanes}x{dtype})")

    @property
    def count(self):
        """Registers."""
        return self.rows * self.vectors

    @property
    def vector(self):
        """The LLVM type of one register."""
        return ir.VectorType(_SCALARS[self.dtype], self.lanes)

    @property
    def alignment(self):
        """Bytes: that of one number, since users' arrays need not start on a register."""
        return self.dtype.bitwidth // 8


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        super().__init__(manager, tile, ir.ArrayType(tile.vector, tile.count))


# ---- pieces of LLVM ----


def splat(builder, vector, scalar):
    """Return a vector of a type, the same number in all lanes."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    return builder.shuffle_vector(first, undefined, zeros)


def _vector_of(builder, vector, scalars):
    """Return a vector of some numbers, followed by zeros."""
    value = ir.Constant(vector, None)
    for lane, scalar in enumerate(scalars):
        value = builder.insert_element(value, scalar, ir.Constant(ir.IntType(32), lane))
    return value


def _numbers(builder, register):
    """Return what is in a register, number by number."""
    return [builder.extract_element(register, ir.Constant(ir.IntType(32), n)) for n in range(register.type.count)]


def _suffix(vector):
    return f"v{vector.count}f{32 if isinstance(vector.element, ir.FloatType) else 64}"


def multiply_add(builder, x, y, z):
    """Return x * y + z of registers, rounded once if the processor has such a step."""
    # fmuladd, not fma: without the instruction, fma becomes a library call (1% of the peak instead of 26%)
    return call_llvm(builder, f"llvm.fmuladd.{_suffix(x.type)}", x.type, x, y, z)


def _zip(builder, x, y):
    """Return x[0], y[0], x[1], y[1] ... in two vectors."""
    n = x.type.count
    order = [lane // 2 + lane % 2 * n for lane in range(2 * n)]
    masks = [ir.Constant(ir.VectorType(ir.IntType(32), n), order[half : half + n]) for half in (0, n)]
    return [builder.shuffle_vector(x, y, mask) for mask in masks]


def transposed(builder, rows):
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


def interleaved(builder, rows):
    """Return the vectors that hold column after column of BLOCK rows, given a vector of each."""
    if rows[0].type.count == BLOCK:
        return transposed(builder, rows)
    (p, q), (s, t) = (_zip(builder, rows[r], rows[r + 2]) for r in (0, 1))
    return _zip(builder, p, s) + _zip(builder, q, t)


def _interleaved_blocks(builder, tile, registers):
    """Return the registers of a tile as they lie in a matrix in blocks."""
    in_blocks, of_block = [], BLOCK * tile.vectors
    for first in range(0, tile.count, of_block):
        for v in range(tile.vectors):
            in_blocks += interleaved(builder, registers[first + v : first + of_block : tile.vectors])
    return in_blocks


def _load_vector(builder, tile, pointer):
    value = builder.load(pointer)
    value.align = tile.alignment
    return value


def build(builder, context, tile, registers):
    """Return a tile of these registers."""
    value = ir.Constant(context.get_value_type(tile), ir.Undefined)
    for k, register in enumerate(registers):
        value = builder.insert_value(value, register, k)
    return value


def registers_of(builder, tile, value):
    """Return the registers of a tile, row after row."""
    return [builder.extract_value(value, k) for k in range(tile.count)]


def tile_of(shape, array):
    """Return the type of a tile with the dtype of an array."""
    return TileType(shape.rows, shape.vectors, array.dtype, shape.lanes)


# ---- making, loading, storing ----


@intrinsic
def zeros(typing_context, shape, like):
    """``zeros(shape, like)``: a tile of zeros with the dtype of the array ``like``."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(signature.return_type), None)

    return tile_of(shape, like)(shape, like), generate


@intrinsic
def room_for(typing_context, shape, like):
    """``room_for(shape, like)``: memory for a tile with the dtype of the array ``like``, a matrix on the stack."""
    result = types.Array(like.dtype, 2, "C")

    def generate(context, builder, signature, arguments):
        tile = tile_of(shape, like)
        memory = cgutils.alloca_once(builder, context.get_value_type(tile))
        pointer = builder.bitcast(memory, context.get_data_type(like.dtype).as_pointer())
        start, rows, columns = (index(n) for n in (0, tile.rows, tile.vectors * tile.lanes))
        return generate_view(result, context, builder, pointer, start, rows, columns)

    return result(shape, like), generate


@intrinsic
def load(typing_context, shape, M, i, j):
    """``load(shape, M, i, j)``: the tile ``M[i : i + rows, j : j + width]`` of a matrix of rows."""

    def generate(context, builder, signature, arguments):
        tile = signature.return_type
        matrix = RowAddresses(context, builder, signature.args[1], arguments[1])
        places = matrix.registers(tile, *arguments[2:])
        return build(builder, context, tile, [_load_vector(builder, tile, place) for place in places])

    return tile_of(shape, M)(shape, M, types.intp, types.intp), generate


@intrinsic
def load_as(typing_context, like, M, i, j):
    """``load_as(like, M, i, j)``: a register of numbers of any kind from ``M[i, j]`` on, in the dtype of ``like``."""

    def generate(context, builder, signature, arguments):
        tile, kind = signature.return_type, context.get_data_type(M.dtype)
        address = RowAddresses(context, builder, M, arguments[1]).address(*arguments[2:])
        numbers = load_many(builder, address, kind, tile.lanes)
        return build(builder, context, tile, [converted(builder, numbers, tile.vector)])

    return TileType(1, 1, like.dtype)(like, M, types.intp, types.intp), generate


@intrinsic
def load_block_as(typing_context, like, M, rows, k):
    """``load_block_as(like, M, rows, k)``: column after column of some rows of any kind, from column k on.

    like: in its dtype; rows: a tuple of BLOCK row numbers, anywhere in M. A tile of BLOCK x 1 registers.
    """

    def generate(context, builder, signature, arguments):
        tile, kind = signature.return_type, context.get_data_type(M.dtype)
        matrix = RowAddresses(context, builder, M, arguments[1])
        starts = [matrix.address(row, arguments[3]) for row in cgutils.unpack_tuple(builder, arguments[2])]
        numbers = [load_many(builder, start, kind, tile.lanes) for start in starts]
        if M.dtype.bitwidth < tile.dtype.bitwidth:  # narrow numbers are the cheaper to interleave
            turned = [converted(builder, part, tile.vector) for part in interleaved(builder, numbers)]
        else:
            turned = interleaved(builder, [converted(builder, row, tile.vector) for row in numbers])
        return build(builder, context, tile, turned)

    return TileType(BLOCK, 1, like.dtype)(like, M, rows, types.intp), generate


def load_many(builder, address, kind, count):
    """Return ``count`` numbers of a kind, which may lie anywhere, as one vector, however many registers it takes."""
    value = builder.load(builder.bitcast(address, ir.VectorType(kind, count).as_pointer()))
    value.align = 1
    return value


def load_some(builder, address, kind, count, mask):
    """Return those of ``count`` numbers of a kind whose bits of the mask are set, as one vector, others as zeros.

    Where a bit is not set nothing is read, so no memory need be there. mask: an integer, its lowest bits count
    """
    vector = ir.VectorType(kind, count)
    bits = builder.bitcast(builder.trunc(mask, ir.IntType(count)), ir.VectorType(ir.IntType(1), count))
    place, anywhere = builder.bitcast(address, vector.as_pointer()), ir.Constant(ir.IntType(32), 1)
    name = f"llvm.masked.load.v{count}{kind.intrinsic_name}.p0v{count}{kind.intrinsic_name}"
    return call_llvm(builder, name, vector, place, anywhere, bits, ir.Constant(vector, None))


def store_many(builder, numbers, address, alignment):
    """Write one vector to where an address points, which is aligned to so many bytes."""
    builder.store(numbers, builder.bitcast(address, numbers.type.as_pointer())).align = alignment


def filled(vector, number):
    """Return a constant vector of a type, the same number in all lanes."""
    return ir.Constant(vector, [number] * vector.count)


def converted(builder, numbers, vector):
    """Return a vector of numbers of any kind as one of such floating-point numbers."""
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
        array = RowAddresses(context, builder, signature.args[1], arguments[1])
        start = array.address(arguments[2], arguments[3])
        row = [_load_vector(builder, tile, array.vector(tile, start, v)) for v in range(tile.vectors)]
        return build(builder, context, tile, row * tile.rows)

    return tile_of(shape, M)(shape, M, types.intp, types.intp), generate


@intrinsic
def load_column(typing_context, shape, M, i, j):
    """``load_column(shape, M, i, j)``: a tile whose every row is ``M[i : i + lanes, j]``; shape: of one vector."""

    def generate(context, builder, signature, arguments):
        tile = signature.return_type
        matrix = RowAddresses(context, builder, signature.args[1], arguments[1])
        places = [matrix.address(builder.add(arguments[2], index(r)), arguments[3]) for r in range(tile.lanes)]
        column = _vector_of(builder, tile.vector, [builder.load(place) for place in places])
        return build(builder, context, tile, [column] * tile.rows)

    return tile_of(shape, M)(shape, M, types.intp, types.intp), generate


@intrinsic
def store(typing_context, tile, M, i, j):
    """``store(tile, M, i, j)``: ``M[i : i + rows, j : j + width] = tile``."""

    def generate(context, builder, signature, arguments):
        tile = signature.args[0]
        matrix = addresses_in(context, builder, signature.args[1], arguments[1], tile)
        registers = registers_of(builder, tile, arguments[0])
        if isinstance(matrix, BlockAddresses):
            registers = _interleaved_blocks(builder, tile, registers)
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
        return build(builder, context, result, [r for part in parts for r in registers_of(builder, one, part)])

    return result(tiles), generate


def _first_column(builder, context, result, numbers):
    """Return a tile of one vector with these numbers, of LLVM, in its first column, and zeros in the others."""
    return build(builder, context, result, [_vector_of(builder, result.vector, [number]) for number in numbers])


@intrinsic
def as_column(typing_context, x):
    """``as_column(x)``: the numbers of a tile of one vector, row after row, as the first column of a tile; else zeros.

    That tile has a row for each number, and one whole register in each.
    """
    result = TileType(x.rows * x.lanes, 1, x.dtype)

    def generate(context, builder, signature, arguments):
        numbers = [n for register in registers_of(builder, x, arguments[0]) for n in _numbers(builder, register)]
        return _first_column(builder, context, result, numbers)

    return result(x), generate


@intrinsic
def first_of_rows(typing_context, x):
    """``first_of_rows(x)``: the first number of each row of a tile of one vector, then zeros, in whole registers."""
    result = TileType(x.rows, 1, x.dtype)

    def generate(context, builder, signature, arguments):
        numbers = [_numbers(builder, register)[0] for register in registers_of(builder, x, arguments[0])]
        return _first_column(builder, context, result, numbers)

    return result(x), generate


@intrinsic
def load_transposed(typing_context, M, i, j):
    """``load_transposed(M, i, j)``: the transpose of ``M[i : i + lanes, j : j + lanes]``, a tile of lanes x 1.

    It takes log2(lanes) rounds of exchanging halves of registers.
    """
    lanes = VECTOR_BYTES * 8 // M.dtype.bitwidth

    def generate(context, builder, signature, arguments):
        tile = signature.return_type
        matrix = RowAddresses(context, builder, signature.args[0], arguments[0])
        starts = [matrix.address(builder.add(arguments[1], index(r)), arguments[2]) for r in range(tile.lanes)]
        rows = [_load_vector(builder, tile, matrix.vector(tile, start, 0)) for start in starts]
        return build(builder, context, tile, transposed(builder, rows))

    return TileType(lanes, 1, M.dtype)(M, types.intp, types.intp), generate


# ---- arithmetic ----


@intrinsic
def outer(typing_context, acc, X, i, k, W, kw, j):
    """``outer(acc, X, i, k, W, kw, j)``: ``acc + X[i : i + rows, k] (outer) W[kw, j : j + width]``."""

    def generate(context, builder, signature, arguments):
        acc, X, i, k, W, kw, j = arguments
        tile = signature.args[0]
        left = addresses_in(context, builder, signature.args[1], X, tile)
        right = RowAddresses(context, builder, signature.args[4], W)
        start = right.address(kw, j)
        row = [_load_vector(builder, tile, right.vector(tile, start, v)) for v in range(tile.vectors)]
        for r, address in enumerate(left.column(tile, i, k)):
            x = splat(builder, tile.vector, builder.load(address))
            for v in range(tile.vectors):
                n = r * tile.vectors + v
                term = multiply_add(builder, x, row[v], builder.extract_value(acc, n))
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
            registers_of(builder, tile, value)
            if isinstance(kind, TileType)
            else [splat(builder, tile.vector, value)] * tile.count
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        return build(builder, context, tile, [multiply_add(builder, *given) for given in zip(*operands, strict=True)])

    return x(x, *(kind if isinstance(kind, TileType) else x.dtype for kind in (y, z))), generate


def _larger(builder, x, y):
    # written so that a NaN in x stays: a diverging network must show
    return builder.select(builder.fcmp_ordered("<", x, y), y, x)


def _one_where_greater(builder, x, y):
    one = splat(builder, x.type, ir.Constant(x.type.element, 1.0))
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
        x = registers_of(builder, tile, arguments[0])
        if isinstance(signature.args[1], TileType):
            y = registers_of(builder, tile, arguments[1])
        else:
            y = [splat(builder, tile.vector, arguments[1])] * tile.count
        return build(builder, context, tile, [operation(builder, p, q) for p, q in zip(x, y, strict=True)])

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
        result = TileType(x.rows, 1, x.dtype, x.lanes)

        def generate(context, builder, signature, arguments):
            registers = registers_of(builder, x, arguments[0])
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
            return build(builder, context, result, totals)

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
        limit, filler = splat(builder, index, count), splat(builder, tile.vector, fill)
        kept = []
        for n, register in enumerate(registers_of(builder, tile, x)):
            column = ir.Constant(index, [n % tile.vectors * tile.lanes + lane for lane in range(tile.lanes)])
            kept.append(builder.select(builder.icmp_signed("<", column, limit), register, filler))
        return build(builder, context, tile, kept)

    return x(x, types.intp, x.dtype), generate


def _per_register(generate_one):
    """Make an intrinsic of one tile from a function of one register."""

    @intrinsic
    def apply(typing_context, x):
        def generate(context, builder, signature, arguments):
            tile = signature.args[0]
            registers = [generate_one(builder, tile, r) for r in registers_of(builder, tile, arguments[0])]
            return build(builder, context, tile, registers)

        return x(x), generate

    return apply


def _significand_bits(tile):
    return 23 if tile.dtype == types.float32 else 52


def _integer_maker(builder, tile):
    # adding 1.5 * 2^23 leaves no bits for a fraction, and the integer in the lowest bits
    return splat(builder, tile.vector, ir.Constant(tile.vector.element, 1.5 * 2.0 ** _significand_bits(tile)))


def _round(builder, tile, x):
    magic = _integer_maker(builder, tile)
    return builder.fsub(builder.fadd(x, magic), magic)


def _power_of_two(builder, tile, n):
    bits = _significand_bits(tile)
    integer = ir.IntType(tile.dtype.bitwidth)
    shifted = builder.bitcast(builder.fadd(n, _integer_maker(builder, tile)), ir.VectorType(integer, tile.lanes))
    exponent = builder.shl(shifted, splat(builder, shifted.type, ir.Constant(integer, bits)))
    bias = (2 ** (tile.dtype.bitwidth - bits - 2) - 1) << bits
    total = builder.add(exponent, splat(builder, shifted.type, ir.Constant(integer, bias)))
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
        address = RowAddresses(context, builder, M, arguments[0]).address(*arguments[1:])
        numbers = load_many(builder, address, kind, 64)
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
