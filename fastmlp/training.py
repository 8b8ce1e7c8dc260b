"""The loop over epochs: orders of rows, learning rates, what is measured, and when it ends."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.engine import Engine
from fastmlp.errors import DivergedError
from fastmlp.history import EpochFigures, History, tell
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.targets import Targets
from fastmlp.kernels.update import Descent
from fastmlp.options import ADAM_BETAS, ADAM_EPSILON, Options
from fastmlp.sampling import epoch_order
from fastmlp.schedule import Schedule, correct_bias
from fastmlp.steps import mean_loss, shares_of, steps_of

Callback = Callable[[EpochFigures], object]


@dataclass(frozen=True)
class Samples:
    """Rows and what each is to be."""

    rows: Rows
    targets: Targets

    def __len__(self) -> int:
        return len(self.targets.labels)


def train_epochs(
    engine: Engine,
    options: Options,
    samples: Samples,
    validation: Samples | None,
    callbacks: tuple[Callback, ...],
    random: np.random.Generator,
    history: History,
) -> None:
    """Train all epochs and add their figures to the history.

    Raises DivergedError in the epoch whose loss or parameters are not finite; the engine then has those from before it.
    """
    descent = _descent(options)
    schedule = Schedule(options, -(-len(samples) // engine.regime.batch_size))
    limit = math.inf if options.max_steps is None else options.max_steps
    steps = 0
    with engine.trainer(samples.rows, repeated=options.sampling == "choice") as train:
        for epoch in range(1, options.epochs + 1):
            order = epoch_order(random, len(samples), options.sampling)
            order = order[: int(min(len(order), (limit - steps) * engine.regime.batch_size))]
            rates = schedule.rates(steps, -(-len(order) // engine.regime.batch_size))
            step_sizes = correct_bias(rates, steps) if options.solver == "adam" else rates
            shares = shares_of(order, engine.regime.batch_size, samples.targets.weights)
            all_steps = steps_of(len(order), engine.regime.batch_size, step_sizes, shares, 2 * options.l2)
            kept = engine.slots.copy()
            began = time.perf_counter()
            losses = train(samples.targets, order, all_steps, descent)
            seconds = time.perf_counter() - began
            steps += len(rates)
            penalty = options.l2 * engine.sum_of_squares() if options.l2 else 0.0
            loss = mean_loss(losses, all_steps) + penalty
            if not (math.isfinite(loss) and engine.is_finite()):
                engine.slots[...] = kept
                raise DivergedError(_divergence(options, epoch, rates[0]))
            measured = (None, None) if validation is None else _measure(engine, validation, penalty)
            figures = EpochFigures(
                epoch, options.epochs, loss, measured[0], measured[1], float(rates[0]), seconds, len(order)
            )
            history.add(figures)
            if tell(callbacks, figures) or steps >= limit:
                return


def _descent(options: Options) -> Descent:
    """Return the numbers that all of the optimiser's steps have in common."""
    if options.solver == "adam":
        return Descent(momentum=ADAM_BETAS[0], second_momentum=ADAM_BETAS[1], epsilon=ADAM_EPSILON)
    return Descent(momentum=options.momentum)


def _measure(engine: Engine, samples: Samples, penalty: float) -> tuple[float, float]:
    """Return the loss and the accuracy on samples that are not trained on."""
    labels = samples.targets.labels
    scores = engine.predictor.outputs(samples.rows, len(samples), probabilities=False)[0].astype(np.float64)
    losses = _log_sum_exp(scores) - scores[np.arange(len(samples)), labels]
    return float(losses.mean() + penalty), float((scores.argmax(axis=1) == labels).mean())


def _log_sum_exp(scores: NDArray[Any]) -> NDArray[Any]:
    """Return log(sum(exp(row))) of each row of scores (N, C), however far from 0 they are."""
    largest = scores.max(axis=1)
    return np.asarray(largest + np.log(np.exp(scores - largest[:, None]).sum(axis=1)))


def _divergence(options: Options, epoch: int, rate: float) -> str:
    return (
        f"the loss stopped being finite in epoch {epoch}; the last finite parameters are kept. Likely causes: "
        f"learning_rate={rate:g} is too high, or inputs are not scaled (input_scale={options.input_scale:g}; "
        "aim for values near 1)"
    )
