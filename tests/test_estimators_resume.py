"""Fits that go on where earlier ones ended, as if these had not."""

import copy
import pickle

import numpy as np
import pytest
from estimator_data import model_of, table

import fastmlp

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FIXED = {"hidden_layer_sizes": (6, 4), "batch_size": 16, "random_state": 7}
RATES = {"sgd": 0.01, "adam": 0.02}
CURVES = ("loss_curve_", "validation_scores_", "validation_loss_curve_", "best_validation_score_", "t_")


def new_model(kind, **options):
    rate = RATES[options.setdefault("solver", "adam")]
    return model_of(fastmlp, kind, **{**FIXED, "learning_rate_init": rate, **options})


def in_parts(kind, epochs, X, y, **options):
    """Return a model that was fitted several times, so many epochs each."""
    model = new_model(kind, warm_start=True, resume=True, **options)
    for count in epochs:
        model.set_params(max_iter=count).fit(X, y)
    return model


def assert_same(model, other):
    for name in CURVES:
        assert getattr(model, name) == getattr(other, name)
    for actual, wanted in zip(model.coefs_ + model.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("solver", RATES)
@pytest.mark.parametrize("kind", ["binary", "counts"])
@pytest.mark.parametrize(
    "options", [{}, {"dropout": 0.3}, {"learning_rate_decay": 0.9}, {"clip_norm": 0.5}, {"batch_size": 3}], ids=str
)
def test_resuming_is_as_if_training_had_never_ended(options, kind, solver):
    X, y = table(kind)
    whole = new_model(kind, solver=solver, max_iter=9, **options).fit(X, y)
    assert_same(in_parts(kind, (4, 5), X, y, solver=solver, **options), whole)


@pytest.mark.parametrize(
    "schedule",
    [{"learning_rate": "invscaling"}, {"learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 1}],
    ids=str,
)
def test_schedules_go_on_too(schedule):
    X, y = table("binary")
    options = {"solver": "sgd", **schedule}
    whole = new_model("binary", max_iter=9, **options).fit(X, y)
    assert_same(in_parts("binary", (4, 5), X, y, **options), whole)


# ---- with early stopping, which restores the best weights and goes on from the last ----

# with this rate scores go up and down, so that the best epoch is rarely the last
RESTLESS = {"early_stopping": True, "validation_fraction": 0.3, "learning_rate_init": 0.3, "n_iter_no_change": 99}


@pytest.mark.parametrize("solver", RATES)
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
@pytest.mark.parametrize("scored", [False, True])
def test_resuming_with_early_stopping(scored, kind, solver):
    X, y = table(kind)
    options = {**RESTLESS, "solver": solver}
    if solver == "sgd":
        options["learning_rate_init"] = 0.1
    if scored:
        options["scoring"] = "neg_log_loss" if kind == "multiclass" else "neg_mean_absolute_error"
    parts = in_parts(kind, (6,), X, y, **options)
    assert np.argmax(parts.validation_scores_) < 5  # the last weights are others than the best
    parts.set_params(max_iter=7).fit(X, y)
    assert_same(parts, new_model(kind, max_iter=13, **options).fit(X, y))


@pytest.mark.parametrize("through", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_go_on_likewise(through):
    X, y = table("multiclass")
    parts = through(in_parts("multiclass", (6,), X, y, **RESTLESS)).set_params(max_iter=7).fit(X, y)
    assert_same(parts, new_model("multiclass", max_iter=13, **RESTLESS).fit(X, y))


def test_weights_that_are_set_are_where_it_goes_on():
    X, y = table("multiclass")
    validate = {"X_val": X, "y_val": y}
    kept, changed = (
        new_model("multiclass", **RESTLESS, warm_start=True, resume=True, max_iter=6).fit(X, y, **validate)
        for _ in range(2)
    )
    for values in changed.coefs_:
        values *= 0.5
    fresh = new_model("multiclass", warm_start=True, max_iter=1).fit(X, y)
    fresh.coefs_, fresh.intercepts_ = copy.deepcopy((changed.coefs_, changed.intercepts_))
    for model in (kept, changed, fresh):  # of one minibatch, the loss is that before it is changed
        model.set_params(max_iter=1, batch_size="auto").fit(X, y, **validate)
    np.testing.assert_allclose(changed.loss_, fresh.loss_, rtol=1e-12)
    assert abs(kept.loss_ - fresh.loss_) > 1e-3


def test_a_training_that_diverged_goes_on_from_the_best_weights():
    X, y = table("multiclass")
    model = in_parts("multiclass", (200,), X, y, **{**RESTLESS, "learning_rate_decay": 100.0, "solver": "sgd"})
    assert np.isnan(model.validation_scores_[-1])
    before = len(model.loss_curve_)
    model.set_params(learning_rate_decay=1.0, learning_rate_init=1e-3, max_iter=3).fit(X, y)
    assert np.isfinite(model.loss_curve_[before:]).all()


def test_a_fit_that_fails_leaves_what_a_later_one_goes_on_from():
    X, y = table("binary")

    def fail(figures):
        raise RuntimeError("no space left")

    parts = in_parts("binary", (4,), X, y)
    with pytest.raises(RuntimeError):
        parts.set_params(callbacks=[fail]).fit(X, y)
    parts.set_params(callbacks=None, max_iter=5).fit(X, y)
    assert_same(parts, new_model("binary", max_iter=9).fit(X, y))
