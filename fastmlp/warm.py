"""Compiling ahead of time, so that no later fit waits."""

import time
from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
from scipy.sparse import csr_array

from fastmlp.architecture import Architecture
from fastmlp.engine import Engine, Regime
from fastmlp.kernels import program, update
from fastmlp.kernels.gather import READ_IN_PLACE, rows_of
from fastmlp.kernels.inputs import ENTRIES, EVERYTHING, NONZEROS
from fastmlp.kernels.layout import PANEL_EFFICIENCY, lanes
from fastmlp.kernels.sparse import sparse_rows_of
from fastmlp.options import DTYPES


def warmup(dtypes: str | Iterable[str] = ("float32",)) -> float:
    """Compile every kernel that training and predicting may need and keep them on disk; return the seconds it took.

    dtypes : of the networks that will be trained, "float32" or "float64" or both

    Other activations than ReLU, dropout and clipping are left to the first fit that asks for them.

    What is compiled already is only loaded. Raises ValueError for another dtype.
    """
    began = time.perf_counter()
    chosen = (dtypes,) if isinstance(dtypes, str) else tuple(dtypes)
    for dtype in chosen:
        if dtype not in DTYPES:
            raise ValueError(f"dtypes must be of {', '.join(DTYPES)}, got {dtype!r}")
    for dtype in chosen:
        kinds = [np.zeros((1, 1), kind) for kind in READ_IN_PLACE]
        dense = [rows_of(X, 1.0, dtype) for X in kinds]
        sparse = [sparse_rows_of(csr_array(X), 1.0, dtype) for X in kinds]
        for engine in _engines(dtype):
            rows = (sparse if engine.regime.visiting is ENTRIES else dense)[0]
            engine.compile(rows)
            engine.predictor.compile(rows)
            engine.predictor.compile(rows, single=True)
    return time.perf_counter() - began


def _engines(dtype: str) -> Iterator[Engine]:
    """Yield networks that between them need every width of panel, first, hidden or last, and every rule and loss."""
    for rule, vectors, visiting in product(update.SLOTS, PANEL_EFFICIENCY, (EVERYTHING, NONZEROS, ENTRIES)):
        units = vectors * lanes(dtype)
        for sizes in ((1, units, units, units), (1, units)):
            regime = Regime(1, rule, 1, visiting, squares=visiting is not ENTRIES)
            yield Engine(Architecture(sizes, np.dtype(dtype)), regime)
    for loss in program.LOSSES:
        yield Engine(Architecture((1, 1), np.dtype(dtype), loss=loss), Regime(1, update.SGD, 1))
