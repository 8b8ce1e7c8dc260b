"""MNIST to 98.0% or 98.4% test accuracy, as fast as we know how: python examples/mnist.py [RECIPE]

The recipes stand in ``fastmlp.recipes``; ``fastmlp-train mnist --recipe mnist-98`` does the same from a shell. MNIST
is downloaded once, or taken from $FASTMLP_DATA_DIR/mnist.
"""

import sys
import time

from fastmlp import Trainer
from fastmlp.data import load
from fastmlp.recipes import RECIPES

name = sys.argv[1] if len(sys.argv) > 1 else "mnist-98"
if name not in RECIPES:
    sys.exit(f"there is no recipe {name!r}: choose from {', '.join(RECIPES)}")
recipe = RECIPES[name]
data = load("mnist")

began = time.perf_counter()
trainer = Trainer(**recipe.options, input_scale=data.input_scale)
trainer.fit(data.X_train, data.y_train)
seconds = time.perf_counter() - began

accuracy = trainer.score(data.X_test, data.y_test)
print(
    f"{recipe.about}: {accuracy:.2%} of the test rows after {seconds:.2f} s, {trainer.compile_seconds:.2f} s of which"
)
print("went to loading or compiling kernels")
