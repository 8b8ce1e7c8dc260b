"""How far a result may lie from the oracle's: one table, by operation and dtype, scaled by what was summed."""

import numpy as np

# In units of eps * magnitude * terms: ``magnitude`` bounds a single term of the sums that lead to a number, ``terms``
# is how many there are. Partial sums of random terms, and their rounding errors, each grow with the root of that.
UNITS = {
    "matmul_bias": {"float32": 1.0, "float64": 1.0},
    "relu": {"float32": 0.0, "float64": 0.0},
    "relu_mask": {"float32": 0.0, "float64": 0.0},
    "softmax_nll": {"float32": 4.0, "float64": 4.0},
    "backward_update": {"float32": 2.0, "float64": 2.0},
    # of whole networks, where layers count as terms: losses and gradients are means over rows
    "scores": {"float32": 4.0, "float64": 4.0},
    "loss": {"float32": 8.0, "float64": 8.0},
    "gradient": {"float32": 8.0, "float64": 8.0},
    # of training, where layers * steps count: each step starts from the differences that the last one left
    "trajectory": {"float32": 8.0, "float64": 8.0},
}
CENTRAL_DIFFERENCE = 1e-5  # of the largest component: the step's own error, (eps / step and step^2)


def tolerance(operation, dtype, magnitude=1.0, terms=1):
    """Return the largest absolute error that passes."""
    dtype = np.dtype(dtype)
    return UNITS[operation][dtype.name] * float(np.finfo(dtype).eps) * magnitude * terms


def assert_close(actual, expected, operation, dtype, magnitude=1.0, terms=1):
    """Check an array's dtype, its shape, and every number in it; NaN never passes."""
    assert actual.dtype == dtype
    assert actual.shape == np.shape(expected)
    error = np.abs(actual.astype(np.float64) - expected)
    assert error.max() <= tolerance(operation, dtype, magnitude, terms)


def assert_loss_close(actual, expected, operation, dtype, magnitude=1.0, terms=1):
    """Check a loss, a plain float whatever the dtype it was computed in."""
    assert isinstance(actual, float)
    assert abs(actual - expected) <= tolerance(operation, dtype, magnitude, terms)
