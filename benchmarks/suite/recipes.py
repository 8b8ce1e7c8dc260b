"""Time that the recipes for MNIST take, on MNIST where it is at hand and else on as many rows like it."""

import time

from .data import load
from .epoch import new_trainer
from .work import MNIST_128, available_cpus

try:
    from fastmlp.recipes import RECIPES
except ImportError:  # an earlier commit
    RECIPES = {}


class Recipe:
    """Seconds of a fit as the recipe says, kernels compiled before."""

    params = ([name for name in RECIPES if name.startswith("mnist")] or ["none"],)
    param_names = ("recipe",)
    unit = "s"
    timeout = 600

    def setup(self, name):
        if name not in RECIPES:
            raise NotImplementedError("no such recipe")
        self.data = load(MNIST_128)
        usual = {"input_scale": self.data.scale, "threads": min(2, available_cpus()), "seed": 0}
        self.options = usual | RECIPES[name].options
        new_trainer(**self.options | {"max_steps": 1}).fit(self.data.X_train, self.data.y_train)

    def track_fit(self, name):
        began = time.perf_counter()
        new_trainer(**self.options).fit(self.data.X_train, self.data.y_train)
        return time.perf_counter() - began
