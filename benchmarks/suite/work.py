"""The work that is timed: networks with their minibatches, and the operations that an epoch of each takes."""

import os
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LEARNING_RATE, L2, MOMENTUM = 0.1, 1e-5, 0.9
ADAM_RATE = 1e-3
RULES = ("sgd", "momentum", "nesterov", "adam")


@dataclass(frozen=True)
class Work:
    """Training a network of ``sizes`` (D, hidden units ..., C): forward, loss, backward and an update with L2.

    dense: on data without zeros, which fastmlp could skip; rate: of plain SGD
    """

    sizes: tuple[int, ...]
    batch_size: int
    dtype: str = "float32"
    rule: str = "sgd"
    dense: bool = False
    rate: float = LEARNING_RATE

    @property
    def network(self) -> str:
        return "-".join(map(str, self.sizes))

    @property
    def extras(self) -> list[str]:
        """Return what differs from float32, plain SGD and data as it comes."""
        usual = {"float32", "sgd", ""}
        return [value for value in (self.dtype, self.rule, "dense" if self.dense else "") if value not in usual]

    @property
    def name(self) -> str:
        """Return for instance 784-128-10/128, followed by the extras."""
        return "/".join([self.network, str(self.batch_size), *self.extras])

    @property
    def has_zeros(self) -> bool:
        """Return whether the rows have zeros to skip: those of handwriting do."""
        return self.sizes[0] == 784 and not self.dense

    def flop(self, rows: int) -> float:
        """Return the floating-point operations of an epoch, a multiply-add counting as two.

        Each layer multiplies three times: forward, gradient of its weights, gradient of its inputs. The first layer
        does without the last.
        """
        first, *further = (a * b for a, b in pairwise(self.sizes))
        return rows * 2.0 * (2 * first + 3 * sum(further))

    def start(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the weights (inputs, units) and biases (units,) that every system starts from (He et al., 2015)."""
        random = np.random.default_rng(1)
        return [
            ((random.standard_normal((a, b)) * np.sqrt(2 / a)).astype(self.dtype), np.zeros(b, self.dtype))
            for a, b in pairwise(self.sizes)
        ]

    def trainer_options(self) -> dict:
        """Return the options of a ``fastmlp.Trainer`` that does this work."""
        return {
            "hidden": self.sizes[1:-1],
            "learning_rate_decay": 1.0,
            "l2": L2,
            "batch_size": self.batch_size,
            "dtype": self.dtype,
            **self._rule_options(),
        }

    def _rule_options(self) -> dict:
        if self.rule == "adam":
            return {"solver": "adam", "learning_rate": ADAM_RATE}
        momentum = 0.0 if self.rule == "sgd" else MOMENTUM
        # with momentum, a step is worth 1 / (1 - momentum) plain ones
        return {
            "learning_rate": self.rate * (1 - momentum),
            "momentum": momentum,
            "nesterov": self.rule == "nesterov",
        }


MNIST_128 = Work((784, 128, 10), 128)
SPARSE = Work((50_000, 64, 3), 128, rate=0.5)
"""For ``sparse_data``: dense rows of this length would take much memory."""
SPARSE_DENSITY = 0.001

SHAPES = (  # those of the goal for shares of the peak, beside MNIST_128
    ((784, 32, 10), 32),
    ((784, 64, 10), 64),
    ((784, 512, 10), 128),
    ((784, 1024, 10), 256),
    ((784, 512, 256, 128, 10), 128),
)

WORK = {
    work.name: work
    for work in (
        MNIST_128,
        *(Work(*shape) for shape in SHAPES),
        Work((3072, 256, 10), 128),
        Work((20, 64, 64, 2), 32),
        Work((20, 64, 64, 2), 200),
        Work((784, 128, 10), 128, dtype="float64"),
        Work((784, 128, 10), 128, rule="momentum"),
        Work((784, 128, 10), 128, rule="nesterov"),
        Work((784, 128, 10), 128, dense=True),
        *(Work(*shape, dense=True) for shape in SHAPES),
        Work((784, 128, 10), 128, dtype="float64", dense=True),
        *(Work(*shape, dtype="float64", dense=True) for shape in (*SHAPES, ((3072, 256, 10), 128))),
        *(Work((784, 128, 10), 128, rule=rule, dense=True) for rule in RULES[1:]),
    )
}
"""Everything that is timed, by name. A new row of the tables is a new line here."""


def available_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
