"""How training is watched and how it ends: rows held out, scores, callbacks, budgets, divergence, Ctrl-C."""

import pickle
import time
import warnings

import numpy as np
import pytest
from estimator_data import KINDS, model_of, table, weights
from naive_estimator import LOSSES, OUTPUTS
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.preprocessing import LabelBinarizer

import fastmlp

X, y = table("multiclass", rows=60)
HALVES = X[:40], y[:40], X[40:], y[40:]
unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(**options):
    fixed = {
        "hidden_layer_sizes": (8,),
        "batch_size": 16,
        "learning_rate_init": 0.02,
        "random_state": 0,
        "max_iter": 12,
    }
    return fastmlp.MLPClassifier(**{**fixed, **options})


def held_out_loss(kind, model, X, y):
    """Return the mean loss, without the penalty, of rows by a model's own weights."""
    A = np.asarray(X, float)
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        A = np.maximum(A @ W + b, 0)
    output = model.out_activation_
    is_label = hasattr(model, "classes_")
    T = LabelBinarizer().fit(model.classes_).transform(y) if is_label and y.ndim == 1 else y.reshape(len(y), -1)
    return LOSSES[output](T, OUTPUTS[output](A @ model.coefs_[-1] + model.intercepts_[-1])).mean()


# ---- epochs of a call ----

WAYS_TO_TRAIN = {
    "adam": {},
    "two parts of a minibatch": {"hidden_layer_sizes": (100,), "batch_size": 60},
    "units shared": {"hidden_layer_sizes": (900,), "batch_size": 60, "learning_rate_init": 1e-3},
    "dropout": {"dropout": 0.2, "n_iter_no_change": 1},
    "rates that are made smaller": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.02},
    "rates that fall": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "no progress at all": {"tol": 1e3},
    "classes of different weight": {"class_weight": "balanced"},
}


@unconverged
@pytest.mark.parametrize("options", WAYS_TO_TRAIN.values(), ids=WAYS_TO_TRAIN)
@pytest.mark.parametrize("portions", [1, 1000], ids=["a call in portions", "a call in one"])
def test_epochs_end_in_one_call_as_when_each_is_a_call(options, portions, monkeypatch):
    monkeypatch.setattr("fastmlp.engine.MULTIPLY_ADDS_PER_CALL", portions * 1_000_000)

    def trained(**watched):
        random = np.random.RandomState(1)
        usual = {"max_iter": 60, "tol": 1e-3, "n_iter_no_change": 3, "warm_start": True, "resume": True}
        model = classifier(**{**usual, **options}, random_state=random, **watched)
        curves = [list(model.fit(X, y).loss_curve_) for _ in range(2)]  # the second goes on where the first has ended
        return [*curves, model.n_iter_, model.t_, random.random_sample(), *(W.tobytes() for W in model.coefs_)]

    assert trained() == trained(callbacks=[lambda figures: None])  # who is told of each epoch before the next


# ---- rows held out ----


@unconverged
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_rows_to_validate_on(kind):
    X, y = table(kind, rows=60)
    options = {"hidden_layer_sizes": (8,), "batch_size": 16, "random_state": 0, "max_iter": 3}
    model = model_of(fastmlp, kind, **options, alpha=0.5).fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert len(model.validation_loss_curve_) == 3
    np.testing.assert_allclose(model.validation_loss_curve_[-1], held_out_loss(kind, model, X[40:], y[40:]), rtol=1e-9)
    alone = model_of(fastmlp, kind, **options, alpha=0.5).fit(X[:40], y[:40])
    np.testing.assert_array_equal(model.coefs_[0], alone.coefs_[0])
    assert model.validation_scores_ is None


@pytest.mark.parametrize("weighted", [None, weights(40)])
def test_early_stopping_by_rows_that_are_given(weighted):
    X_train, y_train, X_val, y_val = HALVES
    model = classifier(early_stopping=True, max_iter=100, n_iter_no_change=3)
    model.fit(X_train, y_train, weighted, X_val=X_val, y_val=y_val)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_ < 100
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X_val, y_val) == model.best_validation_score_
    assert model.t_ == 40 * model.n_iter_  # none of the rows to train on were set aside


@unconverged
def test_early_stopping_sets_rows_aside_and_tells_their_loss():
    model = classifier(early_stopping=True, validation_fraction=0.5).fit(X, y)
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.validation_loss_curve_).all()


@unconverged
def test_early_stopping_of_labels_that_are_words():
    words = np.array(["a", "b", "c"], dtype=object)[(y - 3) // 2]
    model = classifier(early_stopping=True, validation_fraction=0.5).fit(X, words)
    assert np.isfinite(model.validation_scores_).all()


@unconverged
@pytest.mark.parametrize("scoring", ["neg_log_loss", "f1_macro", get_scorer("balanced_accuracy")], ids=str)
def test_scoring(scoring):
    X_train, y_train, X_val, y_val = HALVES
    model = classifier(early_stopping=True, scoring=scoring).fit(X_train, y_train, X_val=X_val, y_val=y_val)
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    np.testing.assert_allclose(scorer(model, X_val, y_val), model.best_validation_score_, rtol=1e-10)
    assert model.best_validation_score_ == max(model.validation_scores_)


@unconverged
def test_scoring_by_a_function_of_ones_own():
    scores, answers = iter([0.1, 0.5, 0.2, 0.3]), []

    def scoring(model, X_val, y_val):
        assert len(X_val) == len(y_val) == 6
        answers.append(model.predict_proba(X))
        return next(scores)

    model = classifier(early_stopping=True, scoring=scoring, max_iter=4).fit(X, y)
    assert model.validation_scores_ == [0.1, 0.5, 0.2, 0.3]
    np.testing.assert_array_equal(model.predict_proba(X), answers[1])


@pytest.mark.parametrize(
    ("X_val", "y_val"),
    [(X, None), (None, y), (X[:, 1:], y), (X, y[1:]), (X, y + 100), (X * np.nan, y)],
    ids=["no y", "no X", "columns", "rows", "classes", "nan"],
)
def test_rows_to_validate_on_that_do_not_fit(X_val, y_val):
    model = classifier()
    with pytest.raises(ValueError, match=r"."):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    assert not hasattr(model, "coefs_")


# ---- callbacks, budgets ----


@unconverged
def test_callbacks_see_every_epoch():
    seen, also = [], []
    X_train, y_train, X_val, y_val = HALVES
    model = classifier(callbacks=[seen.append, also.append], early_stopping=True)
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    assert [figures.epoch for figures in seen] == list(range(1, 13))
    assert [figures.loss for figures in seen] == model.loss_curve_
    assert [figures.validation_score for figures in seen] == model.validation_scores_
    assert also == seen


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_callback_ends_training(solver):
    model = classifier(solver=solver, callbacks=(lambda figures: figures.epoch == 3,)).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 3


@unconverged
def test_a_callback_can_be_asked_for_anything_else():
    assert classifier(callbacks=[lambda figures: None, lambda figures: "more"]).fit(X, y).n_iter_ == 12


def test_what_a_callback_raises_is_raised():
    def fail(figures):
        raise RuntimeError("no space left")

    model = classifier(callbacks=[fail])
    with pytest.raises(RuntimeError, match="no space left"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_time_budget(solver):
    model = classifier(solver=solver, time_budget=0.3, max_iter=10**9, tol=0.0, n_iter_no_change=np.inf)
    classifier(solver=solver, max_iter=1, callbacks=[lambda figures: True]).fit(X, y)  # compiles
    began = time.monotonic()
    model.fit(X, y)
    assert 0.3 <= time.monotonic() - began < 5
    assert 1 <= model.n_iter_ == len(model.loss_curve_)
    assert model.predict(X).shape == y.shape


def interrupting(epoch):
    def interrupt(figures):
        if figures.epoch == epoch:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_leaves_a_usable_model(early_stopping):
    model = classifier(callbacks=[interrupting(4)], early_stopping=early_stopping, validation_fraction=0.5)
    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        model.fit(X, y)
    assert len(model.loss_curve_) == 4
    assert np.isfinite(model.predict_proba(X)).all()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model.set_params(callbacks=None))).predict(X), model.predict(X)
    )
    if not early_stopping:
        assert len(model.partial_fit(X, y).loss_curve_) == 5


ENDINGS = {
    "patience": {"n_iter_no_change": 4, "max_iter": 99},
    "max_iter": {},
    "a callback": {"callbacks": [lambda figures: figures.epoch == 11]},
    "Ctrl-C": {"callbacks": [interrupting(11)]},
    "a budget": {"time_budget": 1e-9, "max_iter": 99},
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.filterwarnings("ignore:Training interrupted", "ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_best_weights_are_restored_however_training_ends(ending):
    X_train, y_train, X_val, y_val = HALVES
    options = {"early_stopping": True, "scoring": "neg_log_loss", "learning_rate_init": 0.3, **ending}
    model = classifier(**options).fit(X_train, y_train, X_val=X_val, y_val=y_val)
    np.testing.assert_allclose(
        get_scorer("neg_log_loss")(model, X_val, y_val), max(model.validation_scores_), rtol=1e-9
    )
    if len(model.validation_scores_) > 1:
        assert np.argmax(model.validation_scores_) < len(model.validation_scores_) - 1


# ---- divergence ----

DIVERGING = {"solver": "sgd", "activation": "identity", "learning_rate_init": 1e10, "hidden_layer_sizes": (8, 8)}


def state_of(model):
    return pickle.dumps({name: value for name, value in vars(model).items() if not name.startswith("_predicting")})


@pytest.mark.parametrize("kind", ["multiclass", "regression", "poisson"])
def test_divergence_is_an_error_and_changes_nothing(kind):
    X, y = table(kind)
    model = model_of(fastmlp, kind, **DIVERGING, random_state=0)
    with pytest.raises(fastmlp.DivergedError, match="learning_rate_init") as caught:
        model.fit(X * 1e30, y)
    assert isinstance(caught.value, ValueError)
    assert vars(model) == vars(model_of(fastmlp, kind, **DIVERGING, random_state=0))


@unconverged
@pytest.mark.parametrize("method", ["fit", "warm fit", "partial_fit"])
def test_divergence_of_a_model_that_was_fitted(method):
    model = classifier(warm_start=method == "warm fit").fit(X, y)
    model.set_params(solver="sgd", activation="identity", learning_rate_init=1e200)
    before, predicted = state_of(model), model.predict_proba(X)
    with pytest.raises(fastmlp.DivergedError):
        (model.partial_fit if method == "partial_fit" else model.fit)(X, y)
    assert state_of(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), predicted)


def test_divergence_with_early_stopping_keeps_the_best():
    model = classifier(**DIVERGING, early_stopping=True, validation_fraction=0.5)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X * 1e30, y)
    assert any("finite" in str(w.message) for w in caught)
    assert np.isnan(model.validation_scores_[-1])
    assert all(np.isfinite(values).all() for values in model.coefs_ + model.intercepts_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(X)


def test_divergence_after_good_epochs_goes_back_to_the_best():
    X_train, y_train, X_val, y_val = HALVES
    # a rate that grows a hundredfold with each epoch
    model = classifier(solver="sgd", early_stopping=True, learning_rate_decay=100.0, max_iter=200, n_iter_no_change=200)
    with pytest.warns(ConvergenceWarning, match="finite"):
        model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    assert np.isfinite(model.validation_scores_[0])
    assert np.isnan(model.validation_scores_[-1])
    assert model.score(X_val, y_val) == model.best_validation_score_ == np.nanmax(model.validation_scores_)
