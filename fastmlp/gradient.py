"""The loss over all rows and its gradient, for those who do not descend by minibatches."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.engine import Engine
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.rules import Descent
from fastmlp.kernels.targets import Targets
from fastmlp.steps import steps_of

GRADIENT_ROWS = 256
"""How many rows at a time: what the gradient of any more adds up in."""

Parameters = Mapping[str, NDArray[Any]]
Evaluate = Callable[[Parameters, float], tuple[float, dict[str, NDArray[Any]]]]


@contextmanager
def loss_and_gradient(
    engine: Engine, rows: Rows, targets: Targets, count: int, loss_factor: int = 1
) -> Iterator[Evaluate]:
    """Hold ready ``evaluate(parameters, decay)``: the loss, and its gradients named and shaped as the parameters.

    The loss is the weighted mean over ``count`` rows, times the factor, plus decay / 2 * sum W^2.

    engine: compiled for the rows, with the rule ACCUMULATE
    """
    order = np.arange(count)
    total_weight = float(targets.weights.sum()) if targets.weights.size else float(count)
    steps = steps_of(count, engine.regime.batch_size, rates=1.0, shares=1 / total_weight if total_weight > 0 else 0.0)

    with engine.trainer(rows) as train:

        def evaluate(parameters: Parameters, decay: float) -> tuple[float, dict[str, NDArray[Any]]]:
            engine.write(parameters)
            engine.slots[1] = 0
            loss = loss_factor * float(train(rows, targets, order, steps, Descent()).sum())
            gradients = engine.read(slot=1)
            for name in gradients:
                if name.startswith("W"):
                    gradients[name] += decay * parameters[name]
            return loss + decay / 2 * engine.sum_of_squares(), gradients

        yield evaluate
