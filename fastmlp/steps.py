"""What differs from minibatch to minibatch, as the compiled epoch reads it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels.rules import COLUMNS, DECAY, FIRST, RATE, ROWS_OF_STEP, SEED, SHARE, SHRINKAGE

Floats = NDArray[np.float64]


def steps_of(
    rows: int,
    batch_size: int,
    rates: Floats | float,
    shares: Floats | float,
    decays: Floats | float = 0.0,
    shrinkage: float = 0.0,
    seeds: Floats | float = 0.0,
) -> Floats:
    """Return the steps (minibatches, COLUMNS) of so many rows, with a shorter minibatch at the end.

    rates: learning rates; shares: see ``shares_of``; decays, shrinkage: see ``Descent``; seeds: of dropout, whole
    numbers below 2^32
    """
    starts = np.arange(0, rows, batch_size)
    steps = np.empty((len(starts), COLUMNS))
    steps[:, FIRST], steps[:, ROWS_OF_STEP] = starts, np.minimum(batch_size, rows - starts)
    steps[:, RATE], steps[:, SHARE], steps[:, DECAY] = rates, shares, decays
    steps[:, SHRINKAGE], steps[:, SEED] = shrinkage, seeds
    return steps


def mean_loss(losses: Floats, steps: Floats) -> Any:
    """Return the mean of the losses of minibatches (..., minibatches), each by its number of rows.

    An epoch's mean has the same bits alone and among those of others.
    """
    rows = steps[:, ROWS_OF_STEP]
    return (losses * rows).sum(axis=-1) / rows.sum()


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
