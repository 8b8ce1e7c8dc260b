"""What differs from minibatch to minibatch, as the compiled epoch reads it."""

import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels.update import DECAY, RATE, SHARE, SHRINKAGE

Floats = NDArray[np.float64]


def steps_of(
    rates: Floats, shares: Floats, decays: Floats | float = 0.0, shrinkages: Floats | float = 0.0
) -> NDArray[np.float64]:
    """Return steps (minibatches, 4) of these learning rates; the others as ``shares_of`` and ``Descent`` describe."""
    steps = np.empty((len(rates), 4))
    steps[:, RATE], steps[:, SHARE], steps[:, DECAY], steps[:, SHRINKAGE] = rates, shares, decays, shrinkages
    return steps


def shares_of(order: NDArray[np.int64], batch_size: int, weights: Floats) -> Floats:
    """Return what the loss of a row of weight 1 counts in each minibatch of rows in that order: 1 / (sum of weights).

    weights: (N,), or (0,) where all are 1. A minibatch without weight counts nothing.
    """
    starts = np.arange(0, len(order), batch_size)
    if weights.size:
        sums = np.add.reduceat(weights[order], starts)
    else:
        sums = np.minimum(batch_size, len(order) - starts).astype(np.float64)
    return np.divide(1.0, sums, out=np.zeros(len(sums)), where=sums > 0)
