"""What fastmlp's estimators compute beyond scikit-learn's, against plain NumPy or what must come to the same."""

import numpy as np
import pytest
import sklearn.neural_network
from estimator_data import INPUTS, KINDS, OLD_LBFGS, model_of, table, weights
from naive_estimator import initial, loss, outputs, smoothed, train
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_class_weight

import fastmlp

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings(OLD_LBFGS),
]

EPOCHS, BATCH, HIDDEN, SEED = 10, 16, (6, 4), 7
OUTPUT = dict(zip(KINDS, ["logistic", "softmax", "logistic", "identity", "identity", "exp", "exp"], strict=True))
RATES = {"sgd": 0.01, "adam": 0.02}
CLOSE = 1e-10  # of float64 after 40 steps: tests/test_estimators_parity.py says why
NEW = ("leaky_relu", "silu", "gelu")
LABELS = ("binary", "multiclass", "multilabel")


def targets(kind, y):
    """Return T (N, C) as networks see y."""
    return (LabelBinarizer().fit_transform(y) if kind in LABELS else y.reshape(len(y), -1)).astype(float)


def new_model(kind, library=fastmlp, **options):
    fixed = {"hidden_layer_sizes": HIDDEN, "max_iter": EPOCHS, "batch_size": BATCH, "shuffle": False}
    rate = RATES.get(options.get("solver", "adam"), 0.01)
    return model_of(library, kind, **{**fixed, "random_state": SEED, "learning_rate_init": rate, **options})


def trained(kind, solver="adam", activation="relu", sample_weight=None, **options):
    """Return coefs, intercepts and losses that plain NumPy comes to."""
    X, y = table(kind)
    T = targets(kind, y)
    parameters = initial((INPUTS, *HIDDEN, T.shape[1]), activation, SEED)
    fixed = {"epochs": EPOCHS, "batch_size": BATCH, "rate": RATES[solver], "solver": solver}
    return train(parameters, X, T, sample_weight, activation=activation, output=OUTPUT[kind], **fixed, **options)


def assert_trained(model, expected):
    coefs, intercepts, losses = expected
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=CLOSE)
    for actual, wanted in zip(model.coefs_ + model.intercepts_, coefs + intercepts, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=CLOSE * np.abs(wanted).max())


def assert_same(model, other):
    assert model.loss_curve_ == other.loss_curve_
    for actual, wanted in zip(model.coefs_ + model.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("solver", RATES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_is_scikit_learn_where_both_can_be_asked(kind, solver):
    X, y = table(kind)
    model = new_model(kind, sklearn.neural_network, solver=solver, activation="tanh")
    assert_trained(model.fit(X, y, weights()), trained(kind, solver, "tanh", weights()))


@pytest.mark.parametrize("solver", RATES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", NEW)
def test_activations(activation, kind, solver):
    X, y = table(kind)
    model = new_model(kind, activation=activation, solver=solver).fit(X, y)
    coefs, intercepts, losses = trained(kind, solver, activation)
    assert_trained(model, (coefs, intercepts, losses))
    actual = model.predict_proba(X) if kind in LABELS else model.predict(X)
    expected = outputs(coefs, intercepts, X, activation, OUTPUT[kind])[0]
    np.testing.assert_allclose(actual.reshape(len(X), -1)[:, -1], expected[:, -1], rtol=1e-8)


@pytest.mark.parametrize("activation", NEW)
def test_activations_in_float32(activation):
    X, y = table("multiclass", "float32")
    model = new_model("multiclass", activation=activation).fit(X, y)
    assert {values.dtype for values in model.coefs_ + model.intercepts_} == {np.dtype("float32")}
    coefs, _, losses = trained("multiclass", activation=activation)
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-4)
    np.testing.assert_allclose(model.coefs_[0], coefs[0], rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", NEW)
def test_lbfgs_minimises_the_loss_that_it_reports(activation, kind):
    X, y = table(kind)
    smoothing = {"label_smoothing": 0.1} if kind in LABELS else {}
    model = new_model(kind, solver="lbfgs", activation=activation, alpha=0.1, max_iter=30, **smoothing)
    model.fit(X, y, weights())
    T = smoothed(targets(kind, y), smoothing.get("label_smoothing", 0), OUTPUT[kind])
    start = initial((INPUTS, *HIDDEN, T.shape[1]), activation, SEED)
    before, after = (
        loss(*p, X, T, weights(), activation, OUTPUT[kind], 0.1) for p in (start, (model.coefs_, model.intercepts_))
    )
    np.testing.assert_allclose(model.loss_, after, rtol=1e-10)
    assert after < before


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("solver", RATES)
def test_label_smoothing(solver, kind):
    model = new_model(kind, solver=solver, label_smoothing=0.2).fit(*table(kind), weights())
    assert_trained(model, trained(kind, solver, sample_weight=weights(), label_smoothing=0.2))


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_decoupled_weight_decay(kind):
    model = new_model(kind, weight_decay=0.5, learning_rate_decay=0.9).fit(*table(kind))
    assert_trained(model, trained(kind, weight_decay=0.5, learning_rate_decay=0.9))


@pytest.mark.parametrize("kind", ["multiclass", "poisson"])
@pytest.mark.parametrize("solver", RATES)
def test_learning_rate_decay(solver, kind):
    model = new_model(kind, solver=solver, learning_rate_decay=0.7).fit(*table(kind))
    assert_trained(model, trained(kind, solver, learning_rate_decay=0.7))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_decay_of_one_is_none(solver):
    X, y = table("multiclass")
    plain, decayed = (new_model("multiclass", solver=solver, **o).fit(X, y) for o in ({}, {"learning_rate_decay": 1.0}))
    assert_same(decayed, plain)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("sample_weight", [None, weights() + 1])
def test_class_weight_multiplies_sample_weight(kind, solver, sample_weight):
    X, y = table(kind)
    classes, codes = np.unique(y, return_inverse=True)
    share = np.ones(len(y)) if sample_weight is None else sample_weight
    for given in ("balanced", dict(zip(classes, [0.5, 3.0, 1.0], strict=False))):
        each = compute_class_weight(given, classes=classes, y=y)
        weighted = new_model(kind, class_weight=given, solver=solver).fit(X, y, sample_weight)
        plain = new_model(kind, solver=solver).fit(X, y, share * each[codes])
        np.testing.assert_array_equal(weighted.coefs_[0], plain.coefs_[0])
        np.testing.assert_array_equal(weighted.predict_proba(X), plain.predict_proba(X))


def test_class_weight_of_parts():
    X, y = table("multiclass")
    plain, weighted = new_model("multiclass"), new_model("multiclass", class_weight={3: 2.0, 5: 0.5, 7: 1.0})
    for rows in (slice(0, 20), slice(20, 50)):
        weighted.partial_fit(X[rows], y[rows], classes=[3, 5, 7])
        plain.partial_fit(X[rows], y[rows], np.array([2.0, 0.5, 1.0])[(y[rows] - 3) // 2], classes=[3, 5, 7])
    assert_same(weighted, plain)
    with pytest.raises(ValueError, match="balanced"):
        new_model("multiclass", class_weight="balanced").partial_fit(X, y, classes=[3, 5, 7])


@pytest.mark.parametrize("kind", ["multiclass", "outputs"])
@pytest.mark.parametrize("solver", RATES)
def test_threads_do_not_matter(solver, kind):
    X, y = table(kind, rows=400)
    one, two = (new_model(kind, solver=solver, threads=threads, batch_size=100).fit(X, y) for threads in (1, 2))
    assert_same(two, one)
    np.testing.assert_array_equal(two.predict(X), one.predict(X))


@pytest.mark.parametrize(
    "wrong",
    [
        *({"threads": 0}, {"threads": 1.5}, {"time_budget": 0}, {"time_budget": "long"}),
        *({"learning_rate_decay": -0.5}, {"learning_rate_decay": 0}, {"weight_decay": -1}, {"scoring": "beauty"}),
        *({"callbacks": 3}, {"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"class_weight": "even"}),
        *({"activation": "swish"}, {"solver": "adamw"}),
        {"weight_decay": 0.1, "solver": "sgd"},
    ],
    ids=str,
)
def test_options_that_make_no_sense(wrong):
    model = fastmlp.MLPClassifier(**wrong)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        model.fit(*table("binary"))
    assert not hasattr(model, "coefs_")
