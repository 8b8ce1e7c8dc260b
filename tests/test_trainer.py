"""What a Trainer promises: its history, callbacks, validation, parameters, seeds, labels and options."""

import dataclasses

import naive
import numpy as np
import pytest
from networks import clusters, network_and_data
from numpy.testing import assert_array_equal
from tolerances import assert_close, assert_loss_close

from fastmlp import History, Trainer
from fastmlp.history import EpochFigures

X, y = clusters(np.random.default_rng(0), rows=300, inputs=20, classes=4)
X_val, y_val = X[200:], y[200:]


def fitted(X=X, y=y, validation_data=None, callbacks=(), **options):
    options = {"hidden": (16,), "epochs": 3, "batch_size": 32, "momentum": 0.9, **options}
    trainer = Trainer(**options)
    trainer.fit(X, y, validation_data, callbacks)
    return trainer


def same_parameters(a, b):
    return all((value == b.parameters[name]).all() for name, value in a.parameters.items())


def test_training_learns():
    trainer = fitted(epochs=10, validation_data=(X_val, y_val))
    assert trainer.history_.loss[-1] < 0.1 < 0.5 < trainer.history_.loss[0]
    assert trainer.score(X, y) > 0.98
    assert trainer.history_.validation_accuracy[-1] > 0.98


# ---- history and callbacks ----


def test_history_has_a_figure_for_each_epoch():
    trainer = Trainer(hidden=(16,), epochs=4, learning_rate=0.5, learning_rate_decay=0.5)
    history = trainer.fit(X, y, validation_data=(X_val, y_val))
    assert isinstance(history, History)
    assert history is trainer.history_
    for field in dataclasses.fields(History):
        assert len(getattr(history, field.name)) == (0 if field.name == "validation_score" else 4)
        assert all(type(figure) is float for figure in getattr(history, field.name))
    assert history.learning_rate == [0.5, 0.25, 0.125, 0.0625]
    assert min(history.epoch_seconds) > 0
    assert trainer.compile_seconds > 0


def test_history_without_validation_data():
    history = fitted().history_
    assert (len(history.loss), history.validation_loss, history.validation_accuracy) == (3, [], [])


def test_validation_figures_are_those_of_the_trained_network():
    trainer = fitted(validation_data=(X_val, y_val), l2=0.01, threads=1)
    history, parameters = trainer.history_, trainer.parameters
    exact = naive.loss(parameters, X_val, y_val, l2=0.01)
    assert_loss_close(history.validation_loss[-1], exact, "loss", "float32", magnitude=1 + exact, terms=2)
    assert history.validation_accuracy[-1] == trainer.score(X_val, y_val)


def test_validation_does_not_change_training():
    assert same_parameters(fitted(), fitted(validation_data=(X_val, y_val)))


def test_callbacks_get_the_figures_of_each_epoch():
    heard = []
    history = fitted(validation_data=(X_val, y_val), callbacks=[heard.append]).history_
    assert all(type(figures) is EpochFigures for figures in heard)
    assert [(figures.epoch, figures.epochs, figures.rows) for figures in heard] == [(k, 3, 300) for k in (1, 2, 3)]
    assert [figures.loss for figures in heard] == history.loss
    assert [figures.validation_loss for figures in heard] == history.validation_loss
    assert [figures.validation_accuracy for figures in heard] == history.validation_accuracy
    assert [figures.learning_rate for figures in heard] == history.learning_rate
    assert [figures.seconds for figures in heard] == history.epoch_seconds


def test_a_callback_that_returns_true_ends_the_training():
    heard = []
    trainer = fitted(epochs=9, callbacks=(lambda figures: figures.epoch == 2, heard.append))
    assert len(trainer.history_.loss) == len(heard) == 2
    assert not trainer.interrupted


@pytest.mark.parametrize("answer", [None, False, 0, 1.0, "stop", np.ones(2)], ids=repr)
def test_only_true_ends_the_training(answer):
    assert len(fitted(callbacks=(lambda figures: answer,)).history_.loss) == 3
    assert len(fitted(callbacks=(lambda figures: answer, lambda figures: np.True_)).history_.loss) == 1


def test_an_error_in_a_callback_reaches_the_caller_and_the_model_stays_usable():
    trainer = Trainer(hidden=(16,), epochs=3)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(X, y, callbacks=(lambda figures: 1 / 0,))
    assert len(trainer.history_.loss) == 1
    assert trainer.predict(X).shape == (300,)


# ---- steps and sampling ----


@pytest.mark.parametrize(("max_steps", "rows"), [(1, [32]), (9, [288]), (10, [300]), (11, [300, 32]), (99, [300] * 3)])
def test_max_steps_counts_minibatches(max_steps, rows):
    heard = []
    fitted(max_steps=max_steps, callbacks=(heard.append,))
    assert [figures.rows for figures in heard] == rows


def test_choice_draws_with_replacement_and_shuffle_visits_each_row_once():
    # a rate too low to change anything: the loss tells which rows were visited
    start, X, y = network_and_data((5,), rows=40)
    means = {}
    for sampling in ("shuffle", "choice"):
        trainer = Trainer(hidden=(5,), learning_rate=1e-30, l2=0, sampling=sampling, dtype="float64", epochs=1)
        trainer.parameters = start
        means[sampling] = trainer.fit(X, y).loss[0]
    assert means["shuffle"] == pytest.approx(naive.loss(start, X, y), rel=1e-12)
    assert means["choice"] != pytest.approx(naive.loss(start, X, y), rel=1e-3)


# ---- seeds and starting weights ----


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    assert same_parameters(fitted(seed=7), fitted(seed=7))
    assert not same_parameters(fitted(seed=7), fitted(seed=8))
    assert not same_parameters(fitted(seed=None), fitted(seed=None))


def test_fitting_again_starts_anew():
    trainer = fitted()
    first = trainer.parameters
    trainer.fit(X, y)
    for name, value in trainer.parameters.items():
        assert_array_equal(value, first[name])


def test_he_weights_have_a_variance_of_2_over_inputs_and_biases_are_zero():
    many = np.zeros((20, 500))  # without inputs, no weight of the first layer moves
    start = fitted(many, np.arange(20) % 2, hidden=(400, 300), epochs=1, learning_rate=1e-30, l2=0).parameters
    assert start["W1"].std() == pytest.approx(np.sqrt(2 / 500), rel=0.01)
    assert start["W2"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.01)
    assert abs(start["W1"].mean()) < 1e-3
    assert all(np.abs(start[name]).max() < 1e-20 for name in ("b1", "b2", "b3"))


@pytest.mark.parametrize("init", [0.5, 1e-4, 0])
def test_init_may_be_the_standard_deviation_of_normal_weights(init):
    start = fitted(hidden=(400,), epochs=1, learning_rate=1e-30, l2=0, init=init).parameters
    assert start["W1"].std() == pytest.approx(init, rel=0.02)


# ---- parameters ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_are_named_shaped_and_typed(dtype):
    parameters = fitted(hidden=(7, 50), dtype=dtype).parameters
    shapes = {"W1": (20, 7), "b1": (7,), "W2": (7, 50), "b2": (50,), "W3": (50, 4), "b3": (4,)}
    assert {name: value.shape for name, value in parameters.items()} == shapes
    assert all(value.dtype == dtype and value.flags.c_contiguous for value in parameters.values())


def test_parameters_are_copies():
    trainer = fitted()
    for value in trainer.parameters.values():
        value.fill(0)
    assert all(value.any() for value in trainer.parameters.values())


def test_parameters_that_are_set_predict_without_a_fit():
    start, X, _ = network_and_data((16,), classes=4)
    trainer = Trainer(hidden=(16,))
    trainer.parameters = start
    scores = naive.forward(start, X)[-1]
    assert_close(trainer.decision_function(X), scores, "scores", "float32", np.abs(scores).max(), terms=2)
    assert_array_equal(trainer.predict(X), scores.argmax(axis=1))


def test_parameters_move_from_one_trainer_to_another():
    source = fitted()
    target = Trainer(hidden=(16,), batch_size=7)
    target.parameters = source.parameters
    assert same_parameters(source, target)
    assert_array_equal(source.decision_function(X), target.decision_function(X))


def test_fit_goes_on_from_parameters_that_were_set():
    trainer = fitted(epochs=10)
    low = trainer.history_.loss[-1]
    trainer.parameters = trainer.parameters
    assert trainer.fit(X, y).loss[0] < 2 * low


# ---- using ----


def test_probabilities_are_the_softmax_of_the_scores():
    trainer = fitted()
    scores, probabilities = trainer.decision_function(X), trainer.predict_proba(X)
    assert scores.shape == probabilities.shape == (300, 4)
    assert scores.dtype == probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True) == pytest.approx(probabilities, rel=1e-5)
    assert_array_equal(trainer.predict(X), probabilities.argmax(axis=1))
    assert trainer.score(X, y) == (trainer.predict(X) == y).mean()


@pytest.mark.parametrize("rows", [1, 127, 128, 129, 300])
def test_a_row_has_the_same_scores_in_any_company(rows):
    trainer = fitted()
    assert_array_equal(trainer.decision_function(X[:rows]), trainer.decision_function(X)[:rows])


LABELS = {
    "strings": np.array(["cat", "dog", "bird", "an emu of many words"]),
    "objects": np.array(["cat", "dog", "bird", "emu"], object),
    "far apart": np.array([-5, 7, 2**40, 0]),
    "unsigned": np.array([200, 3, 255, 0], np.uint8),
    "whole floats": np.array([1.0, -2.0, 3.0, 4.0]),
}


@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS.keys())
def test_labels_of_any_kind(names):
    trainer = fitted(y=names[y], validation_data=(X_val, names[y_val]), epochs=10)
    assert_array_equal(trainer.classes_, np.unique(names))
    assert trainer.predict(X).dtype == trainer.classes_.dtype
    assert trainer.score(X, names[y]) > 0.98
    assert trainer.history_.validation_accuracy[-1] > 0.98


def test_two_classes_as_a_list_of_integers_and_as_booleans():
    for labels in ([-5 if odd else 7 for odd in y % 2], y % 2 == 1, np.where(y % 2, -5, 7)[:, None]):
        trainer = fitted(y=labels, epochs=10)
        assert trainer.score(X, labels) > 0.98


def test_repr_shows_what_differs_from_the_defaults():
    assert repr(Trainer(hidden=(3,), seed=5)) == "Trainer(hidden=(3,), seed=5)"


def test_momenta_that_vanish_become_zeros_and_never_subnormal_numbers():
    # processors take a hundred times as long for these; an input that stays away halves its weights' momenta each step
    random = np.random.default_rng(0)
    X, y = random.standard_normal((140, 3)).astype(np.float32), random.integers(0, 2, 140)
    options = {"hidden": (4,), "batch_size": 1, "momentum": 0.5, "l2": 0.0, "dtype": "float32"}
    trainer = Trainer(**options, epochs=1)
    trainer.fit(X, y)
    momenta = trainer.state().slots[1]["W1"]
    assert np.abs(momenta[0]).max() > 0
    X[:, 0] = 0.0
    going_on = Trainer(**options, epochs=2)
    going_on.fit(X, y, state=trainer.state())
    vanished = np.abs(going_on.state().slots[1]["W1"][0])
    assert np.all((vanished == 0) | (vanished >= np.finfo(np.float32).tiny))


def test_training_leaves_the_callers_subnormal_numbers_alone():
    blobs_trainer = Trainer(hidden=(4,), epochs=1)
    blobs_trainer.fit(np.eye(8, dtype=np.float32), np.arange(8) % 2)
    tiny = np.full(1, 1e-40, np.float32)
    assert (tiny * np.float32(0.5))[0] > 0
