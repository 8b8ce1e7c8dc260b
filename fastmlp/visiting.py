"""How to train on a matrix: what of its inputs a first layer should visit, by what the data shows."""

import math
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.engine import Regime
from fastmlp.inputs import is_sparse
from fastmlp.kernels.inputs import EVERYTHING, NONZEROS, SINGLES, VISIT_ALL, VISIT_ENTRIES, Visiting
from fastmlp.kernels.jit import Choice
from fastmlp.kernels.zeros import GROUP, GROUP_VISIT, single_visit
from fastmlp.threads import thread_limit

SAMPLED_TILES = 64
MOST_ENTRIES = 0.125  # of sparse rows, as a share of all places: where there are more, a dense minibatch costs less
FEWEST_UNITS = 32  # marking what is not zero costs as much as a tenth of their products
WORTH_MARKING = 0.9  # of the time that visiting everything takes


def regime_for(
    X: Any, units: int, batch_size: int, rule: Choice, threads: int | None, squares: bool = False, **others: Any
) -> Regime:
    """Return the regime to train on the matrix X in, a first layer of so many units behind it.

    threads: as they were asked for; squares: whether losses should hold the squares of weights, which they do if a
    step looks at all weights; others: what else there is to say of a Regime
    """
    visiting, visited = to_visit(X, units)
    looks_at_all = visiting != VISIT_ENTRIES or others.get("clip_norm", math.inf) < math.inf
    return Regime(batch_size, rule, thread_limit(threads), visiting, visited, squares and looks_at_all, **others)


def to_visit(X: Any, units: int) -> tuple[Visiting, float | None]:
    """Return what a first layer of so many units should visit of the matrix X, and how many numbers of a row that is.

    None stands for all of them. X may be None: there is no data yet.
    """
    if is_sparse(X) and X.nnz < MOST_ENTRIES * X.shape[0] * X.shape[1]:
        return VISIT_ENTRIES, X.nnz / X.shape[0]
    return VISIT_ALL if X is None else _to_visit_of_dense(X, units), None


def _to_visit_of_dense(X: Any, units: int) -> Visiting:
    """Return what a first layer of so many units should visit of rows X (N, D) that minibatches of are dense.

    A sample of rows shows which share of the products would be left: forward, tiles of rows visit an input if one of
    their rows is not zero there; updating, tiles of inputs visit a row likewise. Singly, each visits its own.
    """
    count, inputs = X.shape
    if units < FEWEST_UNITS or count < GROUP:
        return VISIT_ALL
    tiles = min(SAMPLED_TILES, count // GROUP)
    rows = np.random.default_rng(0).permutation(np.linspace(0, count - 1, tiles * GROUP).astype(np.int64))
    sample = X[rows].toarray() if is_sparse(X) else X[rows]
    filled = np.zeros((len(rows), -(-inputs // GROUP) * GROUP), bool)
    filled[:, :inputs] = sample != 0
    singly = float(filled[:, :inputs].mean()) * single_visit(inputs)
    forward, update = (GROUP_VISIT * _share_in_groups(matrix) for matrix in (filled, filled.T))
    return Visiting(_quickest(forward, singly), _quickest(update, singly))


def _quickest(in_groups: float, singly: float) -> Choice:
    """Return what to visit, given how long groups and single visits take beside visiting everything."""
    times = {EVERYTHING: WORTH_MARKING, NONZEROS: in_groups, SINGLES: singly}
    return min(times, key=times.__getitem__)


def _share_in_groups(filled: NDArray[np.bool_]) -> float:
    """Return the share of places that are visited, if GROUP rows visit a place where any of them is filled."""
    return float(reduce(np.logical_or, (filled[k::GROUP] for k in range(GROUP))).mean())
