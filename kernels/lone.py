"""Products of an output layer of one unit, as regression and two classes have it: rows, not units, fill registers.

A panel has at least one register of units. Here all but one of them would be padding, and the products of every row
with it would take as long as with so many units. Of the inputs, which lie in blocks, a vector holds those of a block.
"""

from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.rules import descend
from fastmlp.kernels.shape import BLOCK, Shape
from fastmlp.kernels.tile import as_column, first_of_rows, fused, keep_first, load, load_column, row_sum, store, zeros
from fastmlp.kernels.views import blocks_as_rows, matrix

_ONE_BLOCK = Shape(1, 1, BLOCK)


@part
def _score_blocks(shape, X, W, b, G, j, block, depth):
    """Write the scores of blocks of rows, from ``block`` on, to column j of G, and zeros into the padding behind it.

    shape: a row for each block, of a vector of BLOCK numbers; X: (blocks, >= depth * BLOCK)
    """
    z = zeros(shape, G) + b[0, 0]
    for k in range(depth):
        z = fused(load(shape, X, block, k * BLOCK), W[k, 0], z)
    store(as_column(z), G, block * BLOCK, j)


@kernel
def affine_lone(shape, choice, inputs, W, b, A, G, j, first, last, begin, end):
    """As ``matmul.affine``, of the output layer: the same scores to the last bit.

    shape: of the tiles of a panel of one vector; first: a multiple of BLOCK; begin: 0; W: (>= end, width), of which
    only the first column is read; G: (>= last in whole blocks, >= j + width)
    """
    X, block, blocks = blocks_as_rows(inputs.X), first // BLOCK, (last + BLOCK - 1) // BLOCK
    while block + shape.rows <= blocks:
        _score_blocks(shape.of_blocks, X, W, b, G, j, block, end)
        block += shape.rows
    while block < blocks:
        _score_blocks(_ONE_BLOCK, X, W, b, G, j, block, end)
        block += 1


@kernel
def update_lone(shape, rule, inputs, G, j, panel, first, last, depth, descent):
    """As ``update.update``, of the output layer: the first rows of all blocks are summed up, the second, and so on.

    shape: of the tiles of a panel of one vector; G: (>= depth in whole blocks, > j), of which only column j is read
    """
    columns, blocks, rest = inputs.X.shape[1], depth // BLOCK, depth % BLOCK
    X = matrix(inputs.X, 0, inputs.X.shape[0] * columns, BLOCK)
    for i in range(first, last, shape.rows):
        sums = zeros(shape.of_blocks, G)
        for block in range(blocks):
            g = load_column(shape.of_blocks, G, block * BLOCK, j)
            sums = fused(load(shape.of_blocks, X, block * columns + i, 0), g, sums)
        if rest:
            g = keep_first(load_column(shape.of_blocks, G, blocks * BLOCK, j), rest, 0.0)
            x = keep_first(load(shape.of_blocks, X, blocks * columns + i, 0), rest, 0.0)
            sums = fused(x, g, sums)
        descend(rule, shape, first_of_rows(row_sum(sums)), panel, i, descent)
