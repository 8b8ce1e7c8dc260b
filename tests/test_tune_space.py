"""What is searched: every option of the Trainer, and what no space can be."""

import pytest
from searches import search

import fastmlp
from fastmlp.config import TRAINER_OPTIONS

EVERYTHING = """
width = {low = 4, high = 16, log = true}
depth = {low = 1, high = 2}
learning_rate = {low = 1e-3, high = 0.1, log = true}
learning_rate_decay = {low = 0.9, high = 1}
l2 = {choices = [0, 1e-4]}
batch_size = {choices = [32, 100]}
epochs = {low = 2, high = 4}
momentum = {low = 0.5, high = 0.95}
nesterov = {choices = [true]}
sampling = {choices = ["shuffle", "choice"]}
init = {choices = ["he", 0.05]}
dtype = {choices = ["float32"]}
threads = {choices = [1]}
seed = {low = 0, high = 3}
max_steps = {low = 50, high = 200}
solver = {choices = ["sgd"]}
learning_rate_schedule = {choices = ["decay", "linear"]}
activation = {choices = ["tanh"]}
"""


def test_a_space_file_names_every_option_widths_and_depths_included(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(EVERYTHING, encoding="utf-8")
    found = fastmlp.tune("digits", trials=8, space=str(path))
    assert set(found.best_params) == {*TRAINER_OPTIONS, "width", "depth"} - {"hidden"}
    for trial in found.trials:
        assert 4 <= trial.params["width"] <= 16
        assert trial.params["depth"] in (1, 2)
        assert len(trial.values) <= trial.params["epochs"] <= 4
    assert len({trial.params["depth"] for trial in found.trials}) > 1
    best = found.best_params
    assert found.config.trainer["hidden"] == (best["width"],) * best["depth"]
    assert len(found.model.sizes) == best["depth"] + 2


def test_layers_as_choices_and_what_is_fixed_beside():
    found = fastmlp.tune("digits", trials=6, space={"hidden": {"choices": ["4", [8, 8], "none"]}}, epochs=2, l2=0.125)
    assert {trial.params["hidden"] for trial in found.trials} == {"4", "8,8", "none"}
    assert found.config.trainer["l2"] == 0.125


REFUSED = {
    "empty": ({}, "space holds no option"),
    "unknown": ({"speed": {"low": 1, "high": 2}}, "space holds 'speed', which is no option; there are hidden"),
    "no range": ({"l2": {}}, "space: l2: needs low and high"),
    "half a range": ({"l2": {"low": 0}}, "space: l2: needs low and high"),
    "upside down": ({"l2": {"low": 2.0, "high": 1.0}}, "space: l2: low must be at most high, got 2.0 and 1.0"),
    "log of 0": ({"l2": {"low": 0.0, "high": 1.0, "log": True}}, "space: l2: .*low"),
    "no number": ({"l2": {"low": "a", "high": 1.0}}, "space: l2: low must be a number"),
    "no whole number": ({"batch_size": {"low": 1.5, "high": 3}}, "space: batch_size: low must be a whole number"),
    "no choices": ({"l2": {"choices": []}}, "space: l2: choices must be a list"),
    "no table": ({"l2": 3}, "space: l2 needs low and high"),
    "layers twice": (
        {"hidden": {"choices": ["4"]}, "width": {"low": 1, "high": 2}},
        "space must hold hidden, or width and depth",
    ),
    "a value that cannot be": ({"momentum": {"low": 0.5, "high": 1.0}}, "momentum must be below 1, got 1.0"),
    "a name that cannot be": ({"solver": {"choices": ["sgd", "lbfgs"]}}, "solver must be one of .* got 'lbfgs'"),
    "contradictory": (
        {"solver": {"choices": ["sgd", "adam"]}, "momentum": {"low": 0.5, "high": 0.9}},
        "space holds what no trial can be run with: solver='adam' .* momentum must be 0",
    ),
    "contradictory at one end": (
        {"nesterov": {"choices": [False, True]}, "momentum": {"low": 0.0, "high": 0.9}},
        "nesterov=True needs momentum above 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_space_that_cannot_be_is_refused_before_any_trial(name):
    space, message = REFUSED[name]
    told = []
    with pytest.raises(ValueError, match=message):
        search(space=space, watch=told.append)
    assert told == []


@pytest.mark.parametrize(
    ("text", "message"), [("l2 = {", "is not valid TOML"), (None, "cannot be read"), ("", "space holds no option")]
)
def test_a_space_file_that_cannot_be_is_refused(tmp_path, text, message):
    path = tmp_path / "space.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        search(space=path)


def test_a_grid_of_too_many_points_is_refused():
    space = {name: {"choices": list(range(1, 100))} for name in ("batch_size", "epochs", "seed")}
    with pytest.raises(ValueError, match="a grid of 970,299 points"):
        search(space=space, sampler="grid")


WRONG = {
    "trials": (0, ValueError),
    "jobs": (0, ValueError),
    "time_budget": (0, ValueError),
    "seed": (-1, ValueError),
    "sampler": ("luck", ValueError),
    "prune": ("all", ValueError),
    "metric": ("beauty", ValueError),
    "validation_fraction": (0, ValueError),
    "speed": (3, TypeError),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_option_that_cannot_be_is_refused_by_its_name(name):
    value, error = WRONG[name]
    with pytest.raises(error, match=name):
        search(**{name: value})


def test_a_metric_of_the_other_task_is_refused():
    with pytest.raises(ValueError, match="must be one of accuracy, loss where the task is to classify, got 'r2'"):
        search(metric="r2")
