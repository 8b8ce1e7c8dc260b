"""Stable softmax and negative log-likelihood: the loss and the gradient of the scores in one pass.

For scores z of a row and its class y, with m = max z and s = sum_c exp(z_c - m):

    loss = log s - (z_y - m)          exact however far the scores lie apart: no probability is ever logged
    dz_c = (exp(z_c - m) / s - [c = y]) * scale

Smoothing labels by a share e (Szegedy et al., 2016, section 7) puts (1 - e) [c = y] + e / C in the place of [c = y].
"""

import math

import numpy as np

from fastmlp.kernels.elementary import exp
from fastmlp.kernels.gather import row_number
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.layout import ROWS
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.targets import weight_of
from fastmlp.kernels.tile import keep_first, load, room_for, row_max, row_sum, store, zeros
from fastmlp.kernels.views import lanes_of

# One row is a long chain of operations that wait for one another: several side by side take hardly more time
ABREAST = ROWS
_TILE = Shape(ABREAST, 1)


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
    lanes = lanes_of(Z)
    maxima = _row_maxima(shape, Z, i, classes, lanes)
    totals = _exponentials(shape, Z, i, classes, lanes, maxima)
    factors = (zeros(shape, Z) + scale) / totals
    for j in range(0, classes, lanes):
        store(load(shape, Z, i, j) * factors, Z, i, j)
    return maxima, totals


@kernel
def probabilities(shape, Z, rows, classes):
    """Replace the first rows of the scores by their softmax.

    shape: so many rows at once, one vector; Z: as for ``softmax_nll``
    """
    for i in range(0, rows, shape.rows):
        softmax(shape, Z, i, classes, 1.0)


@part
def _target_score(Z, i, targets, row, classes):
    """Return the mean of a row's scores by the probabilities that are its target."""
    score = np.float64(Z[i, targets.labels[row]])
    if targets.smoothing == 0.0:
        return score
    total = 0.0
    for c in range(classes):
        total += Z[i, c]
    return (1.0 - targets.smoothing) * score + targets.smoothing * total / classes


@part
def _subtract_target(Z, i, targets, row, classes, scale, weight):
    """Turn scale * softmax into the gradient of a row's scores."""
    kind = Z.dtype.type
    Z[i, targets.labels[row]] -= kind(scale * (1.0 - targets.smoothing))
    if targets.smoothing == 0.0 and weight == 1.0:
        return
    for c in range(classes):
        Z[i, c] = (Z[i, c] - kind(scale * targets.smoothing / classes)) * kind(weight)


@kernel
def softmax_nll(Z, targets, order, start, first, last, classes, scale, losses):
    """Replace rows first..last of the scores by ``scale * weight * (softmax - onehot(y))``, and write each row's loss.

    Z: (>= last in whole tiles, >= classes rounded up to a register), its padding is set to zero; the rows that fill up
        a tile may hold anything, and do afterwards
    targets: Targets with labels; row i of Z is row ``order[start + i]`` of them, of order (0,) ``start + i``
    losses: (>= last,) float64, weighted as the rows are
    """
    maximum, total = room_for(_TILE, Z), room_for(_TILE, Z)
    for i in range(first, last, ABREAST):
        rows = min(ABREAST, last - i)
        for r in range(rows):
            losses[i + r] = _target_score(Z, i + r, targets, row_number(order, start + i + r), classes)
        maxima, totals = softmax(_TILE, Z, i, classes, scale)
        store(maxima, maximum, 0, 0)
        store(totals, total, 0, 0)
        for r in range(rows):
            row = row_number(order, start + i + r)
            weight = weight_of(targets, row)
            loss = math.log(total[r, 0]) - (losses[i + r] - np.float64(maximum[r, 0]))
            losses[i + r] = weight * loss
            _subtract_target(Z, i + r, targets, row, classes, scale, weight)
