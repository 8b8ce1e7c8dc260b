"""The study that keeps the trials, as Optuna has it: samplers, pruners, storage, and taking up what was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.extras import need
from fastmlp.options import one_of
from fastmlp.tuning.metric import Metric
from fastmlp.tuning.space import Space
from fastmlp.tuning.trial import COMPLETE, DIVERGED, STOPPED, Outcome

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

SAMPLERS = ("random", "tpe", "grid")
POINTS = 5
"""How many points of a range a grid has, where it has no step."""


@dataclass(frozen=True)
class Search:
    """How trials are chosen."""

    space: Space
    sampler: str
    seed: int
    prune: bool

    def __post_init__(self) -> None:
        one_of("sampler", self.sampler, SAMPLERS)


def open_study(
    search: Search, metric: Metric, name: str | None, storage: str | None, facts: Mapping[str, Any]
) -> Study:
    """Make a study, or go on with the one of that name in the storage.

    facts : what must be the same when it is gone on with. Raises ValueError where it is not, OSError where the storage
    cannot be used.
    """
    optuna = need("optuna", "tune", "tuning")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.HyperbandPruner() if search.prune else optuna.pruners.NopPruner()
    try:
        study: Study = optuna.create_study(
            storage=_storage(storage),
            study_name=name,
            direction=metric.direction,
            pruner=pruner,
            load_if_exists=name is not None,
        )
    except Exception as error:
        raise OSError(f"storage {storage} cannot be used: {str(error).strip().partition(chr(10))[0]}") from error
    for key, value in facts.items():
        known = study.user_attrs.get(key, value)
        if known != value:
            raise ValueError(f"study {name!r} is of another search: its {key} is {known!r}, not {value!r}")
        study.set_user_attr(key, value)
    _rerun_those_cut_off(study)
    return study


def next_trial(study: Study, search: Search) -> Trial | None:
    """Ask for a trial; None when a grid has no more. What it tries depends on its number, not on who runs when."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    if search.sampler == "grid" and not any(trial.state == TrialState.WAITING for trial in trials):
        points = _grid(search)
        place = sum(trial.state != TrialState.FAIL for trial in trials)
        if place >= len(points):
            return None
        study.enqueue_trial(points[place])
    study.sampler = _sampler(search, len(trials))
    return study.ask(search.space)


def keep(study: Study, trial: Trial, outcome: Outcome) -> None:
    """Write down what came of a trial; one that was stopped goes on running for the study, and is run again later."""
    if outcome.state == STOPPED:
        return
    trial.set_user_attr("outcome", outcome.state)
    trial.set_user_attr("seconds", outcome.seconds)
    trial.set_user_attr("values", list(outcome.values))
    trial.set_user_attr("value", outcome.value)
    if outcome.state in (COMPLETE, DIVERGED):
        study.tell(trial, outcome.value)
    else:
        study.tell(trial, state=_ends()[1])


def finished(study: Study) -> list[FrozenTrial]:
    """Return the trials that came to an end, in order."""
    return study.get_trials(deepcopy=False, states=_ends())


def outcome_of(trial: FrozenTrial) -> Outcome:
    """Return what came of a trial, as it was written down."""
    attributes = trial.user_attrs
    value = trial.value if trial.value is not None else attributes["value"]
    return Outcome(attributes["outcome"], value, tuple(attributes["values"]), attributes["seconds"])


def _ends() -> tuple[Any, Any]:
    from optuna.trial import TrialState

    return TrialState.COMPLETE, TrialState.PRUNED


def _rerun_those_cut_off(study: Study) -> None:
    """Trials that still run are of a process that was ended: what they tried is tried again."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)


def _storage(storage: str | None) -> Any:
    if storage is None:
        return None
    if storage.startswith("journal:"):
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(storage.removeprefix("journal:")))
    return storage


def _sampler(search: Search, number: int) -> Any:
    import optuna

    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    kind = optuna.samplers.TPESampler if search.sampler == "tpe" else optuna.samplers.RandomSampler
    return kind(seed=seed)


def _grid(search: Search) -> list[dict[str, Any]]:
    """Return all combinations of values in a random order: all of an option's, or where they cannot be counted some."""
    names, values = list(search.space), [_points(distribution) for distribution in search.space.values()]
    points = [dict(zip(names, point, strict=True)) for point in product(*values)]
    order = np.random.default_rng(search.seed).permutation(len(points))
    return [points[i] for i in order]


def _points(distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is not None and (isinstance(low, float) or step > 1):
        return [low + i * step for i in range(int((high - low) / step + 1e-9) + 1)]
    spread = np.geomspace if distribution.log else np.linspace
    points = spread(low, high, POINTS)
    if isinstance(low, int):
        return sorted({round(float(point)) for point in points})
    return [float(min(max(point, low), high)) for point in points]
