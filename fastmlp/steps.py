"""What differs from minibatch to minibatch, as the compiled epoch reads it."""

import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels.update import COLUMNS, DECAY, RATE, SEED, SHARE, SHRINKAGE

Floats = NDArray[np.float64]


def steps_of(
    rates: Floats,
    shares: Floats,
    decays: Floats | float = 0.0,
    shrinkage: float = 0.0,
    seeds: Floats | float = 0.0,
) -> NDArray[np.float64]:
    """Return steps (minibatches, COLUMNS) of these learning rates.

    shares: see ``shares_of``; decays, shrinkage: see ``Descent``; seeds: of dropout, whole numbers below 2^32
    """
    steps = np.empty((len(rates), COLUMNS))
    steps[:, RATE], steps[:, SHARE], steps[:, DECAY], steps[:, SHRINKAGE] = rates, shares, decays, shrinkage
    steps[:, SEED] = seeds
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
