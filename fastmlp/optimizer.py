"""What an optimiser carries from epoch to epoch, with scikit-learn's learning rate schedules."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.adam import descent_of_sums, rates_of_sums
from fastmlp.engine import Engine
from fastmlp.kernels import rules
from fastmlp.kernels.jit import Choice
from fastmlp.kernels.rules import Descent
from fastmlp.sampling import shuffled_orders

SMALLEST_RATE, RATE_DIVISOR = 1e-6, 5.0  # of the "adaptive" schedule
BLOCK_STEPS = 1024  # whose factors are found at once, for all fits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def rule_of(solver: str, momentum: float, nesterov: bool) -> Choice:
    """Return the rule with which kernels apply a gradient."""
    if solver == "adam":
        return rules.ADAM
    if momentum == 0:
        return rules.SGD
    return rules.NESTEROV if nesterov else rules.MOMENTUM


class Mark(NamedTuple):
    """Where an optimiser is: its learning rate, its random numbers, its steps and the order of rows."""

    learning_rate: float
    random: dict[str, Any]
    steps: int
    order: Ints


@dataclass
class Optimizer:
    """The state of an optimiser. Its numbers for each weight lie in the engine, behind the weights that they are of."""

    engine: Engine
    learning_rate: float
    random: np.random.RandomState
    split: tuple[Ints, Ints] | None = None  # the rows that are trained on and those that are held out, if any are
    steps: int = 0
    order: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # of the last epoch, for the next shuffle
    has_later_weights: bool = False  # whether the estimator was given the best ones back, and the engine has the last

    def go_on_from(self, last: "Optimizer", shuffled: bool) -> None:
        """Take up the state of an earlier call, with the order of its rows if these are ``shuffled`` on."""
        if last.engine.regime.rule is not self.engine.regime.rule:
            return
        self.learning_rate, self.steps = last.learning_rate, last.steps
        if shuffled and len(last.order) == len(self.order):
            self.order = last.order.copy()
        for slot in range(1, len(self.engine.slots)):
            self.engine.write(last.engine.read(slot), slot)

    def mark(self) -> "Mark":
        """Return where this is, to come back to; what the engine has is no part of it."""
        return Mark(self.learning_rate, self.random.get_state(legacy=False), self.steps, self.order)

    def go_back(self, mark: "Mark") -> None:
        """Go back to where this was."""
        self.learning_rate, random, self.steps, self.order = mark
        self.random.set_state(random)

    def next_orders(self, count: int, shuffle: bool) -> Ints:
        """Return the orders (count, N) of the next epochs: each the last one shuffled, by scikit-learn's draws."""
        if not shuffle:
            return np.tile(self.order, (count, 1))
        orders = shuffled_orders(self.order, count, self.random._bit_generator)
        self.order = orders[-1].copy()
        return orders

    def factors(self, count: int, betas: tuple[float, float]) -> Floats | float:
        """Count the next steps, and return what multiplies their learning rates: of Adam, for its sums."""
        first, self.steps = self.steps, self.steps + count
        if self.engine.regime.rule is not rules.ADAM:
            return 1.0
        blocks = range(first // BLOCK_STEPS, (self.steps - 1) // BLOCK_STEPS + 1)
        start = first - blocks.start * BLOCK_STEPS
        return np.concatenate([_factors(block, betas) for block in blocks])[start : start + count]

    def next_rates(self, count: int, options: Any, rows: int) -> Floats:
        """Return the learning rates (count,) of the next epochs, and let the rate change as each ends.

        options: an estimator; rows: of an epoch
        """
        rates = np.full(count, self.learning_rate)
        scales = options.solver == "sgd" and options.learning_rate == "invscaling"
        decays = options.learning_rate_decay is not None
        if not (scales or decays):
            return rates
        for e in range(count):
            rates[e] = self.learning_rate
            if scales:
                rows_seen = options.t_ + (e + 1) * rows  # since its first fit
                self.learning_rate = options.learning_rate_init / (rows_seen + 1) ** options.power_t
            if decays:
                self.learning_rate *= options.learning_rate_decay
        return rates

    def end_without_progress(self, options: Any, reason: str) -> bool:
        """Tell whether training ends where it makes no progress; "adaptive" rates become smaller first."""
        if options.solver == "sgd" and options.learning_rate == "adaptive":
            if self.learning_rate > SMALLEST_RATE:
                self.learning_rate /= RATE_DIVISOR
                _say(options, f"{reason} Setting learning rate to {self.learning_rate:f}")
                return False
            reason += " Learning rate too small."
        _say(options, f"{reason} Stopping.")
        return True


@lru_cache(maxsize=64)
def _factors(block: int, betas: tuple[float, float]) -> Floats:
    return rates_of_sums(np.ones(BLOCK_STEPS), block * BLOCK_STEPS, betas)


def descent_of(options: Any) -> Descent:
    """Return the numbers that all steps of an estimator have in common."""
    if options.solver == "adam":
        return descent_of_sums((options.beta_1, options.beta_2), options.epsilon)
    return Descent(momentum=float(options.momentum))


def _say(options: Any, text: str) -> None:
    if options.verbose:
        print(text)
