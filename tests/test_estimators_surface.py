"""What scikit-learn's estimators show of themselves, ours show too: parameters, defaults, methods, attributes."""

import inspect

import numpy as np
import pytest
from estimator_data import KINDS, OLD_LBFGS, model_of, table
from sklearn import neural_network

import fastmlp

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings(OLD_LBFGS),
]

NAMES = ("MLPClassifier", "MLPRegressor")


def both(name):
    return getattr(neural_network, name), getattr(fastmlp, name)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_defaults(name):
    theirs, ours = (list(inspect.signature(kind).parameters.values()) for kind in both(name))
    as_theirs = [(parameter.name, parameter.kind, parameter.default) for parameter in ours[: len(theirs)]]
    assert as_theirs == [(parameter.name, parameter.kind, parameter.default) for parameter in theirs]
    further = ours[len(theirs) :]
    assert len(further) >= 10
    assert {parameter.kind for parameter in further} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_got_set_and_documented(name):
    kind = getattr(fastmlp, name)
    changed = {parameter: object() for parameter in inspect.signature(kind).parameters}
    assert kind(**changed).get_params() == kind().set_params(**changed).get_params() == changed
    theirs = inspect.signature(getattr(neural_network, name)).parameters
    document = inspect.getdoc(fastmlp.MLPClassifier)
    assert all(parameter in document for parameter in changed if parameter not in theirs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "score"])
def test_methods_take_what_theirs_take(method, name):
    theirs, ours = (getattr(kind, method, None) for kind in both(name))
    if theirs is None:
        assert ours is None
        return
    expected, actual = (list(inspect.signature(m).parameters) for m in (theirs, ours))
    assert actual[: len(expected)] == expected


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_fitted_attributes(kind, solver):
    X, y = table(kind)
    theirs, ours = (
        model_of(library, kind, solver=solver, hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
        for library in (neural_network, fastmlp)
    )
    for name, expected in vars(theirs).items():
        if name.endswith("_") and not name.startswith("_"):
            assert isinstance(expected, type(getattr(ours, name))), name  # of NumPy's floats, floats will do


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_max_fun_ends_lbfgs(kind):
    X, y = table(kind)
    theirs, ours = (
        model_of(library, kind, solver="lbfgs", max_fun=4, hidden_layer_sizes=(5,), random_state=0).fit(X, y)
        for library in (neural_network, fastmlp)
    )
    assert ours.n_iter_ == theirs.n_iter_ < 6
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-8)


def test_scores_and_log_probabilities():
    X, y = table("multiclass")
    model = fastmlp.MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))
    assert model.score(X, y) == (model.predict(X) == y).mean()
    X, y = table("outputs")
    model = fastmlp.MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0).fit(X, y)
    of_mean = ((y - model.predict(X)) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(model.score(X, y), 1 - of_mean.mean())
