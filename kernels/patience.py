"""Epochs without progress, counted inside a call of many epochs: it ends with the one that may be the last of all."""

import math
from typing import NamedTuple

import numpy as np

from fastmlp.kernels.jit import part
from fastmlp.kernels.rules import ROWS_OF_STEP


class Patience(NamedTuple):
    """How many epochs in a row may make no progress, and how many have made none.

    minibatches: of an epoch; 0 where a call trains on all minibatches that it is given
    best: the least loss of an epoch so far; tol: by how much a loss must be below it to be progress
    waited: epochs without any; most: how many there may be
    """

    minibatches: int = 0
    best: float = math.inf
    tol: float = 0.0
    waited: float = 0.0
    most: float = math.inf


ENDLESS = Patience()
_ROUNDING = 1e-12  # whoever has the last word may add up losses in another order, and must find no earlier end


@part
def ends_epoch(patience, done):
    """Tell whether the last of so many minibatches was that of an epoch whose progress counts."""
    return patience.minibatches > 0 and done % patience.minibatches == 0


@part
def after_epoch(patience, losses, steps, done):
    """Return what is left of the patience after the epoch that ends with the last of so many minibatches."""
    total, rows = 0.0, 0.0
    for step in range(done - patience.minibatches, done):
        for p in range(losses.shape[1]):
            total += losses[step, p] * steps[step, ROWS_OF_STEP]
        rows += steps[step, ROWS_OF_STEP]
    loss, best = total / rows, patience.best
    waited = patience.waited + 1.0 if loss > best - patience.tol - _ROUNDING * abs(best) else 0.0
    return Patience(patience.minibatches, min(loss, best), patience.tol, waited, patience.most)


def left_of(patience: Patience, losses: np.ndarray, steps: np.ndarray) -> Patience | None:
    """Return what is left of the patience after a call with these losses, None if nothing is."""
    if patience.minibatches == 0 or len(losses) == 0:
        return patience
    for done in range(patience.minibatches, len(losses) + 1, patience.minibatches):
        patience = after_epoch.py_func(patience, losses, steps, done)
    return None if is_over.py_func(patience) else patience


@part
def is_over(patience):
    """Tell whether more epochs have made no progress than may."""
    return patience.waited > patience.most
