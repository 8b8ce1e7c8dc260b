"""Losses of outputs that stand for themselves, and their gradients by the scores: all are (prediction - target).

For a score z and its target t, with C outputs:

    squared_error    prediction z              loss (z - t)^2 / 2, the mean over outputs
    logistic_nll     1 / (1 + exp(-z))         loss max(z, 0) - t z + log(1 + exp(-|z|)), the sum over outputs
    poisson_nll      exp(z)                    loss t log t - t z - t + exp(z), half the deviance, the sum over outputs

The gradient of the squared error is that of the sum over outputs, as scikit-learn has it. No prediction is clipped.
"""

import math

from fastmlp.kernels.gather import row_number
from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.targets import weight_of


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
    """As ``squared_error``, for the logistic loss."""
    for i in range(first, last):
        row = row_number(order, start + i)
        weight, total = weight_of(targets, row), 0.0
        for c in range(outputs):
            z, t = float(Z[i, c]), float(targets.values[row * outputs + c])
            e = math.exp(-abs(z))
            total += max(z, 0.0) - t * z + math.log1p(e)
            probability = (1.0 if z >= 0.0 else e) / (1.0 + e)
            Z[i, c] = Z.dtype.type((probability - t) * (scale * weight))
        losses[i] = weight * total


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
