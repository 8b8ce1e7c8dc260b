"""Where the numbers of matrices lie, as LLVM computes it for tiles.

Matrices are two-dimensional arrays, C-ordered ("rows are contiguous"), or lie *in blocks* of BLOCK rows whose numbers
are interleaved: C-ordered arrays (blocks, columns, BLOCK), number (i, k) being ``M[i // BLOCK, k, i % BLOCK]``. A tile
then finds a column of its rows side by side, in one cache line, and reads on from there for the next column; and the
tiles of the transpose find all they need of BLOCK rows together. A single row is a block of height 1. Nothing here
checks bounds: callers see to it that whole tiles lie inside their arrays.
"""

from functools import reduce

from llvmlite import ir
from numba.core import cgutils

from fastmlp.kernels.shape import BLOCK


def index(value: int) -> ir.Constant:
    """Return a number of steps between addresses."""
    return ir.Constant(ir.IntType(64), value)


class RowAddresses:
    """Addresses inside a matrix of rows."""

    def __init__(self, context, builder, array_type, value):
        self.builder, self.type = builder, array_type
        array = context.make_array(array_type)(context, builder, value)
        self.data = array.data
        self.shape = cgutils.unpack_tuple(builder, array.shape)

    def address(self, i, j):
        """Return where number (i, j) lies."""
        b = self.builder
        return b.gep(self.data, [b.add(b.mul(i, self.shape[1]), j)])

    def column(self, tile, i, k):
        """Return where (i, k), (i + 1, k) ... lie, one for each row of a tile."""
        return [self.address(self.builder.add(i, index(r)), k) for r in range(tile.rows)]

    def registers(self, tile, i, j):
        """Return where the registers of a tile at (i, j) lie."""
        return [self.vector(tile, row, v) for row in self.column(tile, i, j) for v in range(tile.vectors)]

    def vector(self, tile, pointer, v):
        """Return where the v-th register lies that begins behind a pointer to a number."""
        pointer = self.builder.gep(pointer, [index(v * tile.lanes)])
        return self.builder.bitcast(pointer, tile.vector.as_pointer())


class BlockAddresses(RowAddresses):
    """Addresses inside a matrix in blocks, or the transpose of one; a tile begins at a multiple of its rows."""

    def address(self, i, j):
        """Return where number (i, j) lies."""
        b = self.builder
        of_rows, of_columns = (j, i) if self.is_transpose else (i, j)
        block, within = b.ashr(of_rows, index(BLOCK.bit_length() - 1)), b.and_(of_rows, index(BLOCK - 1))
        row = [b.mul(block, b.mul(self.shape[1], index(BLOCK))), within]
        column = [b.mul(of_columns, index(BLOCK))]
        # what depends on i comes first: loops over j then compute it once
        return reduce(
            lambda at, step: b.gep(at, [step]), column + row if self.is_transpose else row + column, self.data
        )

    @property
    def is_transpose(self):
        """Whether rows and columns of the array have changed places."""
        return self.type.layout == "F"

    def column(self, tile, i, k):
        """Return where (i, k), (i + 1, k) ... lie, one for each row of a tile."""
        # distances from as few addresses as can be, which the processor adds as it loads
        rows, step = (tile.rows, BLOCK) if self.is_transpose else (BLOCK, 1)
        starts = [self.address(self.builder.add(i, index(r)), k) for r in range(0, tile.rows, rows)]
        return [self.builder.gep(start, [index(r * step)]) for start in starts for r in range(rows)]

    def registers(self, tile, i, j):
        """Return where the registers of a tile at (i, j) lie, in the order in which they lie there."""
        starts = [self.address(self.builder.add(i, index(r)), j) for r in range(0, tile.rows, BLOCK)]
        return [self.vector(tile, start, n) for start in starts for n in range(BLOCK * tile.vectors)]


def addresses_in(context, builder, array_type, value, tile=None):
    """Return what knows the addresses of an array: for tiles of one row, one in blocks is a matrix of rows."""
    has_blocks = array_type.ndim == 3 and (tile is None or tile.rows > 1)
    return (BlockAddresses if has_blocks else RowAddresses)(context, builder, array_type, value)
