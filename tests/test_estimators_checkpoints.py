"""Searches whose fits go on where shorter ones ended."""

import copy
import pickle

import numpy as np
import pytest
from estimator_data import INPUTS, table, weights
from joblib import parallel_backend
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  it makes the next line possible
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV

import fastmlp
from fastmlp import Checkpoints

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = table("multiclass")
FOLDS = 2


def classifier(**options):
    fixed = {"hidden_layer_sizes": (8,), "batch_size": 5, "learning_rate_init": 0.02, "random_state": 0, "max_iter": 12}
    return fastmlp.MLPClassifier(**{**fixed, **options})


class Counted:
    """A callback that counts epochs, for all copies of its estimator."""

    def __init__(self):
        self.epochs = 0

    def __call__(self, figures):
        self.epochs += 1

    def __deepcopy__(self, memo):
        return self


def epochs_of(model, X=X, y=y, **fit):
    """Fit, and return how many epochs that trained."""
    counted = Counted()
    model.set_params(callbacks=[counted]).fit(X, y, **fit)
    return counted.epochs


def assert_same(model, other):
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "validation_loss_curve_"):
        assert getattr(model, name) == getattr(other, name)
    for actual, wanted in zip(model.coefs_ + model.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(actual, wanted)


def halving(counted=None, seed=0, **options):
    choices = {"alpha": [1e-5, 1e-3, 0.1, 1.0], "activation": ["relu", "tanh", "silu"]}
    model = classifier(callbacks=None if counted is None else [counted], random_state=seed, **options)
    return HalvingRandomSearchCV(
        model, choices, cv=FOLDS, random_state=0, error_score="raise", resource="max_iter", min_resources=3,
        max_resources=27,
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "validation_fraction": 0.3}], ids=str)
def test_halving_continues_its_trials(options):
    anew, continuing = Counted(), Counted()
    expected = halving(anew, n_iter_no_change=99, **options).fit(X, y)
    search = halving(continuing, n_iter_no_change=99, resume=Checkpoints(), **options).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    assert_same(search.best_estimator_, expected.best_estimator_)
    longest = {}
    for chosen, count in zip(search.cv_results_["params"], search.cv_results_["n_resources"], strict=True):
        trial = tuple(value for name, value in sorted(chosen.items()) if name != "max_iter")
        longest[trial] = max(count, longest.get(trial, 0))
    last_fit = search.best_params_["max_iter"]
    assert continuing.epochs == FOLDS * sum(longest.values()) + last_fit
    assert anew.epochs == FOLDS * search.cv_results_["n_resources"].sum() + last_fit > continuing.epochs


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_halving_in_threads_continues_and_in_processes_is_the_same(backend):
    expected = halving().fit(X, y)
    with parallel_backend(backend, n_jobs=2):
        search = halving(resume=Checkpoints()).fit(X, y)
    get_reusable_executor().shutdown()
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    assert_same(search.best_estimator_, expected.best_estimator_)


def test_halving_over_rows_is_not_harmed():
    def search(**options):
        return HalvingRandomSearchCV(
            classifier(**options), {"alpha": [1e-5, 1e-3, 0.1, 1.0]}, cv=2, random_state=0, min_resources=16
        )

    with_checkpoints = search(resume=Checkpoints()).fit(X, y)
    assert_same(with_checkpoints.best_estimator_, search().fit(X, y).best_estimator_)


def test_a_grid_of_epochs():
    counted = Counted()
    model = classifier(callbacks=[counted], resume=Checkpoints(), random_state=None)
    GridSearchCV(model, {"max_iter": [2, 4, 8]}, cv=FOLDS, refit=False, error_score="raise").fit(X, y)
    assert counted.epochs == FOLDS * 8


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_longer_fit_goes_on(solver):
    model = classifier(solver=solver, resume=Checkpoints(), max_iter=4)
    assert epochs_of(model) == 4
    assert epochs_of(clone(model).set_params(max_iter=4)) == 0
    longer = clone(model).set_params(max_iter=9, threads=1, time_budget=99.0)
    assert epochs_of(longer) == 5
    assert_same(longer, classifier(solver=solver, max_iter=9).fit(X, y))
    assert epochs_of(clone(model).set_params(max_iter=8)) == 8  # a shorter one cannot
    assert epochs_of(clone(model).set_params(max_iter=10)) == 1


def test_what_has_converged_is_not_trained_on():
    options = {"tol": 0.1, "n_iter_no_change": 2}
    model = classifier(**options, resume=Checkpoints(), max_iter=100)
    converged_after = epochs_of(model)
    assert converged_after < 100
    longer = clone(model).set_params(max_iter=200)
    assert epochs_of(longer) == 0
    assert_same(longer, classifier(**options, max_iter=200).fit(X, y))


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.5},
        {"random_state": 1},
        {"activation": "tanh"},
        {"early_stopping": True},
        {"class_weight": {3: 2.0, 5: 1.0, 7: 1.0}},
        {"X": X + 1e-12},
        {"y": y[::-1]},
        {"sample_weight": weights()},
        {"X_val": X, "y_val": y},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_options_or_data_start_anew(change):
    model = classifier(resume=Checkpoints(), max_iter=4)
    epochs_of(model)
    options = {name: value for name, value in change.items() if name in model.get_params()}
    data = {name: value for name, value in change.items() if name not in options}
    assert epochs_of(clone(model).set_params(max_iter=5, **options), **data) == 5


@pytest.mark.parametrize("random_state", [np.random.RandomState(0), np.random.mtrand._rand], ids=["own", "global"])
def test_a_generator_starts_anew(random_state):
    model = classifier(resume=Checkpoints(), random_state=random_state)
    assert epochs_of(model) == epochs_of(model) == 12


def test_a_scorer_without_a_name_starts_anew():
    options = {"early_stopping": True, "scoring": lambda model, X, y: model.score(X, y), "n_iter_no_change": 99}
    model = classifier(resume=Checkpoints(), **options)
    assert epochs_of(model) == epochs_of(model) == 12


def test_fits_that_were_ended_from_outside_are_not_gone_on_from():
    store = Checkpoints()
    classifier(resume=store, callbacks=[lambda figures: figures.epoch == 3]).fit(X, y)
    classifier(resume=store, time_budget=1e-9).fit(X, y)
    with pytest.raises(ZeroDivisionError):
        classifier(resume=store, callbacks=[lambda figures: 1 / 0]).fit(X, y)
    assert epochs_of(classifier(resume=store)) == 12


def test_what_is_kept_is_not_what_users_change():
    model = classifier(resume=Checkpoints(), max_iter=4).fit(X, y)
    for _ in range(2):
        for values in model.coefs_ + model.intercepts_:
            values[...] = 0
        model.loss_curve_.clear()
        model = clone(model).set_params(max_iter=4).fit(X, y)
    assert_same(model, classifier(max_iter=4).fit(X, y))


def test_a_warm_start_goes_on_from_itself():
    plain, kept = (classifier(warm_start=True, resume=resume, max_iter=3) for resume in (True, Checkpoints()))
    for model in (plain, kept):
        model.fit(X, y)
        model.fit(X, y)
    assert_same(kept, plain)
    assert epochs_of(clone(kept).set_params(max_iter=6)) == 3  # of the two, the first is a training of its own


def test_copies_share_it_and_other_processes_do_not():
    model = classifier(resume=Checkpoints()).fit(X, y)
    assert clone(model).resume is copy.deepcopy(model).resume is model.resume
    assert repr(model.resume) == "Checkpoints()"
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.resume is not model.resume
    assert epochs_of(loaded.set_params(max_iter=13)) == 13
    np.testing.assert_array_equal(loaded.predict(X[:, :INPUTS]).shape, y.shape)


def test_lbfgs_starts_anew():
    model, plain = (classifier(solver="lbfgs", max_iter=5, resume=resume) for resume in (Checkpoints(), False))
    for _ in range(2):
        model.fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], plain.fit(X, y).coefs_[0])
