"""Epochs without progress, counted inside a call of many epochs: it ends with the one that may be the last of all."""

import math
from typing import NamedTuple

import numpy as np

from fastmlp.kernels.jit import part
from fastmlp.kernels.rules import ROWS_OF_STEP

BEST, WAITED, TRAINED = range(3)
"""What is counted: the least loss of an epoch, epochs without progress since, and minibatches that were trained on."""
_ROUNDING = 1e-12  # whoever has the last word may add up losses in another order, and must find no earlier end


class Patience(NamedTuple):
    """How many epochs in a row may make no progress, counted from call to call.

    minibatches: of an epoch; 0 where all are trained on, and nothing is counted
    tol: by how much a loss must be below the least one to be progress; most: how many epochs may make none
    counts: (3,) float64, see BEST
    """

    minibatches: int
    tol: float
    most: float
    counts: np.ndarray

    @property
    def is_over(self) -> bool:
        """Whether more epochs have made no progress than may."""
        return bool(self.counts[WAITED] > self.most)

    def trained_of(self, minibatches: int) -> int:
        """Return on how many of the minibatches was trained that were given."""
        return int(self.counts[TRAINED]) if self.minibatches else minibatches


def patience_of(minibatches: int, best: float, tol: float, waited: float, most: float) -> Patience:
    """Return the patience with epochs of so many minibatches, after the least loss and epochs without progress."""
    return Patience(minibatches, float(tol), float(most), np.array([best, waited, 0.0]))


ENDLESS = patience_of(0, math.inf, 0.0, 0.0, math.inf)


@part
def ends_epoch(patience, done):
    """Tell whether the last of so many minibatches was that of an epoch that is counted."""
    return patience.minibatches > 0 and done % patience.minibatches == 0


@part
def loss_of_epoch(patience, losses, steps, done):
    """Return the loss of the epoch that ends with the last of so many minibatches."""
    total, rows = 0.0, 0.0
    for step in range(done - patience.minibatches, done):
        for p in range(losses.shape[1]):
            total += losses[step, p] * steps[step, ROWS_OF_STEP]
        rows += steps[step, ROWS_OF_STEP]
    return total / rows


@part
def is_progress(patience, best, loss):
    """Tell whether a loss is so much below the least one; what is no number is left to whoever looks at it."""
    return not loss > best - patience.tol - _ROUNDING * abs(best)


@part
def keep_count(patience, best, waited, done):
    """Write down what was counted in a call that trained on so many minibatches; one member does."""
    if patience.minibatches > 0:
        patience.counts[BEST], patience.counts[WAITED] = best, waited
        patience.counts[TRAINED] += done
