"""Stable softmax and negative log-likelihood: the loss and the gradient of the scores in one pass.

For scores z of a row and its class y, with m = max z and s = sum_c exp(z_c - m):

    loss = log s - (z_y - m)          exact however far the scores lie apart: no probability is ever logged
    dz_c = (exp(z_c - m) / s - [c = y]) * scale
"""

import math

import numpy as np

from fastmlp.kernels.elementary import exp
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.tile import VECTOR_BYTES, Shape, keep_first, lane_max, lane_sum, load, store, zeros

_REGISTER = Shape(1, 1)


@part
def _row_maximum(Z, i, classes, lanes):
    largest = zeros(_REGISTER, Z) - np.inf
    for j in range(0, classes, lanes):
        largest = max(largest, keep_first(load(_REGISTER, Z, i, j), classes - j, -np.inf))
    return lane_max(largest)


@part
def _exponentials(Z, i, classes, lanes, maximum):
    """Replace a row by exp(z - maximum), padding by zero; return the sum."""
    total = zeros(_REGISTER, Z)
    for j in range(0, classes, lanes):
        e = keep_first(exp(load(_REGISTER, Z, i, j) - maximum), classes - j, 0.0)
        store(e, Z, i, j)
        total = total + e
    return lane_sum(total)


@part
def softmax_row(Z, i, classes, scale):
    """Replace row i of the scores by ``scale`` times its softmax; return (max z, sum exp(z - max z))."""
    lanes = VECTOR_BYTES // Z.itemsize
    maximum = _row_maximum(Z, i, classes, lanes)
    total = _exponentials(Z, i, classes, lanes, maximum)
    for j in range(0, classes, lanes):
        store(load(_REGISTER, Z, i, j) * (scale / total), Z, i, j)
    return maximum, total


@kernel
def softmax_nll(Z, y, order, start, first, last, classes, scale, losses):
    """Replace rows first..last of the scores by ``scale * (softmax - onehot(y))``, and write each row's loss.

    Z: (>= last, >= classes rounded up to a register), its padding is set to zero
    y: (N,) class numbers; row i of Z is of class ``y[order[start + i]]``; losses: (>= last,) float64
    """
    for i in range(first, last):
        label = y[order[start + i]]
        score = Z[i, label]
        maximum, total = softmax_row(Z, i, classes, scale)
        Z[i, label] -= Z.dtype.type(scale)
        losses[i] = math.log(total) - (np.float64(score) - np.float64(maximum))
