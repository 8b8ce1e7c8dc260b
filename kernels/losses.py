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
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.targets import weight_of
from fastmlp.kernels.tile import load, room_for, store

# One register is a long chain of operations that wait for one another: two side by side take hardly more time
_ABREAST = Shape(1, 2)


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


@kernel
def logistic_nll(Z, targets, order, start, first, last, outputs, scale, losses):
    """As ``squared_error``, for the logistic loss, an output of as many rows at a time as two registers have lanes."""
    scores, wanted, found = room_for(_ABREAST, Z), room_for(_ABREAST, Z), room_for(_ABREAST, Z)
    abreast = scores.shape[1]
    for i in range(first, last, abreast):
        rows = min(abreast, last - i)
        for r in range(rows):
            losses[i + r] = 0.0
        for c in range(outputs):
            for r in range(rows):
                scores[0, r] = Z[i + r, c]
                wanted[0, r] = targets.values[row_number(order, start + i + r) * outputs + c]
            z, t = load(_ABREAST, scores, 0, 0), load(_ABREAST, wanted, 0, 0)
            e, positive = exp(absolute(z) * -1.0), z > 0.0
            probability = ((positive * -1.0 + 1.0) * e + positive) / (e + 1.0)
            store(max(z, 0.0) - t * z + log_of_one_plus(e), found, 0, 0)
            store((probability - t) * scale, scores, 0, 0)
            for r in range(rows):
                losses[i + r] += found[0, r]
                Z[i + r, c] = scores[0, r]
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
