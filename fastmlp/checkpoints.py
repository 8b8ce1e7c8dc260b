"""Where fits ended, for longer fits of equal estimators to go on from: searches copy their estimator for every fit."""

import pickle
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np

Estimator = Any

_OF_NO_CONSEQUENCE = frozenset(
    ("max_iter", "max_fun", "verbose", "warm_start", "threads", "time_budget", "callbacks", "resume")
)
"""Parameters on which the weights after so many epochs do not depend."""
_WHILE_FIT_RUNS = ("_continuation", "_given")
"""Attributes that are there only as long."""


@dataclass(frozen=True)
class Checkpoint:
    """The fitted attributes of an estimator after so many epochs, and whether training would not have gone on."""

    attributes: Mapping[str, Any]
    epochs: int
    has_converged: bool


class Checkpoints:
    """Where fits ended: given as ``resume``, a fit goes on from an earlier one of fewer epochs, with the same result.

    That is one of an estimator with the same parameters but for ``max_iter``, on the same rows, targets and weights.
    ``HalvingRandomSearchCV(MLPClassifier(resume=Checkpoints()), ..., resource="max_iter")`` so trains no epoch twice.

    Copies and clones of an estimator share this object; a pickled one is empty where it arrives, so that the processes
    of a pool start anew: let a search run its fits one by one or in threads. It holds the weights and the optimiser's
    numbers of every fit until it is let go. A ``random_state`` that is a generator, which moves on with each fit, and
    solver "lbfgs" always start anew.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Checkpoint] = {}

    __hash__ = None  # type: ignore[assignment]  # whoever remembers parameters must not keep this alive

    def __repr__(self) -> str:
        """Show how it was made: as a parameter of an estimator it is no more than that."""
        return "Checkpoints()"

    def __deepcopy__(self, memo: Any) -> "Checkpoints":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Checkpoints, ()

    def find(self, key: str, epochs: int) -> Checkpoint | None:
        """Return where a fit of at most so many epochs ended."""
        kept = self._kept.get(key)
        return kept if kept is not None and kept.epochs <= epochs else None

    def keep(self, key: str, checkpoint: Checkpoint) -> None:
        """Keep where a fit ended, unless a longer one is there."""
        kept = self._kept.get(key)
        if kept is None or kept.epochs < checkpoint.epochs:
            self._kept[key] = checkpoint


@dataclass(frozen=True)
class Continuation:
    """What one fit goes on from, None for nothing, and where it is kept in the end."""

    store: Checkpoints
    key: str
    found: Checkpoint | None

    def restore(self, estimator: Estimator) -> bool:
        """Set the fitted attributes that were found, if any were."""
        if self.found is None:
            return False
        estimator.__dict__.update(deepcopy(self.found.attributes))
        return True

    def keep(self, estimator: Estimator, has_converged: bool) -> None:
        """Keep copies of the fitted attributes."""
        others = {*estimator.get_params(deep=False), *_WHILE_FIT_RUNS}
        fitted = {name: value for name, value in vars(estimator).items() if name not in others}
        self.store.keep(self.key, Checkpoint(deepcopy(fitted), estimator.n_iter_, has_converged))


def continuation_of(estimator: Estimator, data: tuple[Any, ...]) -> Continuation | None:
    """Return what a new fit goes on from, None where its estimator has no Checkpoints or cannot use them.

    data: all that is trained and measured on
    """
    store = estimator.resume
    if not isinstance(store, Checkpoints) or estimator.solver == "lbfgs":
        return None
    key = _key_of(estimator, data)
    return None if key is None else Continuation(store, key, store.find(key, estimator.max_iter))


def _key_of(estimator: Estimator, data: tuple[Any, ...]) -> str | None:
    """Return what tells a training, however long, from all others; None where it cannot be told."""
    parameters = estimator.get_params(deep=False)
    if isinstance(parameters["random_state"], np.random.RandomState):
        return None
    kind = type(estimator)
    chosen = {name: value for name, value in parameters.items() if name not in _OF_NO_CONSEQUENCE}
    try:
        return str(joblib.hash((kind.__module__, kind.__qualname__, chosen, data)))
    except (pickle.PicklingError, AttributeError, TypeError):  # functions that are known nowhere by a name
        return None
