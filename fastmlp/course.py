"""What an estimator trains by minibatches with, as its options and its last call ask for."""

import copy
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import inputs, translate
from fastmlp.architecture import Architecture
from fastmlp.engine import Engine, Parameters
from fastmlp.heldout import HeldOut, split_rows, take_rows
from fastmlp.kernels.dropout import Dropout
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.targets import Targets
from fastmlp.optimizer import Optimizer, rule_of
from fastmlp.visiting import EPOCHS, as_trained_on, regime_for

Estimator = Any
Ints = NDArray[np.int64]


@dataclass
class Course:
    """An engine ready to train on rows and targets, with the state of its optimiser.

    train_rows: the numbers of the rows to train on, None for all; count: how many they are
    held_out: the rows that training is measured by, None without
    """

    engine: Engine
    rows: Rows
    targets: Targets
    train_rows: Ints | None
    count: int
    held_out: HeldOut | None
    optimizer: Optimizer


def course_of(
    estimator: Estimator, X: Any, y: NDArray[Any], sample_weight: Any, given: HeldOut | None, incremental: bool
) -> Course:
    """Prepare one call of ``fit`` or ``partial_fit``; see ``fastmlp.stochastic.StochasticFit``."""
    last: Optimizer | None = estimator._optimizer
    resumed = last if estimator.resume and not incremental else None
    if resumed is not None:
        estimator._random_state = _on_from(resumed.random, estimator)
    split, held_out = None, given
    if estimator.early_stopping and given is None:
        split = _split(estimator, y, resumed)
        held_out = take_rows(estimator, X, y, sample_weight, split[1])
    train_rows = None if split is None else split[0]
    count = len(y) if train_rows is None else len(train_rows)
    design, batch_size = translate.architecture_of(estimator, X.dtype), _batch_size(estimator, count)
    dropout = Dropout(float(estimator.input_dropout), float(estimator.dropout))
    epochs = 1 if incremental else EPOCHS
    matrix, unit = as_trained_on(translate.as_matrix(X, X.dtype), design, batch_size, epochs, dropout)
    engine = _new_engine(estimator, matrix, design, batch_size, dropout)
    with engine.compiling():
        rows = inputs.rows_of_matrix(matrix, unit, X.dtype, engine.regime.visiting)
        targets = translate.as_targets(estimator, y, sample_weight, X.dtype)
    engine.write(_starting_parameters(estimator, resumed))
    optimizer = Optimizer(engine, estimator.learning_rate_init, estimator._random_state, split, order=np.arange(count))
    if last is not None and (resumed is not None or incremental):
        optimizer.go_on_from(last, shuffled=resumed is not None)
    return Course(engine, rows, targets, train_rows, count, held_out, optimizer)


def _on_from(random: np.random.RandomState, estimator: Estimator) -> np.random.RandomState:
    """Return random numbers from where they are, the user's own ones or a copy: a fit that fails must not move them."""
    return random if random is estimator.random_state else copy.deepcopy(random)


def _starting_parameters(estimator: Estimator, resumed: Optimizer | None) -> Parameters:
    """Return the coefficients, or, where they are the best ones of a training that goes on, its last ones."""
    if resumed is not None and resumed.has_later_weights:
        now, best = estimator.coefs_ + estimator.intercepts_, estimator._best_coefs + estimator._best_intercepts
        if all(map(np.array_equal, now, best)):
            return resumed.engine.read()
    return translate.parameters_of(estimator)


def _split(estimator: Estimator, y: NDArray[Any], resumed: Optimizer | None) -> tuple[Ints, Ints]:
    """Return the rows to train on and those to hold out: those of the training that goes on, or new ones."""
    if resumed is not None and resumed.split is not None and sum(map(len, resumed.split)) == len(y):
        return resumed.split
    return split_rows(estimator, y, estimator._random_state)


def _new_engine(estimator: Estimator, X: Any, design: Architecture, batch_size: int, dropout: Dropout) -> Engine:
    rule = rule_of(estimator.solver, estimator.momentum, estimator.nesterovs_momentum)
    clip_norm = math.inf if estimator.clip_norm is None else float(estimator.clip_norm)
    regime = regime_for(
        X,
        design,
        batch_size,
        rule,
        estimator.threads,
        squares=estimator.alpha > 0,
        dropout=dropout,
        clip_norm=clip_norm,
    )
    return Engine(design, regime)


def _batch_size(estimator: Estimator, rows: int) -> int:
    if estimator.batch_size == "auto":
        return min(200, rows)
    if estimator.batch_size > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=2
        )
    return int(min(estimator.batch_size, rows))
