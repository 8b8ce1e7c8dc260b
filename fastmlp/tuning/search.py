"""``fastmlp.tune``: many trials at once over the same rows, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.config import Config, config_of
from fastmlp.errors import DivergedError
from fastmlp.model import Model
from fastmlp.options import number, whole
from fastmlp.rows import InMemory, TrainingRows, rows_for
from fastmlp.threads import thread_limit
from fastmlp.tuning.cluster import cluster
from fastmlp.tuning.folder import SearchFolder
from fastmlp.tuning.metric import Metric, metric_of
from fastmlp.tuning.plan import Plan
from fastmlp.tuning.running import Running, TrialFigures
from fastmlp.tuning.space import space_of
from fastmlp.tuning.storage import opened
from fastmlp.tuning.study import NAME, PRUNERS, Facts, Search, finished, open_study, outcome_of, rerun_those_cut_off
from fastmlp.tuning.trial import COMPLETE, DIVERGED, STOPPED, Problem, run_trial
from fastmlp.tuning.workers import Threads, Workers

if TYPE_CHECKING:
    from optuna import Study


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    best_params, best_value : of the best trial that ran all its epochs; config : all its options
    trials : those of the study that came to an end, in the order of their numbers
    model : the network of the best trial's best epoch, None where Ctrl-C ended the search and it is of an earlier one
    study : Optuna's
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
    prune: bool | str = False,
    jobs: int | None = None,
    dask: str | None = None,
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
    prune : end trials early that are unlikely to become the best: True or "hyperband" (Li et al., 2018), or "median"
    jobs : trials at a time, one thread each, all on the same rows in memory; by default one for each CPU
    dask : the address of a Dask scheduler whose workers run the trials, by default one on each of their threads; or
        "local" for ``jobs`` processes of this machine
    metric : "accuracy", "r2" or "loss", of the best epoch
    space : what is searched, see ``fastmlp.tuning.space``; by default rate, decay and L2 as the course report has them
    storage : where trials are kept: None for memory, "journal:FILE", or a URL of SQLite, PostgreSQL or MySQL
    study : its name; one that is in the storage, or in ``out``, is gone on with, and trials that were cut off are run
        again
    seed : with one seed, the random search tries the same whatever ``jobs`` is
    out : a folder for config.toml of the best, trials.csv, best/ and report.html, and for the study where no other
        storage is given; must be new unless ``overwrite``, or unless the study in it is gone on with
    watch : called with the figures of each trial as it ends; say, progress : as ``fastmlp.train`` has them

    A trial that diverges counts as the worst. Ctrl-C ends the search; trials that came to an end are kept. Raises
    DivergedError where every trial has diverged, KeyboardInterrupt where Ctrl-C came before any had ended, ValueError
    or TypeError for options that cannot be, and OSError for a storage or a cluster that cannot be used.
    """
    whole("trials", trials, 1)
    whole("seed", seed, 0)
    if jobs is not None:
        whole("jobs", jobs, 1)
    if time_budget is not None:
        number("time_budget", time_budget, above=0)
    search = Search(space_of(space), sampler, int(seed), _pruner(prune))
    asked = config_of({**options, "seed": seed} if data is None else {**options, "data": data, "seed": seed})
    rows = rows_for(asked, say, progress)
    plan, problem = Plan(asked, rows.is_images, len(rows.training)), _problem(rows, metric)
    plan.check(search.space)
    facts = Facts.of(problem, plan)
    folder = None if out is None else SearchFolder.at(Path(out), overwrite, storage is None, study)
    if folder is not None and storage is None:
        storage, study = folder.storage, study or NAME
    say(rows.described())
    with opened(storage) as kept:
        found = open_study(search, problem.metric, study, kept, plan.most_epochs(search.space))
        facts.agree_with(found, str(study))
        rerun_those_cut_off(found)
        running = Running(found, search, plan, problem.metric, watch)
        with _workers(problem, jobs, dask) as workers:
            running.go(workers, trials, time_budget)
        result = _result(running, rows, problem, folder)
        if folder is not None:
            folder.write(result)
    return result


def _pruner(prune: bool | str) -> str | None:
    if isinstance(prune, bool):
        return PRUNERS[0] if prune else None
    return prune


def _problem(rows: TrainingRows, metric: str | None) -> Problem:
    if rows.validation is None:
        raise ValueError("tuning needs validation rows: give validation, or a validation_fraction above 0")
    assert isinstance(rows.training, InMemory)
    task = rows.target.task
    return Problem(rows.training, rows.validation, task, rows.preparation.input_scale, metric_of(metric, task))


def _workers(problem: Problem, jobs: int | None, dask: str | None) -> AbstractContextManager[Workers]:
    return Threads(problem, thread_limit(jobs)) if dask is None else cluster(dask, problem, jobs)


def _result(running: Running, rows: TrainingRows, problem: Problem, folder: SearchFolder | None) -> Tuning:
    """Return what was found. Raises DivergedError where every trial diverged, KeyboardInterrupt where none ended."""
    ended = tuple(TrialFigures.of(trial, outcome_of(trial)) for trial in finished(running.study))
    if not ended:
        raise KeyboardInterrupt
    if folder is not None:
        folder.write_trials(ended)
    best = _best_of(ended, problem.metric)
    config = running.plan.config(best.params)
    parameters = _parameters(running, problem, best)
    model = None if parameters is None else rows.model(parameters, config.trainer["activation"], len(best.values))
    facts = config, running.interrupted, running.study
    return Tuning(best.params, best.value, problem.metric.name, ended, model, *facts)


def _best_of(ended: Sequence[TrialFigures], metric: Metric) -> TrialFigures:
    """Return the best of those that ran all their epochs, as Optuna does; of others where there are none."""
    usable = [trial for trial in ended if trial.state != DIVERGED]
    if not usable:
        raise DivergedError(f"all {len(ended)} trials diverged: search lower learning rates, or scale the inputs")
    best = metric.best([trial.value for trial in usable if trial.state == COMPLETE] or [t.value for t in usable])
    return next(trial for trial in usable if trial.value == best)


def _parameters(running: Running, problem: Problem, best: TrialFigures) -> Mapping[str, Any] | None:
    """Return the best trial's parameters: trained again, with the same result, where its process has ended."""
    if running.best is not None and running.best[0] == best.number:
        return running.best[1].parameters
    if running.interrupted:
        return None
    options, epochs = running.plan.trainer_options(best.params), len(best.values)
    return run_trial(problem, options, lambda epoch, value: STOPPED if epoch == epochs else None).parameters
