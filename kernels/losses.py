"""Losses of outputs that stand for themselves, and their gradients by the scores: all are (prediction - target).

For a score z and its target t, with C outputs:

    squared_error    prediction z              loss (z - t)^2 / 2, the mean over outputs
    logistic_nll     1 / (1 + exp(-z))         loss max(z, 0) - t z + log(1 + exp(-|z|)), the sum over outputs
    poisson_nll      exp(z)                    loss t log t - t z - t + exp(z), half the deviance, the sum over outputs

The gradient of the squared error is that of the sum over outputs, as scikit-learn has it. No prediction is clipped.
"""

import math

from fastmlp.kernels.elementary import absolute, exp, log_of_one_plus
from fastmlp.kernels.gather import row_number
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.softmax_nll import ABREAST
from fastmlp.kernels.targets import weight_of
from fastmlp.kernels.tile import VECTOR_BYTES, Shape, keep_first, load, room_for, row_sum, store

_TILE = Shape(ABREAST, 1)


@part
def _xlogx(t):
    return t * math.log(t) if t > 0.0 else 0.0


@kernel
def squared_error(Z, targets, order, start, first, last, outputs, scale, losses):
    """Replace rows first..last of the scores by ``scale * weight * (z - t)``, and write each row's weighted loss.

    Arguments as for ``softmax_nll``; targets hold values.
    """
    for i in range(first, last):
        row = row_number(order, start + i)
        weight, total = weight_of(targets, row), 0.0
        for c in range(outputs):
            error = float(Z[i, c]) - float(targets.values[row * outputs + c])
            total += error * error
            Z[i, c] = Z.dtype.type(error * (scale * weight))
        losses[i] = 0.5 * weight * total / outputs


@part
def _copy_targets(targets, order, start, rows, outputs, c, out):
    """Copy the values from column c on of up to a tile of rows."""
    for r in range(rows):
        row = row_number(order, start + r)
        for j in range(min(out.shape[1], outputs - c)):
            out[r, j] = targets.values[row * outputs + c + j]


@kernel
def logistic_nll(Z, targets, order, start, first, last, outputs, scale, losses):
    """As ``squared_error``, for the logistic loss, a tile at a time."""
    T, total = room_for(_TILE, Z), room_for(_TILE, Z)
    lanes = VECTOR_BYTES // Z.itemsize
    for i in range(first, last, ABREAST):
        rows = min(ABREAST, last - i)
        for r in range(rows):
            losses[i + r] = 0.0
        for c in range(0, outputs, lanes):
            _copy_targets(targets, order, start + i, rows, outputs, c, T)
            z, t = load(_TILE, Z, i, c), load(_TILE, T, 0, 0)
            e, positive = exp(absolute(z) * -1.0), z > 0.0
            loss = max(z, 0.0) - t * z + log_of_one_plus(e)
            probability = ((positive * -1.0 + 1.0) * e + positive) / (e + 1.0)
            store(row_sum(keep_first(loss, outputs - c, 0.0)), total, 0, 0)
            store(keep_first((probability - t) * scale, outputs - c, 0.0), Z, i, c)
            for r in range(rows):
                losses[i + r] += total[r, 0]
        for r in range(rows if targets.weights.size else 0):
            weight = targets.weights[row_number(order, start + i + r)]
            losses[i + r] *= weight
            for c in range(outputs):
                Z[i + r, c] *= Z.dtype.type(weight)


@kernel
def poisson_nll(Z, targets, order, start, first, last, outputs, scale, losses):
    """As ``squared_error``, for the Poisson loss."""
    for i in range(first, last):
        row = row_number(order, start + i)
        weight, total = weight_of(targets, row), 0.0
        for c in range(outputs):
            z, t = float(Z[i, c]), float(targets.values[row * outputs + c])
            mean = math.exp(z)
            total += _xlogx(t) - t * z - t + mean
            Z[i, c] = Z.dtype.type((mean - t) * (scale * weight))
        losses[i] = weight * total
