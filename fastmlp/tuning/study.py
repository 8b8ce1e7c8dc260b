"""The study that keeps the trials, as Optuna has it: samplers, pruners, and taking up what was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.extras import need
from fastmlp.options import one_of
from fastmlp.rows import InMemory
from fastmlp.tuning.grid import grid_of
from fastmlp.tuning.metric import Metric
from fastmlp.tuning.plan import Plan
from fastmlp.tuning.space import Space
from fastmlp.tuning.trial import COMPLETE, DIVERGED, STOPPED, Outcome, Problem

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

SAMPLERS = ("random", "tpe", "grid")
PRUNERS = ("hyperband", "median")
NAME = "search"
"""Of a study that nobody has named, where it is the only one. Hyperband's brackets depend on the name."""


@dataclass(frozen=True)
class Search:
    """How trials are chosen, and by which pruner they are ended, if any."""

    space: Space
    sampler: str
    seed: int
    pruner: str | None

    def __post_init__(self) -> None:
        one_of("sampler", self.sampler, SAMPLERS)
        if self.pruner is not None:
            one_of("prune", self.pruner, PRUNERS, " or True or False")
        if self.sampler == "grid":
            _ = self.grid  # which refuses too many points

    @cached_property
    def grid(self) -> list[dict[str, Any]]:
        """The points of a grid, in the order in which they are tried."""
        return grid_of(self.space, self.seed)


@dataclass(frozen=True)
class Facts:
    """What must be the same when a study is gone on with.

    rows: tells them from others; options: of the Trainer, given for all trials
    """

    metric: str
    rows: list[int]
    options: Mapping[str, Any]

    @classmethod
    def of(cls, problem: Problem, plan: Plan) -> Facts:
        """Return those of a search."""
        rows = [problem.rows.fingerprint, InMemory(*problem.validation, None).fingerprint]
        return cls(problem.metric.name, rows, plan.facts)

    def agree_with(self, study: Study, name: str) -> None:
        """Write these into a new study; raise ValueError where they are others than the study's."""
        known = study.user_attrs
        if not known and study.get_trials(deepcopy=False, states=_ends()):
            raise ValueError(f"study {name!r} has trials that are not of fastmlp: choose another name")
        if known.get("metric", self.metric) != self.metric:
            raise ValueError(f"study {name!r} searches for {known['metric']}, not {self.metric}: choose another name")
        options = known.get("options", self.options)
        for option in {**options, **self.options}:
            one, other = options.get(option, "its default"), self.options.get(option, "its default")
            if one != other:
                raise ValueError(f"study {name!r} has {option}={one}, not {other}: choose another name")
        if known.get("rows", self.rows) != self.rows:
            raise ValueError(f"study {name!r} is of other rows than these: choose another name")
        for key, value in vars(self).items():
            if key not in known:
                study.set_user_attr(key, value)


def open_study(search: Search, metric: Metric, name: str | None, storage: Any, epochs: int) -> Study:
    """Make a study, or go on with the one of that name in one of Optuna's storages, or None for memory.

    epochs : the most that a trial has
    """
    optuna = need("optuna", "tune", "tuning")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study: Study = optuna.create_study(
        storage=storage,
        study_name=NAME if storage is None else name,
        direction=metric.direction,
        pruner=_pruner(search.pruner, epochs),
        load_if_exists=name is not None,
    )
    return study


def next_trial(study: Study, search: Search) -> Trial | None:
    """Ask for a trial; None when a grid has no more. What it tries depends on its place, not on who runs when."""
    from optuna.trial import TrialState

    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    place = sum(state not in (TrialState.FAIL, TrialState.WAITING) for state in states)
    if search.sampler == "grid" and TrialState.WAITING not in states:
        if place >= len(search.grid):
            return None
        study.enqueue_trial(search.grid[place])
    study.sampler = _sampler(search, place)
    return study.ask(search.space)


def keep(study: Study, trial: Trial, outcome: Outcome) -> bool:
    """Write down what came of a trial, and tell whether it counts.

    One that was stopped does not: it goes on running for the study, and is run again later. Nor does one that another
    process, which went on with the study, took for cut off and runs again.
    """
    from optuna.trial import TrialState

    if outcome.state == STOPPED:
        return False
    end: dict[str, Any] = {"state": TrialState.PRUNED}
    if outcome.state in (COMPLETE, DIVERGED):
        end = {"values": outcome.value}
    with suppress(RuntimeError):  # of Optuna, where the trial is at its end already
        for name in _ATTRIBUTES:
            trial.set_user_attr(name, getattr(outcome, name))
        return study.tell(trial, **end, skip_if_finished=True).state != TrialState.FAIL
    return False


_ATTRIBUTES = ("state", "value", "values", "seconds")


def finished(study: Study) -> list[FrozenTrial]:
    """Return the trials that came to an end, in order."""
    ended = study.get_trials(deepcopy=False, states=_ends())
    return [trial for trial in ended if "state" in trial.user_attrs]  # others' tools may have added some


def outcome_of(trial: FrozenTrial) -> Outcome:
    """Return what came of a trial, as it was written down."""
    facts = {name: trial.user_attrs[name] for name in _ATTRIBUTES}
    return Outcome(**{**facts, "values": tuple(facts["values"])})


def rerun_those_cut_off(study: Study) -> None:
    """Trials that still run are of a process that was ended: what they tried is tried again."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True).state == TrialState.FAIL:
            study.enqueue_trial(trial.params)


def _ends() -> tuple[Any, Any]:
    from optuna.trial import TrialState

    return TrialState.COMPLETE, TrialState.PRUNED


def _pruner(name: str | None, epochs: int) -> Any:
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if name == "hyperband":
        return HyperbandPruner(max_resource=epochs)
    return NopPruner() if name is None else MedianPruner()


def _sampler(search: Search, place: int) -> Any:
    import optuna

    seed = int(np.random.SeedSequence([search.seed, place]).generate_state(1)[0])
    kind = optuna.samplers.TPESampler if search.sampler == "tpe" else optuna.samplers.RandomSampler
    return kind(seed=seed)
