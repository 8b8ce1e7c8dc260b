"""Floats that are 0 to 255 times a unit are trained on as bytes where that is faster, others never."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from fastmlp import MLPClassifier, Trainer
from fastmlp.architecture import Architecture
from fastmlp.kernels.dropout import NO_DROPOUT, Dropout
from fastmlp.kernels.split import WAYS
from fastmlp.levels import in_levels, sparse_in_levels
from fastmlp.visiting import as_trained_on

DTYPES = ["float32", "float64"]
FASTER_BY_BYTES = [dtype.name for dtype in WAYS]
MANY = 3 << 20  # numbers, of which several threads look at some each
only_where_bytes_are_faster = pytest.mark.skipif(
    not WAYS, reason="this processor has neither VNNI nor a matrix unit (AMX)"
)


def random_levels(rows, columns):
    return np.random.default_rng(rows).integers(0, 256, (rows, columns), dtype=np.uint8)


@pytest.mark.parametrize("dtype", DTYPES)
@given(unit=st.floats(1e-30, 1e30), rows=st.integers(1, 30), columns=st.integers(1, 30))
def test_levels_are_found_whatever_the_unit(dtype, unit, rows, columns):
    X = random_levels(rows, columns)
    X[0, 0] = 1
    levels, found = in_levels(X * np.dtype(dtype).type(unit), np.dtype(dtype))
    np.testing.assert_array_equal(levels, X)
    assert found == pytest.approx(unit, rel=float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "scaled", [lambda X: X, lambda X: X / X.dtype.type(255), lambda X: X * X.dtype.type(1 / 255), lambda X: X / 256]
)
def test_pixels_are_levels_however_they_were_scaled(scaled, dtype):
    X = random_levels(MANY // 784, 784)
    levels, _ = in_levels(scaled(X.astype(dtype)), np.dtype(dtype))
    np.testing.assert_array_equal(levels, X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_in_any_order_of_memory(dtype):
    X = random_levels(50, 40)
    for matrix in (np.asfortranarray(X.astype(dtype)), np.repeat(X.astype(dtype), 2, axis=1)[:, ::2]):
        levels, _ = in_levels(matrix, np.dtype(dtype))
        np.testing.assert_array_equal(levels, X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [-1.0, 0.5, 100.001, 256.0, 1e30, np.finfo(np.float32).tiny, np.nan])
@pytest.mark.parametrize("place", [(0, 0), (-1, -1)])
@pytest.mark.parametrize("rows", [50, MANY // 784])
def test_one_number_that_is_none(number, place, rows, dtype):
    X = random_levels(rows, 784).astype(dtype)
    X[place] = number
    assert in_levels(X, np.dtype(dtype)) is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_has_no_unit(dtype):
    nothing = np.zeros((20, 30), dtype)
    smallest = np.full((20, 30), np.finfo(dtype).smallest_subnormal)
    normal = np.random.default_rng(0).standard_normal((20, 30)).astype(dtype)
    assert all(in_levels(X, np.dtype(dtype)) is None for X in (nothing, smallest, normal))


def test_rounding_counts_as_the_network_computes():
    X = random_levels(50, 40)
    exact, rounded = X / 255, (X / 255).astype(np.float32)
    single, double = map(np.dtype, DTYPES)
    assert in_levels(rounded.astype(np.float64), single) is not None
    assert in_levels(exact, double) is not None
    assert in_levels(rounded, double) is in_levels(rounded.astype(np.float64), double) is None


def test_what_would_take_much_of_the_memory(monkeypatch):
    X = random_levels(50, 40).astype(float)
    for memory, has_room in ((None, True), (9 * X.size, True), (7 * X.size, False)):
        monkeypatch.setattr("fastmlp.levels.total_memory", lambda memory=memory: memory)
        assert (in_levels(X, X.dtype) is not None) == has_room


@only_where_bytes_are_faster
@pytest.mark.parametrize("dtype", FASTER_BY_BYTES)
def test_training_on_them_is_training_on_bytes(dtype):
    X = random_levels(300, 300)
    y = X[:, 0] % 10

    def trained(rows, input_scale):
        trainer = Trainer((100,), batch_size=64, epochs=4, input_scale=input_scale, dtype=dtype)
        return [trainer.fit(rows, y).loss, *(a.tobytes() for a in trainer.parameters.values())]

    assert trained(X / np.dtype(dtype).type(256), 0.5) == trained(X, 1 / 512)


def becomes_bytes(X, hidden=(128,), epochs=10, dropout=NO_DROPOUT, dtype=None):
    design = Architecture((X.shape[1], *hidden, 10), np.dtype(dtype or X.dtype))
    matrix, _ = as_trained_on(X, design, 256, epochs, dropout)
    return matrix.dtype == np.uint8


@only_where_bytes_are_faster
@pytest.mark.parametrize("dtype", FASTER_BY_BYTES)
def test_what_would_not_be_multiplied_faster_stays_as_it_is(dtype, monkeypatch):
    monkeypatch.setattr("fastmlp.visiting.GATHERING_GAIN", 0.0)
    X = random_levels(300, 300).astype(dtype)
    X[::3, ::2] = 0
    assert becomes_bytes(X)
    assert becomes_bytes(X, hidden=(1024,), epochs=1)
    assert not becomes_bytes(X, epochs=1)
    assert not becomes_bytes(X, hidden=())
    assert not becomes_bytes(X, dropout=Dropout(inputs=0.5, hidden=0.0))
    assert not becomes_bytes(X[:, :60])
    assert not becomes_bytes(X + 0.5)
    X[:, ::2] *= np.arange(300)[:, None] % 30 == 0  # to skip zeros is quicker
    X[:, 1::2] *= np.arange(300)[:, None] % 30 == 7
    assert not becomes_bytes(X)


def test_what_would_not_be_gathered_faster_stays_as_it_is(monkeypatch):
    X = random_levels(300, 60).astype(float)
    assert becomes_bytes(X)
    assert becomes_bytes(X, hidden=(), dropout=Dropout(inputs=0.5, hidden=0.0))
    assert not becomes_bytes(X, epochs=1)
    assert not becomes_bytes(X[:250])
    assert not becomes_bytes(X + 0.5)
    assert not becomes_bytes(X.astype(np.float32))
    monkeypatch.setattr("fastmlp.visiting.FLOATS_IN_CACHE", X.size - 1)
    assert becomes_bytes(X.astype(np.float32))
    assert not becomes_bytes(X.astype(np.float32), dtype=np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csr_matrix])
def test_levels_of_sparse_rows(form, dtype):
    X = random_levels(40, 50) * (random_levels(50, 40).T < 100).astype(np.uint8)
    X[0, 0] = 1
    entries = form(X.astype(dtype) / np.dtype(dtype).type(8))
    levels, unit = sparse_in_levels(entries, np.dtype(dtype))
    assert unit == 1 / 8
    np.testing.assert_array_equal(levels, X)
    entries.data[5] *= 1.01
    assert sparse_in_levels(entries, np.dtype(dtype)) is None


def test_sparse_rows_that_stay_as_they_are(monkeypatch):
    X = sparse.csr_array(random_levels(40, 50) < 64).astype(float)
    assert becomes_bytes(X)
    assert not becomes_bytes(X, epochs=1)
    assert not becomes_bytes(sparse.csr_array(random_levels(40, 50) < 20).astype(float))
    twice = sparse.csr_array((np.repeat(X.data, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    assert not becomes_bytes(twice)
    monkeypatch.setattr("fastmlp.levels.total_memory", lambda: 7 * 40 * 50)
    assert not becomes_bytes(X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sparse_levels_are_trained_on_as_dense_ones_are(dtype):
    X = random_levels(300, 80).astype(dtype)
    X[random_levels(80, 300).T > 60] = 0
    y = random_levels(300, 1)[:, 0] % 3

    def trained(rows):
        trainer = Trainer((40,), batch_size=64, epochs=4, input_scale=1 / 256, dtype=dtype)
        return [trainer.fit(rows, y).loss, *(a.tobytes() for a in trainer.parameters.values())]

    assert trained(sparse.csr_array(X)) == trained(X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_estimators_train_as_they_do_on_other_floats(solver, dtype, monkeypatch):
    X = random_levels(300, 300)
    y = X[:, 0] % 3
    options = {
        "solver": solver,
        "max_iter": 4,
        "batch_size": 128,
        "tol": 0.0,
        "random_state": 0,
        "validation_fraction": 0.2,
    }
    options["early_stopping"] = solver != "lbfgs"

    def fitted():
        model = MLPClassifier((128,), **options)
        with pytest.warns(Warning, match=r"[Cc]onverge"):
            return model.fit(X / np.dtype(dtype).type(255), y)

    quick = fitted()
    monkeypatch.setattr("fastmlp.visiting.split_time", lambda *minibatches: math.inf)
    plain = fitted()
    for a, b in zip(quick.coefs_, plain.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e4 * np.finfo(dtype).eps)
    is_as_exact = quick.coefs_[0].dtype == dtype  # lbfgs computes in float64
    assert (quick.coefs_[0] != plain.coefs_[0]).any() == (dtype in FASTER_BY_BYTES and is_as_exact)


def test_a_trainer_that_goes_on_for_more_epochs_has_the_bits_of_one_that_never_stopped():
    X = random_levels(300, 300) / 255
    y = X[:, 0] > 0.5
    first, more, whole = (Trainer((40,), batch_size=64, epochs=epochs) for epochs in (2, 20, 20))
    first.fit(X, y)
    more.fit(X, y, state=first.state())
    whole.fit(X, y)
    for name, parameter in more.parameters.items():
        np.testing.assert_array_equal(parameter, whole.parameters[name])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_estimator_that_resumes_has_the_bits_of_one_that_never_stopped():
    X = random_levels(300, 300) / 255
    y = X[:, 0] > 0.5
    options = {"batch_size": 64, "random_state": 0, "tol": 0.0, "n_iter_no_change": 100}
    more, whole = (MLPClassifier((40,), **options, max_iter=epochs, resume=True, warm_start=True) for epochs in (2, 22))
    more.fit(X, y).set_params(max_iter=20).fit(X, y)
    whole.fit(X, y)
    for a, b in zip(more.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
