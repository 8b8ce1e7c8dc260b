"""Dropout and gradient clipping against a training loop in plain NumPy, float64, that drops by the same formula."""

import warnings
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from fastmlp import MLPRegressor
from fastmlp.kernels.shape import BLOCK
from fastmlp.sharing import Minibatch, sharing_of

EPOCHS, RATE, ALPHA = 4, 0.05, 0.01
SIZES = (7, 21, 18, 2)
MASK = np.uint64(0xFFFFFFFF)
STRIDE = 0x9E3779B9


def mixed(h):
    """The finaliser of MurmurHash3 on 32 bits held in 64."""
    h = np.asarray(h, np.uint64) & MASK
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> np.uint64(shift))) * np.uint64(factor) & MASK
    return h ^ (h >> np.uint64(16))


def factors(seed, layer, shape, rate):
    """What dropout multiplies each number of a matrix by."""
    rows, columns = (np.arange(size, dtype=np.uint64) for size in shape)
    of_layer = mixed(int(seed) + layer * STRIDE)
    of_row = mixed(of_layer + rows * np.uint64(STRIDE))
    bits = mixed(of_row[:, None] + columns * np.uint64(STRIDE))
    return (bits >= np.uint64(rate * 2**32)) / (1 - rate)


def factors_of_parts(parts, seed, layer, shape, rate):
    """The same of a minibatch that is trained in parts, each with a seed and rows of its own."""
    bounds = [min(shape[0], -(-shape[0] // BLOCK) * p // parts * BLOCK) for p in range(parts + 1)]
    sizes = np.diff(bounds)
    return np.vstack([factors(int(seed) + p, layer, (size, shape[1]), rate) for p, size in enumerate(sizes)])


def data(rows=40):
    random = np.random.default_rng(3)
    return random.normal(size=(rows, SIZES[0])), random.normal(size=(rows, SIZES[-1])) * 3


def trained(rows=40, **options):
    """Coefficients and intercepts before and after training, and the loss of each epoch."""
    X, y = data(rows)
    common = {"hidden_layer_sizes": SIZES[1:-1], "solver": "sgd", "momentum": 0.0, "alpha": ALPHA, "random_state": 0}
    common |= {"shuffle": False, "learning_rate_init": RATE, "batch_size": 16, "tol": 0.0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        before = MLPRegressor(**common, max_iter=1).set_params(learning_rate_init=1e-300).fit(X, y)
        after = MLPRegressor(**common, max_iter=EPOCHS).fit(X, y)
    return before, after


def reference(
    start, activation, slope, dropout=0.0, input_dropout=0.0, clip_norm=np.inf, rows=40, batch_size=16, parts=1
):
    """Train by the formulas: mask, forward, backward with the same masks, clip, descend."""
    X, y = data(rows)
    W, b = [w.copy() for w in start.coefs_], [v.copy() for v in start.intercepts_]
    random = np.random.RandomState(0)
    for w in W:  # the draws of the first weights
        random.uniform(size=w.shape)
        random.uniform(size=w.shape[1])
    for _ in range(EPOCHS):
        drops = bool(dropout or input_dropout)
        seeds = random.randint(0, 2**32, -(-len(X) // batch_size), np.uint32) if drops else np.zeros(9)
        for seed, first in zip(seeds, range(0, len(X), batch_size), strict=False):
            mask = partial(factors_of_parts, parts, seed)
            A, Zs, masks = [X[first : first + batch_size]], [], []
            masks.append(mask(0, A[0].shape, input_dropout) if input_dropout else np.ones(A[0].shape))
            A[0] = A[0] * masks[0]
            for l in range(2):
                Zs.append(A[-1] @ W[l] + b[l])
                masks.append(mask(l + 1, Zs[-1].shape, dropout) if dropout else np.ones(Zs[-1].shape))
                A.append(activation(Zs[-1]) * masks[-1])
            G = (A[2] @ W[2] + b[2] - y[first : first + batch_size]) / len(A[0])
            dW, db = [None] * 3, [None] * 3
            for l in (2, 1, 0):
                dW[l], db[l] = A[l].T @ G + ALPHA / len(A[0]) * W[l], G.sum(axis=0)
                if l:
                    G = G @ W[l].T * slope(Zs[l - 1]) * masks[l]
            norm = np.sqrt(sum((g**2).sum() for g in dW + db))
            factor = min(1.0, clip_norm / norm)
            for parameters, gradients in ((W, dW), (b, db)):
                for l in range(3):
                    parameters[l] = parameters[l] - RATE * factor * gradients[l]
    return W, b


ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: z > 0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "silu": (
        lambda z: z / (1 + np.exp(-z)),
        lambda z: (1 + np.exp(-z) * (1 + z)) / (1 + np.exp(-z)) ** 2,
    ),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "options",
    [{"dropout": 0.4}, {"input_dropout": 0.2}, {"clip_norm": 0.3}, {"dropout": 0.5, "clip_norm": 1.0}],
    ids=str,
)
def test_training_follows_the_formulas(activation, options):
    before, after = trained(activation=activation, **options)
    W, b = reference(before, *ACTIVATIONS[activation], **options)
    for got, expected in zip(after.coefs_ + after.intercepts_, W + b, strict=True):
        assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    assert max(np.abs(p - q).max() for p, q in zip(before.coefs_, after.coefs_, strict=True)) > 1e-3


@pytest.mark.parametrize("threads", [1, 2])
def test_the_parts_of_a_minibatch_drop_other_units(threads):
    options = {"dropout": 0.4, "input_dropout": 0.2}
    size = {"rows": 600, "batch_size": 280}  # and a last one of 40
    parts = sharing_of(Minibatch(SIZES, 280, np.dtype(np.float64)), threads).parts
    assert parts > 1
    before, after = trained(**size, **options, activation="tanh", threads=threads)
    W, b = reference(before, *ACTIVATIONS["tanh"], **options, **size, parts=parts)
    for got, expected in zip(after.coefs_ + after.intercepts_, W + b, strict=True):
        assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "options", [{"dropout": 0.5, "input_dropout": 0.2}, {"clip_norm": 0.5, "solver": "adam"}], ids=str
)
def test_bits_do_not_depend_on_threads(threads, options):
    random = np.random.default_rng(0)
    X, y = random.normal(size=(600, 64)).astype(np.float32), random.normal(size=600)
    common = {"hidden_layer_sizes": (96, 80), "max_iter": 2, "n_iter_no_change": 9, "random_state": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one, some = (MLPRegressor(**common, threads=count).fit(X, y) for count in (1, 2 * threads))
    for p, q in zip(one.coefs_, some.coefs_, strict=True):
        assert (p == q).all()
    assert one.loss_curve_ == some.loss_curve_


def test_half_of_the_units_are_dropped():
    share = np.mean([factors(seed, 1, (50, 80), 0.5) == 0 for seed in range(100)])
    assert abs(share - 0.5) < 0.005


def sparse_data(inputs=30):
    """Rows of which a minibatch has nothing in some columns, and in one column none has anything."""
    random = np.random.default_rng(5)
    X = random.normal(size=(40, inputs)) * (random.random((40, inputs)) < 0.05)
    X[:, 4] = 0
    return X, random.normal(size=(40, 2)) * 3


@pytest.mark.parametrize("hidden", [(), (9,), (40, 6)], ids=str)
@pytest.mark.parametrize(
    "options",
    [{"solver": "sgd", "momentum": 0.0}, {"solver": "sgd"}, {"weight_decay": 0.5}, {"dropout": 0.3}],
    ids=["sgd", "nesterov", "adamw", "dropout"],
)
def test_sparse_X_is_clipped_as_dense_X_is(options, hidden):
    X, y = sparse_data()
    common = {"hidden_layer_sizes": hidden, "max_iter": 5, "batch_size": 8, "n_iter_no_change": 9, "alpha": 0.5}
    common |= {"random_state": 0, "clip_norm": 0.3, "learning_rate_init": 0.05}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        sparse, dense = (MLPRegressor(**common, **options).fit(rows, y) for rows in (csr_array(X), X))
        free = MLPRegressor(**common | {"clip_norm": None}, **options).fit(csr_array(X), y)
    assert_allclose(sparse.loss_curve_, dense.loss_curve_, rtol=1e-10)
    for got, expected in zip(sparse.coefs_ + sparse.intercepts_, dense.coefs_ + dense.intercepts_, strict=True):
        assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    assert np.abs(free.coefs_[0] - sparse.coefs_[0]).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_clipped_sparse_X_do_not_depend_on_threads(dtype):
    random = np.random.default_rng(0)
    X, y = (random.random((400, 900)) < 0.05).astype(dtype), random.normal(size=400)
    common = {"hidden_layer_sizes": (64, 80), "max_iter": 2, "n_iter_no_change": 9, "random_state": 0, "clip_norm": 0.1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one, two = (MLPRegressor(**common, threads=threads).fit(csr_array(X), y) for threads in (1, 2))
    for p, q in zip(one.coefs_, two.coefs_, strict=True):
        assert (p == q).all()
    assert one.loss_curve_ == two.loss_curve_


def test_sparse_X_takes_input_dropout():
    X, y = sparse_data()
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=3, n_iter_no_change=9, random_state=0, input_dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert np.isfinite(model.fit(csr_array(X), y).loss_)
