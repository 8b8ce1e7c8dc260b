"""``fastmlp.tune``: many trials at once over the same rows, and what is left of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.config import Config, config_of
from fastmlp.errors import DivergedError
from fastmlp.model import Model
from fastmlp.options import Options, number, whole
from fastmlp.rows import InMemory, TrainingRows, rows_for
from fastmlp.threads import thread_limit
from fastmlp.tuning.folder import SearchFolder
from fastmlp.tuning.metric import metric_of
from fastmlp.tuning.space import example_of, options_of, space_of
from fastmlp.tuning.study import Search, finished, keep, next_trial, open_study, outcome_of
from fastmlp.tuning.trial import DIVERGED, PRUNED, STOPPED, Outcome, Problem, run_trial

if TYPE_CHECKING:
    from optuna import Study, Trial


@dataclass(frozen=True)
class TrialFigures:
    """A trial that came to an end. state: "complete", "pruned" or "diverged"; values: the metric of each epoch."""

    number: int
    params: Mapping[str, Any]
    value: float
    state: str
    seconds: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    model: the network of the best trial's best epoch, None where that trial is of an earlier process
    config: every option of the best trial; study: Optuna's
    """

    best_params: Mapping[str, Any]
    best_value: float
    metric: str
    trials: tuple[TrialFigures, ...]
    model: Model | None
    config: Config
    interrupted: bool
    study: Study


def tune(
    data: Any = None,
    *,
    trials: int = 10,
    sampler: str = "random",
    prune: bool = False,
    jobs: int | None = None,
    time_budget: float | None = None,
    metric: str | None = None,
    space: Any = None,
    storage: str | None = None,
    study: str | None = None,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
    watch: Callable[[TrialFigures], object] = lambda figures: None,
    say: Callable[[str], object] = lambda text: None,
    progress: Any = None,
    **options: Any,
) -> Tuning:
    """Search for the options with which a network learns best, measured on validation rows.

    data and further options : as ``fastmlp.train`` has them; what is not searched for stays as given
    trials : how many to run, beyond those that a study has; time_budget : seconds after which no more are begun
    sampler : "random", "tpe" (tree-structured Parzen estimator; Bergstra et al., 2011) or "grid"
    prune : end trials early that are unlikely to become the best (Hyperband; Li et al., 2018)
    jobs : trials at a time, one thread each, all on the same rows in memory; by default one for each CPU
    metric : "accuracy", "r2" or "loss", of the best epoch
    space : what is searched, see ``fastmlp.tuning.space``; by default rate, decay and L2 as the course report has them
    storage : where trials are kept: None for memory, "journal:FILE", or a URL of SQLite, PostgreSQL or MySQL
    study : its name; one that is in the storage is gone on with, and trials that were cut off are run again
    seed : with one seed, the random search tries the same whatever ``jobs`` is
    out : a folder for config.toml of the best, trials.csv, best/ and report.html; must be new unless ``overwrite``
    watch : called with the figures of each trial as it ends; say, progress : as ``fastmlp.train`` has them

    A trial that diverges counts as the worst. Ctrl-C ends the search; trials that came to an end are kept. Raises
    DivergedError where every trial has diverged.
    """
    search = Search(space_of(space), sampler, _seed(seed), prune)
    whole("trials", trials, 1)
    if time_budget is not None:
        number("time_budget", time_budget, above=0)
    asked = config_of({**options, "seed": seed} if data is None else {**options, "data": data, "seed": seed})
    rows = rows_for(asked, say, progress)
    if rows.validation is None:
        raise ValueError("tuning needs validation rows: give validation, or a validation_fraction above 0")
    assert isinstance(rows.training, InMemory)
    kind = rows.target.task
    chosen = metric_of(metric, kind)
    problem = Problem(rows.training, rows.validation, kind, rows.preparation.input_scale, chosen)
    facts = {"metric": chosen.name, "data": rows.training.fingerprint}
    folder = None if out is None else SearchFolder.new(Path(out), overwrite)
    if folder is not None and storage is None:
        storage, study = folder.storage, study or "search"
    found = open_study(search, chosen, study, storage, facts)
    say(rows.described())
    run = _Search(found, search, problem, asked, rows, watch)
    run.check()
    run.go(trials, thread_limit(jobs), time_budget)
    result = run.result()
    if folder is not None:
        folder.write(result)
    return result


def _seed(seed: Any) -> int:
    whole("seed", seed, 0)
    return int(seed)


@dataclass
class _Search:
    """A search on its way. All talk with the study is in the calling thread, but for pruning."""

    study: Study
    search: Search
    problem: Problem
    config: Config
    rows: TrainingRows
    watch: Callable[[TrialFigures], object]
    best: Outcome | None = None
    best_number: int | None = None  # both of trials of this process
    is_over: bool = False
    interrupted: bool = False
    running: dict[Future[Outcome], Trial] = field(default_factory=dict)

    def options(self, params: Mapping[str, Any]) -> Config:
        """Return the whole configuration of a trial."""
        given = {name: value for name, value in self.config.trainer.items() if value is not None}
        asked = replace(self.config, trainer={**given, **options_of(params)})
        return asked.completed(self.rows.is_images, len(self.problem.rows))

    def check(self) -> None:
        """Refuse a space whose options cannot go together, before any trial runs."""
        Options(**self.options({name: example_of(each) for name, each in self.search.space.items()}).trainer)

    def go(self, trials: int, jobs: int, budget: float | None) -> None:
        """Run so many trials, some at a time, until the time is over or Ctrl-C is pressed."""
        end = math.inf if budget is None else time.perf_counter() + budget
        with ThreadPoolExecutor(jobs, "fastmlp-trial") as pool:
            try:
                for _ in range(trials):
                    if len(self.running) == jobs:
                        self._wait()
                    trial = next_trial(self.study, self.search) if time.perf_counter() < end else None
                    if trial is None:
                        break
                    options = self.options(trial.params).trainer
                    self.running[pool.submit(run_trial, self.problem, options, self._watcher(trial))] = trial
                while self.running:
                    self._wait()
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                self.is_over = True

    def _wait(self) -> None:
        """Wait until some trial ends, and write down what came of it."""
        for future in wait(self.running, return_when=FIRST_COMPLETED).done:
            trial, outcome = self.running.pop(future), future.result()
            keep(self.study, trial, outcome)
            if outcome.parameters is not None and self._is_best(outcome):
                self.best, self.best_number = outcome, trial.number
            self.watch(TrialFigures(trial.number, trial.params, *outcome.told))

    def _is_best(self, outcome: Outcome) -> bool:
        return self.problem.metric.is_better(outcome.value, None if self.best is None else self.best.value)

    def _watcher(self, trial: Trial) -> Callable[[int, float], str | None]:
        def watch(epoch: int, value: float) -> str | None:
            if self.is_over:
                return STOPPED
            if self.search.prune:
                trial.report(value, epoch)
                return PRUNED if trial.should_prune() else None
            return None

        return watch

    def result(self) -> Tuning:
        """Return what was found.

        Raises DivergedError where every trial diverged, KeyboardInterrupt where none came to an end.
        """
        ended = tuple(TrialFigures(t.number, t.params, *outcome_of(t).told) for t in finished(self.study))
        if not ended:
            raise KeyboardInterrupt
        if all(each.state == DIVERGED for each in ended):
            raise DivergedError(f"all {len(ended)} trials diverged: search lower learning rates, or scale the inputs")
        metric = self.problem.metric
        best = max(ended, key=lambda each: each.value if metric.is_more_better else -each.value)
        config = self.options(best.params)
        model = None
        if self.best is not None and self.best.parameters is not None and self.best_number == best.number:
            model = self.rows.model(self.best.parameters, config.trainer["activation"], len(best.values))
        return Tuning(best.params, best.value, metric.name, ended, model, config, self.interrupted, self.study)
