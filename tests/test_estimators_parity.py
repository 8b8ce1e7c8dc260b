"""fastmlp's estimators beside scikit-learn's: the same random_state leads to the same curves, weights and answers."""

import warnings

import numpy as np
import pytest
import sklearn.neural_network
from estimator_data import KINDS, model_of, table, weights
from scipy import sparse

import fastmlp

ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
EPOCHS = 12
SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.02},
    "momentum": {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False, "learning_rate_init": 0.004},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.002},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "learning_rate_init": 0.01},
    # a tolerance that is missed often enough for the rate to be divided in the epochs that there are
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.03, "n_iter_no_change": 1},
    "adam": {"solver": "adam", "learning_rate_init": 0.01, "beta_1": 0.8, "epsilon": 1e-6},
    # after so few iterations no line search has tried weights so large that scikit-learn clips probabilities
    "lbfgs": {"solver": "lbfgs", "max_iter": 5},
}
# Of the largest number in an array. A step's sums have at most ROWS terms, there are EPOCHS * 4 steps, and each starts
# from the differences that the last one left: eps * 50 * 48 is 5e-13 in float64 and 3e-4 in float32. Training itself
# stretches differences some times over; a wrong rule is wrong in the third digit. A line search stretches them more.
TOLERANCES = {("float64", False): 1e-10, ("float32", False): 1e-3, ("float64", True): 1e-6, ("float32", True): 2e-2}
TWISTS = {
    "early stopping": {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 3},
    "in order": {"shuffle": False},
    "row by row": {"batch_size": 1, "max_iter": 3},
    "one batch": {"batch_size": "auto"},
    "patience": {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 40},
    "no patience at all": {"tol": 10.0, "n_iter_no_change": np.inf},
    "much decay": {"alpha": 1.0},
    "no decay": {"alpha": 0.0},
    "one hidden unit": {"hidden_layer_sizes": 1},
    "four layers": {"hidden_layer_sizes": [6, 5, 4, 3]},
}
ATTRIBUTES = ("n_iter_", "t_", "n_layers_", "n_outputs_", "n_features_in_", "out_activation_")
CURVES = ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_")


def pair(kind, **options):
    """Return scikit-learn's model and fastmlp's."""
    options = {"hidden_layer_sizes": (9, 5), "batch_size": 16, "max_iter": EPOCHS, "random_state": 3, **options}
    return model_of(sklearn.neural_network, kind, **options), model_of(fastmlp, kind, **options)


def warned(call, *arguments, **options):
    """Call, and return what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments, **options)
    # what NumPy and SciPy say inside scikit-learn is not meant for its users, and compiled code does not say it
    return {(w.category, str(w.message)) for w in caught if issubclass(w.category, UserWarning)}


def assert_near(actual, expected, relative):
    assert np.shape(actual) == np.shape(expected)
    largest = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=relative * largest, strict=isinstance(expected, np.ndarray)
    )


def assert_same_curves(ours, theirs, relative):
    for name in CURVES:
        expected = getattr(theirs, name, None)
        if expected is None:
            assert getattr(ours, name, None) is None
        else:
            assert_near(getattr(ours, name), expected, relative)


def assert_same_model(ours, theirs, X, relative):
    for name in ATTRIBUTES:
        assert getattr(ours, name) == getattr(theirs, name)
    for actual, expected in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert_near(actual, expected, relative)
    if not hasattr(theirs, "classes_"):
        return assert_near(ours.predict(X), theirs.predict(X), relative)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_near(ours.predict_proba(X), theirs.predict_proba(X), relative)


def assert_same_fit(kind, options, X, y, dtype="float64", **fit):
    theirs, ours = pair(kind, **options)
    expected = warned(theirs.fit, X, y, **fit)
    assert warned(ours.fit, X, y, **fit) == expected
    relative = TOLERANCES[dtype, options.get("solver") == "lbfgs"]
    assert_same_model(ours, theirs, X, relative)
    # of sparse rows fastmlp knows the penalty of an epoch's ends, not of each step
    assert_same_curves(ours, theirs, 1e-4 if sparse.issparse(X) else relative)
    return ours, theirs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_activation_and_target(solver, activation, kind):
    assert_same_fit(kind, {**SOLVERS[solver], "activation": activation}, *table(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["nesterov", "adam", "lbfgs"])
def test_float32(solver, kind):
    # scikit-learn's loss has 7 digits here: what a line search makes of them soon depends on the last one
    options = {**SOLVERS[solver], **({"max_iter": 2} if solver == "lbfgs" else {})}
    ours, theirs = assert_same_fit(kind, options, *table(kind, "float32"), dtype="float32")
    assert [c.dtype for c in ours.coefs_] == [c.dtype for c in theirs.coefs_]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_sample_weight(solver, kind):
    assert_same_fit(kind, SOLVERS[solver], *table(kind), sample_weight=weights())


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("twist", TWISTS)
def test_options(twist, kind):
    assert_same_fit(kind, {**SOLVERS["adam"], **TWISTS[twist]}, *table(kind))


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_long_rows_and_few_units(alpha):
    random = np.random.default_rng(0)
    X, y = random.normal(size=(250, 600)), random.integers(0, 3, 250)
    options = {"hidden_layer_sizes": 16, "batch_size": 100, "alpha": alpha, "solver": "adam", "max_iter": 8}
    assert_same_fit("multiclass", options, X, y)


@pytest.mark.parametrize("kind", ["multiclass", "outputs"])
def test_early_stopping_with_sample_weight(kind):
    options = {**SOLVERS["nesterov"], **TWISTS["early stopping"]}
    assert_same_fit(kind, options, *table(kind), sample_weight=weights() + 0.5)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("kind", ["binary", "multilabel", "poisson"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_sparse_rows(solver, kind, container):
    X, y = table(kind)
    assert_same_fit(kind, SOLVERS[solver], container(X), y)


@pytest.mark.parametrize("form", [np.asfortranarray, np.ndarray.tolist, lambda X: np.repeat(X, 2, axis=1)[:, ::2]])
def test_forms_of_rows(form):
    X, y = table("multiclass")
    assert_same_fit("multiclass", {}, form(X), y)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "outputs", "poisson"])
@pytest.mark.parametrize("fitted", ["float32", "float64"])
@pytest.mark.parametrize("asked", ["float16", "float32", "float64", "int8", "bool"])
def test_predicting_rows_of_another_type(asked, fitted, kind):
    X, y = table(kind, fitted)
    theirs, ours = pair(kind)
    for model in (theirs, ours):
        warned(model.fit, X, y)
    for rows in (X.astype(asked), sparse.csr_array(X.astype(np.promote_types(asked, "float32")))):
        expected, actual = ((m.predict_proba if hasattr(m, "classes_") else m.predict)(rows) for m in (theirs, ours))
        assert_near(actual, expected, 1e-4 if "float32" in (asked, fitted) else 1e-3 if asked == "float16" else 1e-10)


LABELS = {
    "negative, with gaps": lambda y: 5 - y * y,
    "far apart": lambda y: np.where(y > 3, np.iinfo(np.int64).max, np.iinfo(np.int64).min),
    "far from zero": lambda y: np.iinfo(np.int64).max - y,
    "of a byte": lambda y: (y - 3).astype(np.int8),
    "whole": lambda y: y.astype(float),
    "whole, short": lambda y: y.astype(np.float16),
    "whole, long": lambda y: y.astype(np.longdouble),
    "whole, signed": lambda y: np.where(y > 3, -0.0, y.astype(np.float32)),
    "true or false": lambda y: y > 3,
    "words": lambda y: y.astype(str),
    "words as objects": lambda y: y.astype(str).astype(object),
}


@pytest.mark.parametrize("container", [np.array, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_labels_of_any_kind(labels, container):
    X, y = table("multiclass")
    ours, theirs = assert_same_fit("multiclass", {}, container(X), labels(y))
    assert ours.classes_.dtype == theirs.classes_.dtype
    binarizers = [{**vars(model._label_binarizer), "classes_": None} for model in (ours, theirs)]
    assert binarizers[0] == binarizers[1]


NO_LABELS = {"fractions": 0.5, "NaN": np.nan, "infinity": np.inf}


@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
@pytest.mark.parametrize("value", NO_LABELS.values(), ids=NO_LABELS.keys())
def test_what_is_no_label(value, container):
    X, y = table("binary")
    wrong = np.where(y == "yes", 1.0, 0.0)
    wrong[3] = value
    refusals = []
    for model in pair("binary"):
        with pytest.raises(ValueError, match=r"label|NaN|infinity") as refused:
            model.fit(container(X), wrong)
        refusals.append(str(refused.value))
    assert refusals[0] == refusals[1]


def test_whole_numbers():
    X, y = table("regression")
    assert_same_fit("regression", {}, (4 * X).astype(int), y)


@pytest.mark.parametrize("kind", ["multiclass", "outputs"])
@pytest.mark.parametrize("solver", ["nesterov", "adam", "lbfgs"])
def test_warm_start(solver, kind):
    X, y = table(kind)
    models = pair(kind, **{**SOLVERS[solver], "warm_start": True, "max_iter": 5})
    for _ in range(3):
        expected, found = (warned(model.fit, X, y) for model in models)
        assert found == expected
        assert_same_model(models[1], models[0], X, TOLERANCES["float64", solver == "lbfgs"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["nesterov", "invscaling", "adam"])
def test_partial_fit(solver, kind):
    X, y = table(kind)
    theirs, ours = pair(kind, **SOLVERS[solver])
    # multilabel targets name their classes by the columns
    first = (
        {"classes": np.arange(3) if kind == "multilabel" else np.unique(y)} if hasattr(ours, "predict_proba") else {}
    )
    for rows in (slice(0, 20), slice(20, 50), slice(10, 30)):
        for model in (theirs, ours):
            model.partial_fit(X[rows], y[rows], **first)
        first = {}
        assert_same_model(ours, theirs, X, TOLERANCES["float64", False])
        assert_same_curves(ours, theirs, TOLERANCES["float64", False])


def test_partial_fit_goes_on_from_fit():
    X, y = table("multiclass")
    models = pair("multiclass", **SOLVERS["adam"])
    for model in models:
        warned(model.fit, X, y)
        model.partial_fit(X[:20], y[:20], sample_weight=weights()[:20] + 1)
    assert_same_model(models[1], models[0], X, TOLERANCES["float64", False])


def test_random_state_moves_on():
    X, y = table("binary")
    states = np.random.RandomState(5), np.random.RandomState(5)
    for model, state in zip(pair("binary"), states, strict=True):
        warned(model.set_params(random_state=state).fit, X, y)
    assert states[0].randint(1 << 30) == states[1].randint(1 << 30)


def test_what_verbose_prints(capsys):
    X, y = table("multiclass")
    printed = []
    for model in pair("multiclass", verbose=True, max_iter=40, early_stopping=True, n_iter_no_change=2):
        warned(model.fit, X, y)
        printed.append(capsys.readouterr().out)
    assert printed[1] == printed[0]
    assert "Validation score" in printed[0]
