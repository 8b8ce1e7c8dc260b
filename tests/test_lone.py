"""An output layer of one unit, which has kernels of its own."""

import numpy as np
import pytest
from naive_estimator import gradients
from networks import he_parameters
from registry import DTYPES
from tolerances import assert_close

from fastmlp import Trainer

pytestmark = pytest.mark.usefixtures("nan_memory")
RATE, L2, SEED = 0.05, 0.01, 3


def regression(hidden, rows, inputs=13, outputs=1):
    """Return (parameters, X, Y), made of numbers that float32 holds exactly."""
    random = np.random.default_rng(rows)
    X, Y = random.uniform(-1, 1, (rows, inputs)), random.uniform(-1, 1, (rows, outputs))
    parameters = he_parameters(random, (inputs, *hidden, outputs))
    exact = {name: value.astype(np.float32).astype(np.float64) for name, value in parameters.items()}
    return exact, X.astype(np.float32).astype(np.float64), Y.astype(np.float32).astype(np.float64)


def after_an_epoch(parameters, X, Y, batch_size):
    """Return the parameters after plain gradient descent on half the squared error, ReLU between layers."""
    names = sorted(parameters)
    weights, biases = ([parameters[name].copy() for name in names if name[0] == kind] for kind in "Wb")
    order = np.random.default_rng(SEED).permutation(len(X))
    for first in range(0, len(X), batch_size):
        rows = order[first : first + batch_size]
        alpha = 2 * L2 * len(rows)  # of which a step takes the share of a row
        found = gradients(weights, biases, X[rows], Y[rows], np.ones(len(rows)), "relu", "identity", alpha)
        for values, gradient in zip(weights + biases, found, strict=True):
            values -= RATE * gradient
    return dict(zip(names, weights + biases, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [1, 3, 8, 30, 300])
@pytest.mark.parametrize("hidden", [(), (5,), (33,), (40, 9)], ids=str)
def test_an_epoch_agrees_with_the_oracle(hidden, batch_size, dtype):
    start, X, Y = regression(hidden, rows=2 * batch_size + 3)
    trainer = Trainer(
        hidden, task="regress", dtype=dtype, batch_size=batch_size, epochs=1, learning_rate=RATE, l2=L2, seed=SEED
    )
    trainer.parameters = start
    trainer.fit(X, Y)
    expected = after_an_epoch(start, X, Y, batch_size)
    for name, parameter in trainer.parameters.items():
        assert_close(parameter, expected[name], "trajectory", dtype, terms=3 * (len(hidden) + 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [(5,), (33,), (40, 9)], ids=str)
@pytest.mark.parametrize("rows", [1, 4, 35, 300])
def test_it_predicts_the_same_bits_as_beside_another(hidden, rows, dtype):
    both, X, Y = regression(hidden, rows, outputs=2)
    last = len(hidden) + 1
    one = {**both, f"W{last}": both[f"W{last}"][:, :1], f"b{last}": both[f"b{last}"][:1]}
    predicted = []
    for parameters, targets in ((both, Y), (one, Y[:, :1])):
        trainer = Trainer(hidden, task="regress", dtype=dtype, epochs=1, learning_rate=1e-30)
        trainer.parameters = parameters
        trainer.fit(X, targets)
        predicted.append(trainer.predict(X))
    np.testing.assert_array_equal(predicted[1], predicted[0][:, :1])


@pytest.mark.parametrize("option", [{}, {"solver": "adam"}, {"momentum": 0.9, "dtype": "float64"}], ids=str)
@pytest.mark.parametrize(("hidden", "batch_size"), [((130,), 100), ((24, 24), 365)], ids=str)
def test_threads_make_no_difference(hidden, batch_size, option):
    _, X, Y = regression(hidden, rows=800, inputs=70)
    results = []
    for threads in (1, 2, 3):
        trainer = Trainer(hidden, task="regress", batch_size=batch_size, epochs=2, threads=threads, **option)
        trainer.fit(X, Y)
        results.append([a.tobytes() for a in (*trainer.parameters.values(), np.array(trainer.history_.loss))])
    assert results[1] == results[0]
    assert results[2] == results[0]
