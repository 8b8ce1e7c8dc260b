"""What a network is to learn of each row of data: its class or its values, and how much it counts."""

from typing import NamedTuple

import numpy as np
from numba import from_dtype, types

from fastmlp.kernels.jit import part

NO_LABELS, NO_WEIGHTS = np.zeros(0, np.int64), np.zeros(0)


class Targets(NamedTuple):
    """Targets of N rows: ``labels`` for softmax, ``values`` for the other losses."""

    labels: np.ndarray  # (N,) int64 class numbers, or (0,)
    values: np.ndarray  # (N * C,) of the compute dtype, row by row, or (0,)
    weights: np.ndarray  # (N,) float64, or (0,): all rows count 1
    smoothing: float  # the share of a label's probability that goes to all classes alike


def labels_of(labels: np.ndarray, dtype, weights: np.ndarray = NO_WEIGHTS, smoothing: float = 0.0) -> Targets:
    """Describe class numbers (N,) int64."""
    return Targets(labels, np.zeros(0, dtype), weights, smoothing)


def values_of(values: np.ndarray, dtype, weights: np.ndarray = NO_WEIGHTS) -> Targets:
    """Describe values (N, C), which are copied unless they are C-ordered and of the dtype."""
    return Targets(NO_LABELS, np.ascontiguousarray(values, dtype).reshape(-1), weights, 0.0)


def targets_type(dtype) -> types.NamedTuple:
    """Return the Numba type of Targets."""
    labels, weights = types.Array(types.int64, 1, "C"), types.Array(types.float64, 1, "C")
    return types.NamedTuple((labels, types.Array(from_dtype(np.dtype(dtype)), 1, "C"), weights, types.float64), Targets)


@part
def weight_of(targets, row):
    """Return how much a row counts."""
    return targets.weights[row] if targets.weights.size else 1.0
