"""Searches: which trials there are, what they are measured by, and which is the best."""

import math

import numpy as np
import pytest
from searches import NEVER_STABLE, SMALL, figures, search

import fastmlp
from fastmlp import DivergedError, Trainer

REPORT = {"learning_rate": (1e-4, 1e-1), "learning_rate_decay": (0.8, 1.0), "l2": (1e-5, 1e-2)}


@pytest.fixture(scope="module")
def found():
    return search(trials=12, jobs=1)


def test_the_default_space_is_the_reports(found):
    for name, (low, high) in REPORT.items():
        values = [trial.params[name] for trial in found.trials]
        assert low <= min(values) < max(values) <= high
        assert len(set(values)) == len(values)
    rates = [trial.params["learning_rate"] for trial in found.trials]
    assert sum(rate < 1e-2 for rate in rates) > 4  # two of the three decades; of a uniform range a tenth


@pytest.mark.parametrize("jobs", [2, 5])
def test_one_seed_gives_the_same_trials_whatever_jobs_is(found, jobs):
    again = search(trials=12, jobs=jobs)
    assert figures(again) == figures(found)
    assert again.best_params == found.best_params
    for name, array in found.model.parameters.items():
        np.testing.assert_array_equal(again.model.parameters[name], array)
    assert figures(search(trials=2, seed=1)) != figures(found)[:2]


def test_a_trial_is_the_training_with_its_options(found):
    """The oracle: fastmlp.train with what the command to paste says."""
    config = found.config.facts()
    run = fastmlp.train(**{**config, "hidden": tuple(config["hidden"])})
    assert run.history.validation_accuracy == list(found.trials[best_number(found)].values)
    assert found.best_value == max(run.history.validation_accuracy)
    for name, array in run.model.parameters.items():
        np.testing.assert_array_equal(found.model.parameters[name], array)


def best_number(found):
    return next(trial.number for trial in found.trials if trial.params == found.best_params)


def test_the_best_is_the_best(found):
    assert found.best_value == max(trial.value for trial in found.trials) == found.study.best_value
    assert all(trial.value == max(trial.values) for trial in found.trials)
    loss = search(metric="loss")
    assert loss.best_value == min(min(trial.values) for trial in loss.trials) == loss.study.best_value


def test_values_are_searched_by_r2():
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 5)).astype(np.float32)
    y = X @ [1.0, -2.0, 0.5, 0.0, 1.0] + 0.1 * random.normal(size=300)
    found = fastmlp.tune((X, y), task="regress", trials=4, epochs=10)
    assert found.metric == "r2"
    assert 0.5 < found.best_value < 1
    assert found.model.predict(X).shape == (300,)


# ---- samplers, pruners, budgets ----


def test_tpe_learns_from_trials():
    """Its later trials lie nearer to the best than those of the random search."""
    space = {"learning_rate": {"low": 1e-6, "high": 1e-1, "log": True}}
    mean = {
        sampler: np.mean([trial.value for trial in search(sampler=sampler, space=space, trials=40, jobs=1).trials[20:]])
        for sampler in ("random", "tpe")
    }
    assert mean["tpe"] > mean["random"] + 0.1


def test_a_grid_visits_each_point_once_and_ends():
    space = {
        "hidden": {"choices": [[4], [8, 4]]},
        "batch_size": {"low": 32, "high": 64, "step": 32},
        "l2": {"low": 1e-4, "high": 1e-2, "log": True},
    }
    found = search(space=space, sampler="grid", trials=100)
    points = {tuple(trial.params.values()) for trial in found.trials}
    assert len(found.trials) == len(points) == 2 * 2 * 5
    assert {trial.params["hidden"] for trial in found.trials} == {"4", "8,4"}
    assert {trial.params["batch_size"] for trial in found.trials} == {32, 64}
    np.testing.assert_allclose(sorted({trial.params["l2"] for trial in found.trials}), np.geomspace(1e-4, 1e-2, 5))


@pytest.mark.parametrize("prune", [True, "median"])
def test_pruning_saves_epochs_and_keeps_the_best(prune):
    options = {"trials": 30, "epochs": 27, "jobs": 1}
    whole, pruned = search(**options), search(**options, prune=prune)
    assert {trial.state for trial in pruned.trials} == {"complete", "pruned"}
    assert sum(len(t.values) for t in pruned.trials) < 0.7 * sum(len(t.values) for t in whole.trials)
    assert pruned.best_value >= whole.best_value - 0.01
    for trial, same in zip(pruned.trials, whole.trials, strict=True):  # cut off, not otherwise trained
        assert trial.values == same.values[: len(trial.values)]
    best = pruned.trials[best_number(pruned)]
    assert best.state == "complete"
    assert len(best.values) == 27


def test_a_time_budget_begins_no_more():
    found = search(trials=10_000, time_budget=0.5)
    assert 1 < len(found.trials) < 10_000
    assert not found.interrupted
    assert len(search(time_budget=1e-9, jobs=1).trials) == 1


# ---- trials that diverge ----


def test_a_trial_that_diverges_is_the_worst_and_the_search_goes_on():
    space = {"learning_rate": {"low": 1e-3, "high": 1e33, "log": True}}
    for metric, worst in (("accuracy", 0.0), ("loss", math.inf)):
        found = search(space=space, trials=12, metric=metric)
        diverged = [trial for trial in found.trials if trial.state == "diverged"]
        assert 0 < len(diverged) < 12
        assert {trial.value for trial in diverged} == {worst}
        assert math.isfinite(found.best_value)
        assert all(trial.params != found.best_params for trial in diverged)


def test_every_trial_diverging_is_an_error_that_leaves_the_trials(tmp_path):
    with pytest.raises(DivergedError, match="all 4 trials diverged: search lower learning rates"):
        search(space=NEVER_STABLE, out=tmp_path / "out")
    assert (tmp_path / "out" / "trials.csv").read_text(encoding="utf-8").count("diverged") == 4


# ---- what is shared ----


def test_all_trials_train_on_one_X(monkeypatch):
    held = set()
    fit = Trainer.fit

    def noting(self, X, *rest, **options):
        held.add(id(X))
        return fit(self, X, *rest, **options)

    monkeypatch.setattr(Trainer, "fit", noting)
    search(jobs=4, trials=8)
    assert len(held) == 1


def test_what_is_told():
    told, said = [], []
    found = search(watch=told.append, say=said.append, **SMALL)
    assert sorted(told, key=lambda trial: trial.number) == list(found.trials)
    assert "1294 training rows" in said[-1]
    assert all(trial.seconds > 0 for trial in told)
