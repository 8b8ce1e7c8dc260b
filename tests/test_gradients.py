"""Gradients of whole networks: against central differences, and against the oracle."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import ONE_OF_EACH_DEPTH, network_and_data
from registry import DTYPES
from tolerances import CENTRAL_DIFFERENCE, assert_close, assert_loss_close

from fastmlp import Trainer

pytestmark = pytest.mark.usefixtures("nan_memory")
every_depth = pytest.mark.parametrize("hidden", ONE_OF_EACH_DEPTH, ids=str)


def trainer_with(parameters, hidden, **options):
    trainer = Trainer(hidden=hidden, **options)
    trainer.parameters = parameters
    return trainer


def central_difference(trainer, X, y, name, index, step=1e-5):
    """(loss(p + step) - loss(p - step)) / (2 step) for one of the parameters."""
    start = trainer.parameters
    losses = []
    for sign in (1, -1):
        moved = {key: value.copy() for key, value in start.items()}
        moved[name][index] += sign * step
        trainer.parameters = moved
        losses.append(trainer.loss_and_gradients(X, y)[0])
    trainer.parameters = start
    return (losses[0] - losses[1]) / (2 * step)


@every_depth
def test_central_differences_agree(hidden):
    start, X, y = network_and_data(hidden)
    trainer = trainer_with(start, hidden, l2=0.01, dtype="float64")
    _, gradients = trainer.loss_and_gradients(X, y)
    random = np.random.default_rng(1)
    for name, gradient in gradients.items():
        assert gradient.shape == start[name].shape
        for index in {tuple(random.integers(0, gradient.shape)) for _ in range(6)}:
            difference = central_difference(trainer, X, y, name, index)
            assert gradient[index] == pytest.approx(difference, rel=CENTRAL_DIFFERENCE, abs=CENTRAL_DIFFERENCE)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 5, 256, 257, 600])
@every_depth
def test_loss_and_gradients_agree_with_the_oracle(hidden, dtype, rows):
    start, X, y = network_and_data(hidden, rows=rows)
    trainer = trainer_with(start, hidden, l2=0.01, dtype=dtype)
    loss, gradients = trainer.loss_and_gradients(X, y)
    exact_loss = naive.loss(start, X, y, l2=0.01)
    assert_loss_close(loss, exact_loss, "loss", dtype, magnitude=exact_loss, terms=len(hidden) + 1)
    exact = naive.gradients(start, X, y, l2=0.01)
    assert list(gradients) == list(exact)
    for name, gradient in gradients.items():
        assert_close(gradient, exact[name], "gradient", dtype, terms=len(hidden) + 1)


@settings(max_examples=25)
@given(
    hidden=st.lists(st.integers(1, 70), max_size=3).map(tuple),
    inputs=st.integers(1, 70),
    classes=st.integers(2, 40),
    rows=st.integers(1, 70),
)
def test_gradients_of_any_shape_agree_with_the_oracle(hidden, inputs, classes, rows):
    start, X, y = network_and_data(hidden, rows, inputs, classes)
    _, gradients = trainer_with(start, hidden, l2=0.01, dtype="float64").loss_and_gradients(X, y)
    for name, exact in naive.gradients(start, X, y, l2=0.01).items():
        assert_close(gradients[name], exact, "gradient", "float64", terms=len(hidden) + 1)


@every_depth
def test_parameters_stay_as_they_are(hidden):
    start, X, y = network_and_data(hidden)
    trainer = trainer_with(start, hidden, dtype="float64")
    trainer.loss_and_gradients(X, y)
    for name, value in trainer.parameters.items():
        np.testing.assert_array_equal(value, start[name])


def test_the_oracle_itself_agrees_with_central_differences():
    start, X, y = network_and_data((7, 5))
    for name, gradient in naive.gradients(start, X, y, l2=0.01).items():
        index, step = tuple(np.array(gradient.shape) // 2), 1e-6
        losses = []
        for sign in (1, -1):
            moved = {key: value.copy() for key, value in start.items()}
            moved[name][index] += sign * step
            losses.append(naive.loss(moved, X, y, l2=0.01))
        difference = (losses[0] - losses[1]) / (2 * step)
        assert gradient[index] == pytest.approx(difference, rel=CENTRAL_DIFFERENCE, abs=CENTRAL_DIFFERENCE)
