"""The loop of a search: ask the study for trials, let workers run them, write down what came of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from fastmlp.kernels.interrupt import Interrupt
from fastmlp.tuning.metric import Metric
from fastmlp.tuning.plan import Plan
from fastmlp.tuning.study import Search, keep, next_trial
from fastmlp.tuning.trial import COMPLETE, Outcome
from fastmlp.tuning.workers import Judge, Workers

if TYPE_CHECKING:
    from optuna import Study, Trial

SECONDS_BETWEEN_LOOKS = 0.2
"""How often to look for Ctrl-C, and for workers that have joined a cluster."""


@dataclass(frozen=True)
class TrialFigures:
    """A trial that came to an end. state: "complete", "pruned" or "diverged"; values: the metric of each epoch."""

    number: int
    params: Mapping[str, Any]
    value: float
    state: str
    seconds: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, trial: Any, outcome: Outcome) -> TrialFigures:
        """Return the figures of one of Optuna's trials, and what came of it."""
        facts = outcome.value, outcome.state, outcome.seconds, outcome.values
        return cls(trial.number, trial.params, *facts)


def names_of(trials: Iterable[TrialFigures]) -> list[str]:
    """Return the options that trials have tried; a study may have gone on with another space."""
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


@dataclass
class Running:
    """A search on its way; ``watch`` is called with each trial that came to an end."""

    study: Study
    search: Search
    plan: Plan
    metric: Metric
    watch: Callable[[TrialFigures], object]
    best: tuple[int, Outcome] | None = None  # the number, and what came of it, of this process's trials
    interrupted: bool = False
    _running: dict[Future[Outcome], Trial] = field(default_factory=dict)
    _judging: threading.Lock = field(default_factory=threading.Lock)  # Optuna's pruners are not made for threads

    def go(self, workers: Workers, trials: int, budget: float | None) -> None:
        """Run so many trials, at least one, until the time is over or Ctrl-C is pressed."""
        end = math.inf if budget is None else time.perf_counter() + budget
        with Interrupt() as ctrl_c:
            try:
                for count in range(trials):
                    while len(self._running) >= workers.places() and not ctrl_c.was_pressed:
                        self._wait(workers)
                    is_over = ctrl_c.was_pressed or (count > 0 and time.perf_counter() >= end)
                    trial = None if is_over else next_trial(self.study, self.search)
                    if trial is None:
                        break
                    self._begin(trial, workers)
                while self._running and not ctrl_c.was_pressed:
                    self._wait(workers)
            finally:
                workers.stop(self._running)
            self.interrupted = ctrl_c.was_pressed
            self._keep_what_ended()

    def _begin(self, trial: Trial, workers: Workers) -> None:
        judge: Judge | None = None if self.search.pruner is None else partial(self._is_hopeless, trial)
        self._running[workers.submit(self.plan.trainer_options(trial.params), judge)] = trial

    def _wait(self, workers: Workers) -> None:
        """Wait until some trial ends, but not for long."""
        for future in wait(self._running, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done:
            if future.cancelled():  # a cluster has lost it
                self._begin(self._running.pop(future), workers)
            else:
                self._end(future)

    def _keep_what_ended(self) -> None:
        for future in wait([each for each in self._running if not each.cancelled()]).done:
            self._end(future)

    def _end(self, future: Future[Outcome]) -> None:
        """Write down what came of a trial."""
        outcome, trial = future.result(), self._running.pop(future)
        if not keep(self.study, trial, outcome):
            return
        if outcome.state == COMPLETE and self._is_best(outcome):
            self.best = trial.number, outcome
        self.watch(TrialFigures.of(trial, outcome))

    def _is_best(self, outcome: Outcome) -> bool:
        return self.best is None or self.metric.is_better(outcome.value, self.best[1].value)

    def _is_hopeless(self, trial: Trial, epoch: int, value: float) -> bool:
        with self._judging:
            trial.report(value, epoch)
            return trial.should_prune()
