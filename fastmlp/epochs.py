"""The epochs of an estimator: orders of rows, and steps with their rates, several epochs at once if they are short."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.course import Course
from fastmlp.kernels.dropout import NO_DROPOUT
from fastmlp.kernels.rules import COLUMNS, DECAY, FIRST, RATE, SEED, SHARE, SHRINKAGE
from fastmlp.kernels.targets import NO_WEIGHTS
from fastmlp.steps import shares_of, steps_of

Floats = NDArray[np.float64]


class Epochs:
    """What comes next of a course, whose optimiser moves on with each call.

    steps: (minibatches, COLUMNS), what the steps of an epoch have in common with those of the next
    learning_rate: of the last epoch
    """

    def __init__(self, estimator: Any, course: Course) -> None:
        self._estimator, self._course = estimator, course
        self.steps = _steps_of_an_epoch(course.count, course.engine.regime.batch_size, float(estimator.alpha))
        self.learning_rate = course.optimizer.learning_rate

    def next(self, count: int) -> tuple[NDArray[np.int64], Floats]:
        """Return the order of rows (count * rows,) and the steps (count * minibatches, COLUMNS) of the next epochs."""
        course, estimator, optimizer = self._course, self._estimator, self._course.optimizer
        rows, per_epoch = course.count, len(self.steps)
        steps = np.empty((count, per_epoch, COLUMNS))
        steps[...] = self.steps
        if course.engine.regime.dropout == NO_DROPOUT:
            orders = optimizer.next_orders(count, estimator.shuffle)
        else:
            orders = np.concatenate([self._order_and_seeds(epoch) for epoch in steps])
        rates = optimizer.next_rates(count, estimator, rows)[:, None]
        self.learning_rate = float(rates[-1, 0])
        if course.train_rows is not None:
            orders = course.train_rows[orders]
        if course.targets.weights.size:
            self._weigh(orders, steps)
        factors = optimizer.factors(count * per_epoch, (estimator.beta_1, estimator.beta_2))
        steps[:, :, FIRST] += np.arange(0, count * rows, rows)[:, None]
        steps[:, :, RATE] = rates * np.reshape(factors, (-1, per_epoch if np.ndim(factors) else 1))
        steps[:, :, SHRINKAGE] = rates * estimator.weight_decay
        return orders.reshape(-1), steps.reshape(-1, COLUMNS)

    def _order_and_seeds(self, steps: Floats) -> NDArray[np.int64]:
        """Return the order (1, rows) of an epoch, and draw what tells its steps' dropout apart.

        Without dropout, scikit-learn's random numbers stay as they are.
        """
        optimizer = self._course.optimizer
        order = optimizer.next_orders(1, self._estimator.shuffle)
        steps[:, SEED] = optimizer.random.randint(0, 2**32, len(steps), np.uint32)
        return order

    def _weigh(self, orders: NDArray[np.int64], steps: Floats) -> None:
        """Let rows count what they weigh among those of their minibatch."""
        for order, epoch in zip(orders, steps, strict=True):
            shares = shares_of(order, self._course.engine.regime.batch_size, self._course.targets.weights)
            epoch[:, SHARE], epoch[:, DECAY] = shares, self._estimator.alpha * shares


@lru_cache(maxsize=64)
def _steps_of_an_epoch(rows: int, batch_size: int, alpha: float) -> Floats:
    """Return the steps of rows that count the same, without rates: found once for all fits that are alike."""
    shares = shares_of(np.arange(rows), batch_size, NO_WEIGHTS)
    return steps_of(rows, batch_size, 0.0, shares, alpha * shares)
