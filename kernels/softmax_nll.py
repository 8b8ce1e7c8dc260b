"""Stable softmax and negative log-likelihood: the loss and the gradient of the scores in one pass.

For scores z of a row and its class y, with m = max z and s = sum_c exp(z_c - m):

    loss = log s - (z_y - m)          exact however far the scores lie apart: no probability is ever logged
    dz_c = (exp(z_c - m) / s - [c = y]) * scale
"""

import math

import numpy as np

from fastmlp.kernels.elementary import exp
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.layout import ROWS
from fastmlp.kernels.tile import VECTOR_BYTES, Shape, keep_first, load, room_for, row_max, row_sum, store, zeros

# One row is a long chain of operations that wait for one another: several side by side take hardly more time
_TILE = Shape(ROWS, 1)


@part
def _row_maxima(shape, Z, i, classes, lanes):
    largest = zeros(shape, Z) - np.inf
    for j in range(0, classes, lanes):
        largest = max(largest, keep_first(load(shape, Z, i, j), classes - j, -np.inf))
    return row_max(largest)


@part
def _exponentials(shape, Z, i, classes, lanes, maxima):
    """Replace rows by exp(z - maximum), padding by zero; return the sums."""
    totals = zeros(shape, Z)
    for j in range(0, classes, lanes):
        e = keep_first(exp(load(shape, Z, i, j) - maxima), classes - j, 0.0)
        store(e, Z, i, j)
        totals = totals + e
    return row_sum(totals)


@part
def softmax(shape, Z, i, classes, scale):
    """Replace rows of the scores, from row i, by ``scale`` times their softmax; shape: as many rows, one vector.

    Returns (max z, sum exp(z - max z)), each a tile whose rows hold one number throughout.
    """
    lanes = VECTOR_BYTES // Z.itemsize
    maxima = _row_maxima(shape, Z, i, classes, lanes)
    totals = _exponentials(shape, Z, i, classes, lanes, maxima)
    factors = (zeros(shape, Z) + scale) / totals
    for j in range(0, classes, lanes):
        store(load(shape, Z, i, j) * factors, Z, i, j)
    return maxima, totals


@kernel
def softmax_nll(Z, y, order, start, first, last, classes, scale, losses):
    """Replace rows first..last of the scores by ``scale * (softmax - onehot(y))``, and write each row's loss.

    Z: (>= last in whole tiles, >= classes rounded up to a register), its padding is set to zero; the rows that fill up
        a tile may hold anything, and do afterwards
    y: (N,) class numbers; row i of Z is of class ``y[order[start + i]]``; losses: (>= last,) float64
    """
    maximum, total = room_for(_TILE, Z), room_for(_TILE, Z)
    for i in range(first, last, ROWS):
        rows = min(ROWS, last - i)
        for r in range(rows):
            losses[i + r] = Z[i + r, y[order[start + i + r]]]
        maxima, totals = softmax(_TILE, Z, i, classes, scale)
        store(maxima, maximum, 0, 0)
        store(totals, total, 0, 0)
        for r in range(rows):
            losses[i + r] = math.log(total[r, 0]) - (losses[i + r] - np.float64(maximum[r, 0]))
            Z[i + r, y[order[start + i + r]]] -= Z.dtype.type(scale)
