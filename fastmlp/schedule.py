"""The learning rate of each minibatch."""

import numpy as np
from numpy.typing import NDArray

from fastmlp.options import Options


class Schedule:
    """The learning rates of a training run of so many minibatches an epoch.

    "decay" multiplies the rate by ``learning_rate_decay`` after each epoch; "linear" lets it fall from minibatch to
    minibatch so that it would be 0 after the last.
    """

    def __init__(self, options: Options, steps_per_epoch: int) -> None:
        self._options = options
        steps = options.epochs * steps_per_epoch
        self._total = steps if options.max_steps is None else min(steps, options.max_steps)
        self._per_epoch = steps_per_epoch

    def rates(self, first: int, count: int) -> NDArray[np.float64]:
        """Return the learning rates of minibatches ``first`` to ``first + count``, counted from 0."""
        steps = np.arange(first, first + count)
        options = self._options
        if options.learning_rate_schedule == "linear":
            return options.learning_rate * (1 - steps / self._total)
        return options.learning_rate * np.power(options.learning_rate_decay, steps // self._per_epoch)
