"""Networks and data to train on in tests."""

from itertools import pairwise, product

import numpy as np

from fastmlp.kernels.inputs import EVERYTHING, NONZEROS, PAIRS, SINGLES, Visiting

ONE_OF_EACH_DEPTH = ((), (50,), (7, 50), (20, 1, 33), (40, 30, 20, 10))
WAYS_TO_VISIT = [Visiting(*kinds) for kinds in product((NONZEROS, PAIRS, SINGLES, EVERYTHING), repeat=2)]


def he_parameters(random, sizes):
    """Normal weights of variance 2 / inputs, and biases that are not zero, in float64."""
    parameters = {}
    for l, (inputs, units) in enumerate(pairwise(sizes), 1):
        parameters[f"W{l}"] = random.standard_normal((inputs, units)) * np.sqrt(2 / inputs)
        parameters[f"b{l}"] = random.uniform(-0.5, 0.5, units)
    return parameters


def visit(monkeypatch, visiting):
    """Let first layers visit their inputs so, whichever way this processor is fastest."""
    monkeypatch.setattr("fastmlp.visiting.to_visit", lambda X, units, rows=0: (visiting, None))


def clusters(random, rows, inputs, classes):
    """X (rows, inputs) float64 in [-1, 1] that can be told apart a little, y (rows,): every class, if rows allow."""
    y = random.permutation(np.arange(rows) % classes)
    centres = random.uniform(-0.6, 0.6, (classes, inputs))
    return centres[y] + random.uniform(-0.4, 0.4, (rows, inputs)), y


def network_and_data(hidden, rows=37, inputs=21, classes=10, seed=0):
    """Return (parameters, X, y), all float64, made of numbers that float32 holds exactly."""
    random = np.random.default_rng(seed)
    parameters = he_parameters(random, (inputs, *hidden, classes))
    exact = {name: value.astype(np.float32).astype(np.float64) for name, value in parameters.items()}
    X, y = clusters(random, rows, inputs, classes)
    return exact, X.astype(np.float32).astype(np.float64), y
