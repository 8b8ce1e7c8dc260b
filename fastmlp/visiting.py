"""How to train on a matrix: as what, and what of its inputs a first layer should visit, by what the data shows."""

import math
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.architecture import Architecture
from fastmlp.engine import Regime
from fastmlp.inputs import is_sparse
from fastmlp.kernels.dropout import NO_DROPOUT, Dropout
from fastmlp.kernels.inputs import EVERYTHING, VISIT_ALL, VISIT_ENTRIES, VISIT_SPLIT, Visiting
from fastmlp.kernels.jit import Choice
from fastmlp.kernels.split import split_time
from fastmlp.kernels.zeros import GROUP, ways_to_leave_out
from fastmlp.levels import in_levels, sparse_in_levels
from fastmlp.threads import thread_limit

_BYTE = np.dtype(np.uint8)
SAMPLED_TILES = 64
MOST_ENTRIES = 0.125  # of sparse rows, as a share of all places: where there are more, a dense minibatch costs less
FEWEST_UNITS = 32  # marking what is not zero costs as much as a tenth of their products
WORTH_MARKING = 0.9  # of the time that visiting everything takes
EPOCHS = 10  # that a training is taken to have
# Nanoseconds, of which only their ratios count (kernels/README.md): in which a number is found to be a level, and
# becomes a byte; in which it is multiplied by the weight of a unit, forward and updating; by which a byte is gathered
# faster than a float64, or than a float32 that is not in a cache; and the first two of an entry of a sparse row
LEVEL, PRODUCT, GATHERING_GAIN = 0.6, 0.012, 0.2
LEVEL_OF_ENTRY, GATHERING_GAIN_OF_ENTRY = 3.0, 2.0
FLOATS_IN_CACHE = 1 << 21  # of a matrix of float32, as many as are gathered as fast as bytes
FEWEST_NUMBERS = 1 << 14  # fewer are trained on in less time than it takes to begin to look


def as_trained_on(
    X: Any, design: Architecture, batch_size: int, epochs: int = EPOCHS, dropout: Dropout = NO_DROPOUT
) -> tuple[Any, float]:
    """Return the matrix to train on in the place of X (N, D), and the factor of its numbers.

    Floats that are levels become bytes where so many epochs gain more than finding out costs: bytes are multiplied
    faster, by some processors, and gathered faster, by all. How many epochs there will be must not count: a training
    that goes on for more of them has the bits of one that never stopped.
    """
    if X.dtype.kind != "f":
        return X, 1.0
    if is_sparse(X):
        is_worth_it = not _is_for_entries(X) and epochs * GATHERING_GAIN_OF_ENTRY > LEVEL_OF_ENTRY
        found = sparse_in_levels(X, design.dtype) if is_worth_it else None
    else:
        is_worth_it = epochs * _gain_by_bytes(X, design, batch_size, dropout) > LEVEL
        found = in_levels(X, design.dtype) if is_worth_it else None
    return found or (X, 1.0)


def _gain_by_bytes(X: NDArray[np.floating], design: Architecture, batch_size: int, dropout: Dropout) -> float:
    """Return by how many nanoseconds a number an epoch would be faster if X were bytes."""
    if X.size < FEWEST_NUMBERS:
        return 0.0
    gain = GATHERING_GAIN if X.dtype == np.float64 or X.size > FLOATS_IN_CACHE else 0.0
    time_as_bytes = _time_as_bytes(_BYTE, X.shape[1], batch_size, design, dropout)
    if time_as_bytes < math.inf:
        units = design.sizes[1]
        _, time = _to_visit_of_dense(X, units)
        gain += PRODUCT * units * max(0.0, time - time_as_bytes)
    return gain


def regime_for(
    X: Any,
    design: Architecture,
    batch_size: int,
    rule: Choice,
    threads: int | None,
    squares: bool = False,
    **others: Any,
) -> Regime:
    """Return the regime to train such a network on the matrix X in.

    threads: as they were asked for; squares: whether losses should hold the squares of weights, which they do if a
    step looks at all weights; others: what else there is to say of a Regime
    """
    time_as_bytes, is_dense = math.inf, X is not None and not is_sparse(X)
    if is_dense:
        time_as_bytes = _time_as_bytes(X.dtype, X.shape[1], batch_size, design, others.get("dropout", NO_DROPOUT))
    visiting, visited = to_visit(X, design.sizes[1], time_as_bytes)
    as_bytes = is_dense and X.dtype == _BYTE and not visiting.leaves_out_zeros
    squares = squares and (visiting != VISIT_ENTRIES or others.get("clip_norm", math.inf) < math.inf)
    return Regime(batch_size, rule, thread_limit(threads), visiting, visited, as_bytes, squares, **others)


def _time_as_bytes(kind: np.dtype[Any], columns: int, batch_size: int, design: Architecture, dropout: Dropout) -> float:
    """Return the time of products of bytes beside that of visiting all inputs, infinity if there are none.

    No input may be dropped, and a hidden layer must come first: without one, threads share the rows of the scores, in
    ranges that need not be whole tiles. kind, columns: of the rows
    """
    if len(design.sizes) == 2 or dropout.inputs > 0:
        return math.inf
    return float(split_time(design.dtype, kind, columns, design.sizes[1], batch_size))


def to_visit(X: Any, units: int, time_as_bytes: float = math.inf) -> tuple[Visiting, float | None]:
    """Return what a first layer of so many units should visit of the matrix X, and how many numbers of a row that is.

    None stands for all of them. X may be None: there is no data yet. time_as_bytes: that of products of bytes
    (``fastmlp.kernels.split``) beside that of visiting all inputs
    """
    if is_sparse(X) and _is_for_entries(X):
        return VISIT_ENTRIES, X.nnz / X.shape[0]
    if X is None:
        return VISIT_ALL, None
    visiting, time = _to_visit_of_dense(X, units)
    return VISIT_SPLIT if time_as_bytes < time else visiting, None


def _is_for_entries(X: Any) -> bool:
    """Tell whether a sparse matrix is to be visited by its entries, not as dense minibatches."""
    return bool(X.nnz < MOST_ENTRIES * X.shape[0] * X.shape[1])


def _to_visit_of_dense(X: Any, units: int) -> tuple[Visiting, float]:
    """Return what a first layer should visit of rows X (N, D) of dense minibatches, and that time over all inputs'.

    A sample of rows shows which share of the products would be left: forward, tiles of rows visit an input if one of
    their rows is not zero there; updating, tiles of inputs visit a row likewise. Pairs do too, and singly, each visits
    its own. units: of that layer
    """
    count, inputs = X.shape
    if units < FEWEST_UNITS or count < GROUP:
        return VISIT_ALL, 1.0
    tiles = min(SAMPLED_TILES, count // GROUP)
    rows = np.random.default_rng(0).permutation(np.linspace(0, count - 1, tiles * GROUP).astype(np.int64))
    sample = X[rows].toarray() if is_sparse(X) else X[rows]
    filled = np.zeros((len(rows), -(-inputs // GROUP) * GROUP), bool)
    filled[:, :inputs] = sample != 0
    (forward_time, forward), (update_time, update) = (_quickest(matrix, inputs) for matrix in (filled, filled.T))
    return Visiting(forward, update), (forward_time + update_time) / 2


def _quickest(filled: NDArray[np.bool_], inputs: int) -> tuple[float, Choice]:
    """Return the least time, beside that of visiting everything, and what then is visited.

    filled: (rows, places), or the transpose; inputs: of a row

    Everything takes 1, but is preferred to what saves less than marking zeros is worth.
    """
    ways = ways_to_leave_out(inputs).items()
    times = {kind: time * _share_visited(filled, together) for kind, (together, time) in ways}
    times[EVERYTHING] = WORTH_MARKING
    best = min(times, key=times.__getitem__)
    return (1.0 if best is EVERYTHING else times[best]), best


def _share_visited(filled: NDArray[np.bool_], together: int) -> float:
    """Return the share of places that are visited, if so many rows visit a place where any of them is filled."""
    return float(reduce(np.logical_or, (filled[k::together] for k in range(together))).mean())
