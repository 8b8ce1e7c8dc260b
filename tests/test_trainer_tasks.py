"""Regression, weights of rows, activations, and going on from a state."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp import Trainer

random = np.random.default_rng(7)
X = random.standard_normal((203, 5)).astype(np.float32)
Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] * X[:, 3]])
LABELS = (Y[:, 0] > 0).astype(int)


def loss_of(parameters, l2, weights=None, truth=Y):
    """Half the squared error of one hidden layer of tanh, summed over outputs, by its definition."""
    outputs = np.tanh(X @ parameters["W1"] + parameters["b1"]) @ parameters["W2"] + parameters["b2"]
    squares = np.square(outputs - truth).sum(axis=1) / 2
    return np.average(squares, weights=weights) + l2 * sum(np.square(parameters[W]).sum() for W in ("W1", "W2"))


def regressor(**options):
    return Trainer(
        **{"task": "regress", "activation": "tanh", "dtype": "float64", "hidden": (6,), "l2": 1e-3} | options
    )


def test_gradients_of_a_regression_are_those_of_its_loss():
    trainer = regressor(epochs=1)
    trainer.fit(X, Y)
    loss, gradients = trainer.loss_and_gradients(X, Y)
    parameters = trainer.parameters
    assert_allclose(loss, loss_of(parameters, 1e-3))
    for name, gradient in gradients.items():
        where = tuple(size // 2 for size in gradient.shape)
        shifted = [{**parameters, name: parameters[name].copy()} for _ in range(2)]
        shifted[0][name][where] += 1e-6
        shifted[1][name][where] -= 1e-6
        assert_allclose(gradient[where], (loss_of(shifted[0], 1e-3) - loss_of(shifted[1], 1e-3)) / 2e-6, rtol=1e-5)


def test_one_step_over_all_rows_descends_along_the_gradient_of_the_weighted_mean():
    weights = random.random(len(X))
    trainer = regressor(epochs=1, batch_size=len(X), learning_rate=1e-6)
    trainer.fit(X, Y[:, :1])
    before = trainer.parameters
    trainer.parameters = before
    history = trainer.fit(X, Y[:, :1], sample_weight=weights)
    after = trainer.parameters
    assert_allclose(history.loss[0], loss_of(before, 1e-3, weights, Y[:, :1]), rtol=1e-5)
    fallen = loss_of(before, 1e-3, weights, Y[:, :1]) - loss_of(after, 1e-3, weights, Y[:, :1])
    steps = sum(np.square(after[name] - before[name]).sum() for name in before)
    assert_allclose(fallen, steps / 1e-6, rtol=1e-3)  # rate * |gradient|^2, and the step is rate * gradient


def test_regression_learns_and_is_measured_by_r2():
    trainer = regressor(epochs=60, solver="adam", learning_rate=0.02, batch_size=16, hidden=(32,))
    history = trainer.fit(X[:150], Y[:150], validation_data=(X[150:], Y[150:]))
    predicted = trainer.predict(X[150:])
    left = np.square(predicted - Y[150:]).sum(axis=0)
    r2 = (1 - left / np.square(Y[150:] - Y[150:].mean(axis=0)).sum(axis=0)).mean()
    assert_allclose(history.validation_score[-1], r2)
    assert_allclose(trainer.score(X[150:], Y[150:]), r2)
    assert history.validation_accuracy == []
    assert r2 > 0.8
    assert predicted.shape == (53, 2)


def test_predictions_of_flat_values_are_flat():
    trainer = regressor(epochs=2)
    trainer.fit(X, Y[:, 0])
    assert trainer.predict(X).shape == (203,)
    with pytest.raises(ValueError, match="predict_proba needs task='classify'"):
        trainer.predict_proba(X)
    with pytest.raises(AttributeError, match="classes_"):
        _ = trainer.classes_


@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.9, "nesterov": True, "hidden": (9, 4)},
        {"solver": "adam", "learning_rate": 0.01, "sampling": "choice", "dtype": "float64"},
        {"learning_rate_schedule": "linear", "activation": "gelu", "max_steps": 40},
    ],
)
@pytest.mark.parametrize("stop", [1, 3])
def test_going_on_from_a_state_is_never_having_stopped(options, stop):
    def trained(state=None, callbacks=()):
        trainer = Trainer(epochs=6, batch_size=32, **options)
        history = trainer.fit(X, LABELS, (X[:50], LABELS[:50]), callbacks, state=state)
        return trainer, history

    whole, whole_history = trained()
    states = []
    stopped = Trainer(epochs=6, batch_size=32, **options)
    stopped.fit(X, LABELS, callbacks=[lambda figures: states.append(stopped.state()) or figures.epoch == stop])
    resumed, history = trained(state=states[-1])
    assert len(states) == stop
    for name, array in whole.parameters.items():
        assert_array_equal(resumed.parameters[name], array)
    assert history.loss == whole_history.loss
    assert history.learning_rate == whole_history.learning_rate
    assert len(states[-1].history.loss) == stop  # what it went on from stays as it was


def test_a_state_of_another_training_is_refused():
    trainer = Trainer(epochs=1, hidden=(8,))
    with pytest.raises(ValueError, match="call fit first"):
        trainer.state()
    trainer.fit(X, LABELS)
    with pytest.raises(ValueError, match="state must be of layers"):
        Trainer(hidden=(9,)).fit(X, LABELS, state=trainer.state())
    with pytest.raises(ValueError, match="solver='adam'"):
        Trainer(hidden=(8,), solver="adam").fit(X, LABELS, state=trainer.state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": [0.5] * 202}, "y must have values for each of the 203 rows, got 202"),
        ({"y": [float("nan")] * 203}, "y must be finite"),
        ({"y": ["a"] * 203}, "y must hold real numbers"),
        ({"y": np.zeros((203, 1, 1))}, "y must have shape"),
        ({"sample_weight": [-1.0] * 203}, "sample_weight must hold no negative number"),
        ({"sample_weight": [0.0] * 203}, "some above 0"),
        ({"sample_weight": [1.0]}, "sample_weight must have values for each of the 203 rows"),
    ],
)
def test_what_cannot_be_learned_is_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        regressor().fit(X, **{"y": Y} | arguments)


def test_options_name_what_they_may_be():
    with pytest.raises(ValueError, match="task must be one of 'classify', 'regress'"):
        Trainer(task="rank")
    with pytest.raises(ValueError, match="activation must be one of 'identity'"):
        Trainer(activation="swish")
