"""The processor's vector registers, and the shapes of tiles that are made of them."""

from numba import types
from numba.core.imputils import lower_getattr
from numba.core.registry import cpu_target
from numba.core.typing.templates import AttributeTemplate, infer_getattr

from fastmlp.kernels.jit import fix_when_compiled

_TRIPLE, _PROCESSOR, _flags = cpu_target.target_context.codegen().magic_tuple()
FEATURES = {flag[1:] for flag in _flags.split(",") if flag.startswith("+")}
"""What the processor that Numba compiles for has, in LLVM's names."""


def _vector_unit() -> tuple[int, int]:
    """Return how many bytes a vector register holds, and how many registers there are."""
    if "avx512f" in FEATURES:
        return 64, 32
    if "avx" in FEATURES:
        return 32, 16
    return 16, 32 if _TRIPLE.startswith(("aarch64", "arm64")) else 16


VECTOR_BYTES, REGISTERS = _vector_unit()
HAS_ESTIMATES = VECTOR_BYTES == 64
"""Whether the processor can estimate 1 / x and 1 / sqrt(x) to 14 bits, as AVX-512 can."""

ZEN = int(_PROCESSOR.removeprefix("znver")) if _PROCESSOR.startswith("znver") else 0
"""Which of AMD's Zens the processor is, 0 for others. From the fifth on they multiply twice as often in a cycle."""

LINE_BYTES = 64
"""What the processor's caches hold together."""

BLOCK = 4
"""Rows of a block: the height of tiles, or half of it."""

WORD_BITS = 6
WORD = 1 << WORD_BITS
"""Bits of a word, each of which tells whether a number is zero (kernels.zeros)."""
WORD_BYTES = WORD // 8
"""Bytes of a word."""

STRIP = 64
"""Rows of a strip, some tiles one below the other."""


class Shape:
    """The shape of a tile: rows x vectors. A constant of the kernels, known when they are compiled.

    lanes: how many numbers a vector has; 0 stands for as many as a register holds
    """

    def __init__(self, rows: int, vectors: int, lanes: int = 0):
        self.rows, self.vectors, self.lanes = rows, vectors, lanes


class ShapeType(types.Type):
    """The Numba type of one Shape."""

    def __init__(self, shape):
        self.rows, self.vectors, self.lanes = shape.rows, shape.vectors, shape.lanes
        super().__init__(name=f"Shape({self.rows}x{self.vectors}x{self.lanes})")


fix_when_compiled(Shape, ShapeType)


# constants: a function for each would have to be compiled for each shape
@infer_getattr
class _ShapeAttributes(AttributeTemplate):
    key = ShapeType

    def resolve_rows(self, shape):
        return types.intp

    def resolve_row(self, shape):
        return ShapeType(Shape(1, shape.vectors, shape.lanes))

    def resolve_strip(self, shape):
        return ShapeType(Shape(STRIP, shape.vectors))

    def resolve_of_blocks(self, shape):  # of so many rows, each the numbers of a block's rows in one column
        return ShapeType(Shape(shape.rows, 1, BLOCK))


@lower_getattr(ShapeType, "rows")
def _rows_of(context, builder, shape, value):
    return context.get_constant(types.intp, shape.rows)


@lower_getattr(ShapeType, "row")
@lower_getattr(ShapeType, "strip")
@lower_getattr(ShapeType, "of_blocks")
def _shape_of(context, builder, shape, value):
    return value
