"""Compiling ahead of time, so that no later fit waits."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
from scipy.sparse import csr_array

from fastmlp.architecture import Architecture
from fastmlp.engine import Engine, Regime
from fastmlp.kernels import program, rules
from fastmlp.kernels.dropout import Dropout
from fastmlp.kernels.gather import READ_IN_PLACE, rows_of
from fastmlp.kernels.inputs import VISIT_ALL, VISIT_ENTRIES, VISIT_SPLIT, Visiting
from fastmlp.kernels.layout import PANEL_EFFICIENCY, lanes, plan
from fastmlp.kernels.sparse import sparse_rows_of
from fastmlp.kernels.split import WAYS
from fastmlp.kernels.update import MOST_ROWS
from fastmlp.kernels.zeros import ways_to_leave_out
from fastmlp.levels import in_levels
from fastmlp.options import ACTIVATIONS, DTYPES

MANY_UNITS = 1024  # too many for their zeros to be left out
_WAYS_TO_SKIP = [kind for kind, (_, time_of_visit) in ways_to_leave_out(1).items() if time_of_visit < math.inf]


def _kinds(dtype: str) -> list[Visiting]:
    """Return what first layers may visit."""
    split = [VISIT_SPLIT] if np.dtype(dtype) in WAYS else []
    return [VISIT_ALL, VISIT_ENTRIES, *(Visiting(kind, kind) for kind in _WAYS_TO_SKIP), *split]


def warmup(dtypes: str | Iterable[str] | None = None, everything: bool = False) -> float:
    """Compile the kernels that training and predicting need and keep them on disk; return the seconds it took.

    dtypes : of the networks that will be trained, "float32" or "float64" or both; None for "float32", or for both where
        everything is asked for. scikit-learn's estimators, and so ours, train in float64 unless X is float32
    everything : compile what is used less often as well, which takes twice as long: other activations than ReLU,
        dropout and clipping. Without it the first fit that asks for one of these waits a few seconds

    What is compiled already is only loaded. Raises ValueError for another dtype.
    """
    began = time.perf_counter()
    if dtypes is None:
        dtypes = DTYPES if everything else "float32"
    chosen = (dtypes,) if isinstance(dtypes, str) else tuple(dtypes)
    for dtype in chosen:
        if dtype not in DTYPES:
            raise ValueError(f"dtypes must be of {', '.join(DTYPES)}, got {dtype!r}")
    for dtype in chosen:
        kinds = [np.zeros((1, 1), kind) for kind in READ_IN_PLACE]
        dense = [rows_of(X, 1.0, dtype) for X in kinds]
        in_levels(np.ones((1, 1), dtype), np.dtype(dtype))
        if VISIT_SPLIT in _kinds(dtype):
            rows_of(np.zeros((1, 1), np.uint8), 1.0, dtype, WAYS[np.dtype(dtype)].copy)
        sparse = [sparse_rows_of(csr_array(X), 1.0, dtype, spread) for spread in (False, True) for X in kinds]
        for engine in _engines(dtype, everything):
            rows = (sparse if engine.regime.visits_entries else dense)[0]
            engine.compile()
            engine.predictor.compile(rows)
            engine.predictor.compile(rows, single=True)
            _compile_for_larger_minibatches(engine)
    return time.perf_counter() - began


def _compile_for_larger_minibatches(engine: Engine) -> None:
    """Compile for minibatches that are large (``fastmlp.kernels.update``), and for all ways to share one."""
    if not engine.regime.visits_entries:
        layers, chosen = len(engine.sizes) - 1, engine.chosen
        none, first, others = (False,) * layers, (True, *[False] * (layers - 1)), (False, *[True] * (layers - 1))
        ways = [(1, none)] if chosen.clips else [(1, none), (2, none)]
        if not chosen.clips and layers > 1 and engine.sizes[-1] > 1:
            ways += [(1, first), (1, others)]
        for rows, (parts, halves) in product((1, MOST_ROWS + 1), ways):
            own = plan(engine.sizes, 1, engine.dtype, 1, halves=halves)
            program.assemble(own, engine.dtype, rows, chosen._replace(parts=parts))


def _engines(dtype: str, everything: bool) -> Iterator[Engine]:
    """Yield networks that between them need every kernel: a network for each that depends on what differs."""
    for rule, units, visiting in product(rules.SLOTS, _units(dtype), _kinds(dtype)):
        plain = Regime(1, rule, 1, visiting, squares=visiting != VISIT_ENTRIES)
        yield from _networks(dtype, units, plain)
        if everything and rule is not rules.ACCUMULATE:
            yield from _networks(dtype, units, replace(plain, dropout=Dropout(0.5, 0.5), clip_norm=1.0))
    for loss in program.LOSSES:
        yield Engine(Architecture((1, 1), np.dtype(dtype), loss=loss), Regime(1, rules.SGD, 1))
    others = [name for name in ACTIVATIONS if everything and name != "relu"]
    for name, units, visiting in product(others, _units(dtype), _kinds(dtype)):
        yield from _networks(dtype, units, Regime(1, rules.SGD, 1, visiting), name)


def _units(dtype: str) -> list[int]:
    """Return a number of units for each width of panels."""
    return [vectors * lanes(dtype) for vectors in PANEL_EFFICIENCY]


def _networks(dtype: str, units: int, regime: Regime, activation: str = "relu") -> Iterator[Engine]:
    """Yield networks in which such a layer is the first, a hidden, the last and the only one, or before one unit.

    It is hidden behind few units, whose zeros may be left out (``fastmlp.kernels.active``), and behind many.
    """
    for sizes in ((1, units, units, units), (1, MANY_UNITS, units, MANY_UNITS, 1), (1, units), (1, units, 1)):
        yield Engine(Architecture(sizes, np.dtype(dtype), activation), regime)
