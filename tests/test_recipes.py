"""Recipes reach what they promise, from Python and from the command line."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from cli_process import TIMEOUT, run, run_json
from idx_files import MNIST, SHARED_DATA, needs_mnist

from fastmlp import Trainer
from fastmlp.data import load
from fastmlp.recipes import RECIPES

EXAMPLE = Path(__file__).parent.parent / "examples" / "mnist.py"


@needs_mnist
@pytest.mark.parametrize(
    "name", [name for name in RECIPES if name.startswith("mnist")]
)  # test_report.py has the others
def test_the_median_of_five_seeds_reaches_the_goal(name):
    data, recipe = load(MNIST), RECIPES[name]
    accuracies = []
    for seed in range(5):
        trainer = Trainer(**recipe.options, input_scale=data.input_scale, seed=seed)
        trainer.fit(data.X_train, data.y_train)
        accuracies.append(trainer.score(data.X_test, data.y_test))
    assert median(accuracies) >= recipe.goal


@pytest.mark.parametrize("name", RECIPES)
def test_the_command_takes_a_recipe_and_options_beside_it_win(name):
    config = run_json("digits", "--recipe", name, "--epochs", "1", "--l2", "0.125")["config"]
    given = {"epochs": 1, "l2": 0.125}
    assert config["validation_fraction"] == RECIPES[name].validation_fraction
    for option, value in {**RECIPES[name].options, **given}.items():
        if value is not None:
            assert config[option] == (list(value) if isinstance(value, tuple) else value)


def test_a_recipe_that_does_not_exist_is_refused():
    result = run("digits", "--recipe", "soup")
    assert result.returncode == 2
    assert "invalid choice: 'soup'" in result.stderr
    assert "mnist-98" in result.stderr


def example(*arguments):
    environment = {**os.environ, "FASTMLP_DATA_DIR": str(SHARED_DATA)}
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, env=environment)


@needs_mnist
def test_the_example_follows_one():
    result = example("mnist-98")
    assert result.returncode == 0, result.stderr
    assert "98.0% on MNIST, as fast as possible: 9" in result.stdout


def test_the_example_names_the_recipes_that_there_are():
    result = example("soup")
    assert result.returncode == 1
    assert result.stderr == f"there is no recipe 'soup': choose from {', '.join(RECIPES)}\n"
