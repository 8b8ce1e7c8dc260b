"""The loop over epochs: orders of rows, learning rates, what is measured, and when it ends."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp.adam import descent_of_sums, rates_of_sums
from fastmlp.engine import Engine, Train
from fastmlp.errors import DivergedError
from fastmlp.history import EpochFigures, History, tell
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.rules import ROWS_OF_STEP, Descent
from fastmlp.kernels.targets import Targets
from fastmlp.options import Options
from fastmlp.sampling import epoch_order
from fastmlp.schedule import Schedule
from fastmlp.state import TrainingState
from fastmlp.steps import mean_loss, shares_of, steps_of
from fastmlp.task import Task

Callback = Callable[[EpochFigures], object]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Rows, and what each is to be: ``truth`` as a Task encodes it, ``targets`` the same for kernels."""

    rows: Rows
    truth: NDArray[Any]
    targets: Targets

    def __len__(self) -> int:
        return len(self.truth)

    def windows(self, random: np.random.Generator, sampling: str) -> Iterator[tuple["Samples", NDArray[np.int64]]]:
        """Yield what an epoch trains on in turn, and in which order: here all rows at once."""
        yield self, epoch_order(random, len(self), sampling)


class Source(Protocol):
    """Where an epoch's rows come from: Samples, or what reads them from a disk window by window.

    All windows but the last have whole minibatches.
    """

    @property
    def rows(self) -> Rows:
        """Rows of the kind that it has."""

    def __len__(self) -> int:
        """Return how many rows an epoch has."""

    def windows(self, random: np.random.Generator, sampling: str) -> Iterator[tuple[Samples, NDArray[np.int64]]]:
        """Yield what an epoch trains on in turn, and in which order."""


@dataclass
class Standing:
    """How far a training has come: epochs (``len(history.loss)``), minibatches, and where its random numbers are."""

    random: np.random.Generator
    history: History
    steps: int = 0

    def state(self, engine: Engine) -> TrainingState:
        """Return copies of this and of all the engine's numbers."""
        slots = tuple(engine.read(slot) for slot in range(len(engine.slots)))
        return TrainingState(slots, self.random.bit_generator.state, self.steps, self.history.copy())


def train_epochs(
    engine: Engine,
    options: Options,
    task: Task,
    source: Source,
    validation: Samples | None,
    callbacks: tuple[Callback, ...],
    standing: Standing,
) -> None:
    """Train the epochs that are left and add their figures to the history.

    Raises DivergedError in the epoch whose loss or parameters are not finite; the engine then has those from before it.
    """
    history = standing.history
    schedule = Schedule(options, -(-len(source) // engine.regime.batch_size))
    limit = math.inf if options.max_steps is None else options.max_steps
    kept = np.empty_like(engine.slots)
    with engine.trainer(source.rows, repeated=options.sampling == "choice") as train:
        while len(history.loss) < options.epochs and standing.steps < limit:
            epoch = len(history.loss) + 1
            rate = float(schedule.rates(standing.steps, 1)[0])
            kept[...] = engine.slots
            began = time.perf_counter()
            losses, steps = _train_epoch(train, engine.regime.batch_size, options, source, schedule, standing)
            seconds = time.perf_counter() - began
            penalty = options.l2 * engine.sum_of_squares() if options.l2 else 0.0
            loss = task.loss_factor * float(mean_loss(losses, steps)) + penalty
            if not (math.isfinite(loss) and engine.is_finite()):
                engine.slots[...] = kept
                raise DivergedError(_divergence(options, epoch, rate))
            rows = int(steps[:, ROWS_OF_STEP].sum())
            figures = EpochFigures(epoch, options.epochs, loss, None, None, rate, seconds, rows)
            if validation is not None:
                figures = replace(figures, **_measure(engine, task, validation, penalty))
            history.add(figures)
            if tell(callbacks, figures):
                return


def _train_epoch(
    train: Train, batch_size: int, options: Options, source: Source, schedule: Schedule, standing: Standing
) -> tuple[Floats, Floats]:
    """Train on all windows of an epoch, or as many minibatches as are left; return their losses and steps."""
    limit = math.inf if options.max_steps is None else options.max_steps
    descent = _descent(options)
    all_losses, all_steps = [], []
    for samples, whole_order in source.windows(standing.random, options.sampling):
        order = whole_order[: int(min(len(whole_order), (limit - standing.steps) * batch_size))]
        rates = schedule.rates(standing.steps, -(-len(order) // batch_size))
        step_sizes = rates_of_sums(rates, standing.steps) if options.solver == "adam" else rates
        shares = shares_of(order, batch_size, samples.targets.weights)
        steps = steps_of(len(order), batch_size, step_sizes, shares, 2 * options.l2)
        all_losses.append(train(samples.rows, samples.targets, order, steps, descent))
        all_steps.append(steps)
        standing.steps += len(steps)
        if standing.steps >= limit:
            break
    return np.concatenate(all_losses), np.concatenate(all_steps)


def _descent(options: Options) -> Descent:
    """Return the numbers that all of the optimiser's steps have in common."""
    if options.solver == "adam":
        return descent_of_sums()
    return Descent(momentum=options.momentum)


def _measure(engine: Engine, task: Task, samples: Samples, penalty: float) -> dict[str, Any]:
    """Return the figures of samples that are not trained on."""
    scores = engine.predictor.outputs(samples.rows, len(samples), probabilities=False)[0]
    loss, quality = task.measure(scores, samples.truth)
    return {"validation_loss": loss + penalty, task.quality: quality}


def _divergence(options: Options, epoch: int, rate: float) -> str:
    return (
        f"the loss stopped being finite in epoch {epoch}; the last finite parameters are kept. Likely causes: "
        f"learning_rate={rate:g} is too high, or inputs are not scaled (input_scale={options.input_scale:g}; "
        "aim for values near 1)"
    )
