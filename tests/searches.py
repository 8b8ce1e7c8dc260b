"""Small searches, for tests of fastmlp.tune."""

import pytest

import fastmlp

optuna = pytest.importorskip("optuna", reason='searches need Optuna: pip install "fastmlp[tune]"')

SMALL = {"hidden": (16,), "epochs": 4}
NEVER_STABLE = {"learning_rate": {"low": 1e30, "high": 1e31, "log": True}}


def search(**options):
    return fastmlp.tune("digits", **{**SMALL, "trials": 4, **options})


def figures(found):
    """All that trials with the same options have in common, whoever ran them."""
    return [(trial.number, dict(trial.params), trial.value, trial.state, trial.values) for trial in found.trials]
