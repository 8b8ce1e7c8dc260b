"""One trial: train with some options, on one thread, and tell of every epoch; in a thread, or on another machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fastmlp.errors import DivergedError
from fastmlp.history import EpochFigures
from fastmlp.rows import InMemory
from fastmlp.trainer import Trainer
from fastmlp.tuning.metric import Metric

COMPLETE, DIVERGED, PRUNED, STOPPED = "complete", "diverged", "pruned", "stopped"


@dataclass(frozen=True)
class Problem:
    """What all trials have in common: rows, shared by all, rows to measure on, and what is measured."""

    rows: InMemory
    validation: tuple[Any, NDArray[Any]]
    task: str  # "classify" or "regress"
    input_scale: float
    metric: Metric


@dataclass(frozen=True)
class Outcome:
    """What came of a trial. values: the metric of each epoch; parameters: of the best epoch, None of one cut off."""

    state: str
    value: float
    values: tuple[float, ...]
    seconds: float
    parameters: Mapping[str, NDArray[Any]] | None = None


def run_trial(problem: Problem, options: Mapping[str, Any], watch: Callable[[int, float], str | None]) -> Outcome:
    """Train with these options of the Trainer.

    watch : called with each epoch's number, from 1, and its metric; may answer PRUNED or STOPPED to end the trial
    """
    began = time.perf_counter()
    trainer = Trainer(**{**options, "threads": 1}, task=problem.task, input_scale=problem.input_scale)
    values: list[float] = []
    best: dict[str, NDArray[Any]] | None = None
    state = COMPLETE

    def each_epoch(figures: EpochFigures) -> bool:
        nonlocal best, state
        value = problem.metric.of(figures)
        if best is None or problem.metric.is_better(value, problem.metric.best(values)):
            best = trainer.parameters
        values.append(value)
        state = watch(len(values), value) or COMPLETE
        return state != COMPLETE

    try:
        rows = problem.rows
        trainer.fit(rows.X, rows.y, problem.validation, [each_epoch], sample_weight=rows.weights)
    except DivergedError:
        return Outcome(DIVERGED, problem.metric.worst, tuple(values), time.perf_counter() - began)
    return Outcome(state, problem.metric.best(values), tuple(values), time.perf_counter() - began, best)
