"""Sparse rows train to what the same rows train to when they are dense, at the price of their entries."""

from pathlib import Path

import naive
import numpy as np
import pytest
from networks import he_parameters
from registry import DTYPES
from scipy import sparse
from scripts import run
from test_trajectories import RULES, orders_of
from tolerances import assert_close, assert_loss_close

from fastmlp import MLPClassifier, Trainer
from fastmlp.kernels.inputs import VISIT_ALL
from fastmlp.visiting import to_visit

ROWS, INPUTS, CLASSES = 61, 90, 4


def sparse_rows(rows=ROWS, inputs=INPUTS, density=0.05, seed=0):
    """Return (csr (rows, inputs) float64 of numbers that float32 holds exactly, y): some rows and columns are empty."""
    random = np.random.default_rng(seed)
    X = sparse.random_array((rows, inputs), density=density, rng=random, dtype=np.float32, format="csr")
    return X.astype(np.float64), random.permutation(np.arange(rows) % CLASSES)


def start_of(hidden, inputs=INPUTS, seed=1):
    parameters = he_parameters(np.random.default_rng(seed), (inputs, *hidden, CLASSES))
    return {name: value.astype(np.float32).astype(np.float64) for name, value in parameters.items()}


def assert_follows_the_oracle(X, y, hidden, dtype, epochs=3, sampling="shuffle", largest=1.0, **options):
    """Train on sparse rows, and let the oracle, which knows nothing of sparsity, train on the same rows, dense."""
    options = {"batch_size": 8, "learning_rate": 0.1, "learning_rate_decay": 0.8, "l2": 0.02, **options}
    start = start_of(hidden, X.shape[1])
    trainer = Trainer(hidden=hidden, epochs=epochs, dtype=dtype, sampling=sampling, seed=3, **options)
    trainer.parameters = start
    history = trainer.fit(X, y)
    expected, losses = naive.train(start, X.toarray(), y, orders_of(len(y), epochs, sampling, 3), **options)
    terms = (len(hidden) + 1) * epochs * -(-len(y) // options["batch_size"])
    for name, parameter in trainer.parameters.items():
        assert_close(parameter, expected[name], "trajectory", dtype, magnitude=largest, terms=terms)
    for loss, exact in zip(history.loss, losses, strict=True):
        assert_loss_close(loss, exact, "trajectory", dtype, magnitude=largest * exact, terms=terms)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("hidden", [(), (50,), (20, 7)], ids=str)
def test_training_follows_the_oracle(hidden, rule, dtype):
    assert_follows_the_oracle(*sparse_rows(), hidden, dtype, **rule)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_weights_that_no_minibatch_touches_for_long_decay_and_move_all_the_same(rule):
    # each column belongs to one row, and each minibatch to one row: 60 of 61 steps pass a weight by, last or first
    X = sparse.diags_array(np.linspace(0.5, 1.5, ROWS), format="csr")
    y = np.arange(ROWS) % CLASSES
    options = {"learning_rate": 0.02, **rule}
    assert_follows_the_oracle(X, y, (5,), "float64", batch_size=1, **options)


def test_a_decay_that_turns_weights_round():
    # each step multiplies by 1 - 0.5 * 2 * 3 = -2: no logarithm of it would do
    X, y = sparse_rows()
    assert_follows_the_oracle(X, y, (), "float64", epochs=1, largest=100.0, learning_rate=0.5, l2=3.0)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_rows_drawn_with_replacement(rule):
    # four rows of very unlike lengths: minibatches repeat them
    X = sparse.csr_array(np.array([[1.0] * 90, [0.0] * 90, [1.0] + [0.0] * 89, [0.0] * 89 + [2.0]]))
    X.resize(4, 900)
    assert_follows_the_oracle(X, np.arange(4), (9,), "float64", sampling="choice", batch_size=3, **RULES[rule])


def test_without_decay_the_bits_are_those_of_dense_rows():
    X, y = sparse_rows()
    entries, dense = (Trainer(hidden=(50,), epochs=3, batch_size=8, l2=0.0) for _ in range(2))
    assert entries.fit(X, y).loss == dense.fit(X.toarray(), y).loss
    for name, parameter in entries.parameters.items():
        np.testing.assert_array_equal(parameter, dense.parameters[name])


@pytest.mark.parametrize("density", [0.05, 0.14, 0.7])
def test_gradients_of_sparse_rows_are_those_of_dense_ones(density):
    X, y = sparse_rows(density=density)
    trainer = Trainer(hidden=(50,), epochs=1)
    trainer.fit(X, y)
    (loss, gradients), (exact, expected) = (trainer.loss_and_gradients(rows, y) for rows in (X, X.toarray()))
    assert_loss_close(loss, exact, "loss", "float32", magnitude=exact)
    for name, gradient in gradients.items():
        assert_close(gradient, expected[name], "gradient", "float32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("density", "is_skipped"), [(0.14, True), (0.7, False)])
@pytest.mark.parametrize("batch_size", [8, 61])
def test_rows_of_many_entries_are_trained_on_as_dense_ones(batch_size, density, is_skipped, dtype):
    X, y = sparse_rows(density=density)
    assert (to_visit(X, 50)[0] != VISIT_ALL) == is_skipped
    repeated = sparse.csr_array((np.repeat(X.data, 2) / 2, np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    mixed = np.lexsort((np.random.default_rng(0).random(X.nnz), np.repeat(np.arange(ROWS), np.diff(X.indptr))))
    in_any_order = sparse.csr_array((X.data[mixed], X.indices[mixed], X.indptr), shape=X.shape)
    options = {"hidden": (50, 9), "epochs": 3, "batch_size": batch_size, "dtype": dtype, "l2": 0.01, "momentum": 0.9}
    dense = Trainer(**options)
    losses = dense.fit(X.toarray(), y).loss
    for rows in (X, repeated, in_any_order):
        entries = Trainer(**options)
        assert entries.fit(rows, y).loss == losses
        for name, parameter in dense.parameters.items():
            np.testing.assert_array_equal(entries.parameters[name], parameter)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_the_bits_do_not_depend_on_threads(rule):
    X, y = sparse_rows(rows=400, inputs=3000, density=0.1)
    trainers = [Trainer(hidden=(64,), epochs=2, batch_size=100, threads=threads, **rule) for threads in (1, 2)]
    losses = [trainer.fit(X, y).loss for trainer in trainers]
    assert [trainer.threads_ for trainer in trainers] == [1, 2]
    assert losses[0] == losses[1]
    one, two = (trainer.parameters for trainer in trainers)
    for name, parameter in one.items():
        np.testing.assert_array_equal(parameter, two[name])


X, Y = sparse_rows()
_unsorted = sparse.csr_array((X.data[::-1], X.indices[::-1], X.nnz - X.indptr[::-1]), shape=X.shape)
FORMS = {
    "csr matrix": (sparse.csr_matrix(X), X),
    "csc": (X.tocsc(), X),
    "coo": (X.tocoo(), X),
    "lil": (X.tolil(), X),
    "float32": (X.astype(np.float32), X),
    "integers": ((X * 10).astype(np.int16), (X * 10).astype(np.int16)),
    "bytes": ((X * 10).astype(np.uint8), (X * 10).astype(np.uint8)),
    "truth": (X.astype(bool), X.astype(bool)),
    "another order of bytes": (sparse.csr_array((X.data.astype(">f8"), X.indices, X.indptr), shape=X.shape), X),
    "wide indices": (
        sparse.csr_array((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), shape=X.shape),
        X,
    ),
    "unsorted": (_unsorted, _unsorted),
    "entries twice": (
        sparse.csr_array((np.repeat(X.data, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape),
        2 * X,
    ),
    "zeros among the entries": (sparse.csr_array((X.data * (X.data > 0.5), X.indices, X.indptr), shape=X.shape), None),
}


@pytest.mark.parametrize(("given", "meant"), FORMS.values(), ids=FORMS.keys())
def test_every_form_of_sparse_matrix(given, meant):
    dense = (given if meant is None else meant).toarray()
    trainers = [Trainer(hidden=(9,), epochs=2, batch_size=8, dtype="float64", l2=0.01) for _ in range(2)]
    for trainer, rows in zip(trainers, (given, dense), strict=True):
        trainer.fit(rows, Y)
    np.testing.assert_allclose(trainers[0].predict_proba(given), trainers[1].predict_proba(dense), atol=1e-12)


def test_input_scale_multiplies_entries():
    scaled, plain = (Trainer(hidden=(9,), epochs=2, dtype="float64", input_scale=scale) for scale in (0.25, 1.0))
    scaled.fit(4 * X, Y)
    plain.fit(X, Y)
    np.testing.assert_allclose(scaled.predict_proba(4 * X), plain.predict_proba(X), atol=1e-12)


def test_a_read_only_matrix_stays_as_it_was():
    given, before = X.copy(), X.copy()
    for array in (given.data, given.indices, given.indptr):
        array.flags.writeable = False
    Trainer(hidden=(9,), epochs=2, batch_size=8).fit(given, Y, validation_data=(given, Y))
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(given, name), getattr(before, name))


def test_sparse_and_dense_rows_mix_in_one_model():
    trainer = Trainer(hidden=(9,), epochs=2, batch_size=8)
    history = trainer.fit(X, Y, validation_data=(X.toarray(), Y))
    assert trainer.score(X, Y) == trainer.score(X.toarray(), Y) == history.validation_accuracy[-1]
    np.testing.assert_array_equal(trainer.predict_proba(X), trainer.predict_proba(X.toarray()))
    losses = [trainer.loss_and_gradients(rows, Y) for rows in (X, X.toarray())]
    assert losses[0][0] == losses[1][0]
    for name, gradient in losses[0][1].items():
        np.testing.assert_array_equal(gradient, losses[1][1][name])


def test_rows_without_any_entry():
    nothing = sparse.csr_array((8, 5))
    trainer = Trainer(hidden=(3,), epochs=2, batch_size=4)
    trainer.fit(nothing, np.arange(8) % 2)
    np.testing.assert_array_equal(trainer.predict_proba(nothing), trainer.predict_proba(np.zeros((8, 5))))


def broken(matrix=X, **changes):
    """Return a matrix whose inside does not fit together, as can be made by hand or read from a damaged file."""
    matrix = matrix.copy()
    for name, (place, value) in changes.items():
        getattr(matrix, name)[place] = value
    return matrix


BROKEN = {
    "a column beyond the last": broken(indices=(0, INPUTS)),
    "a column far beyond": broken(indices=(0, 10**9)),
    "a negative column": broken(indices=(0, -1)),
    "rows that run backwards": broken(indptr=(3, 10**6)),
    "CSC, a row far beyond": broken(X.tocsc(), indices=(0, 10**9)),
    "COO, a row far beyond": broken(X.tocoo(), row=(0, 10**9)),
    "BSR, a negative column": broken(X.tobsr(), indices=(0, -(10**9))),
}
_first = int(np.flatnonzero(np.diff(X.indptr))[0])
BAD = {
    **{name: (matrix, ValueError, "X must be a valid sparse matrix") for name, matrix in BROKEN.items()},
    "NaN": (
        broken(data=(0, np.nan)),
        ValueError,
        rf"X must be finite: NaN .* at row {_first}, column {X.indices[0]}",
    ),
    "beyond float32": (broken(data=(-1, 1e39)), ValueError, "X must be finite: a number beyond float32"),
    "complex": (X * 1j, TypeError, "X must hold real numbers, got dtype complex128"),
    "no rows": (X[:0], ValueError, r"X must have at least one row .* got shape \(0, 90\)"),
    "one row, flat": (sparse.coo_array(np.arange(3.0)), ValueError, r"X must have 2 dimensions .* got shape \(3,\)"),
}


@pytest.mark.parametrize(("bad", "error", "message"), BAD.values(), ids=BAD.keys())
def test_bad_matrices_are_refused(bad, error, message):
    with pytest.raises(error, match=message):
        Trainer(hidden=(3,), epochs=1).fit(bad, np.arange(bad.shape[0]) % 2)


@pytest.mark.parametrize("matrix", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("method", ["fit", "partial_fit", "X_val", "predict"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_refuse_broken_matrices(method, matrix):
    model = MLPClassifier((40,), max_iter=1).fit(X, Y)
    calls = {
        "fit": lambda: model.fit(matrix, Y),
        "partial_fit": lambda: model.partial_fit(matrix, Y),
        "X_val": lambda: model.fit(X, Y, X_val=matrix, y_val=Y),
        "predict": lambda: model.predict(matrix),
    }
    with pytest.raises(ValueError, match=("X_val" if method == "X_val" else "X") + " must be a valid sparse matrix"):
        calls[method]()


def test_another_number_of_columns_is_refused():
    trainer = Trainer(hidden=(3,), epochs=1)
    trainer.fit(X, Y)
    with pytest.raises(ValueError, match="X must have 90 columns as in training, got 89"):
        trainer.predict(X[:, :89])


def test_divergence_leaves_the_weights_from_before():
    from fastmlp import DivergedError

    trainer = Trainer(hidden=(9,), epochs=50, batch_size=8, learning_rate=1e30)
    with pytest.raises(DivergedError, match="learning_rate"):
        trainer.fit(X, Y)
    assert all(np.isfinite(parameter).all() for parameter in trainer.parameters.values())


NEVER_DENSE = """
from pathlib import Path
import numpy as np
from scipy import sparse
from fastmlp import Trainer

rows, columns = 20_000, 200_000  # dense, they would take 16 GB
random = np.random.default_rng(0)
indices = random.integers(0, columns, rows * 10, dtype=np.int32)
X = sparse.csr_array((np.ones(rows * 10, np.float32), indices, np.arange(rows + 1) * 10), shape=(rows, columns))
trainer = Trainer(hidden=(8,), epochs=1, batch_size=100)
trainer.fit(X, indices[::10] % 2, validation_data=(X, indices[::10] % 2))
assert trainer.predict_proba(X).shape == (rows, 2)
# not getrusage: on Linux that counts what the process that started this one had
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_rows_are_never_made_dense():
    megabytes = int(run(NEVER_DENSE)[0])
    assert megabytes < 600


CHANGES_ITS_ROWS = """
import numpy as np
from scipy import sparse
from fastmlp import MLPClassifier, Trainer

random = np.random.default_rng(0)
y = np.arange(200) % 3
for density in (0.01, 0.2):
    X = sparse.random_array((200, 300), density=density, rng=random, format="csr")
    X.indices = X.indices.astype(np.int32)
    for column in (10**9, -(10**9), 300):

        def change(figures):
            X.indices[:] = column
            X.indptr[1:] = y[:] = 10**9

        kept = X.copy(), y.copy()
        for model in (Trainer(hidden=(40,), epochs=3), MLPClassifier((40,), max_iter=3, callbacks=[change])):
            if isinstance(model, Trainer):
                model.fit(X, y, validation_data=(X, y), callbacks=[change])
            else:
                model.fit(X, y)
            X, y = kept[0].copy(), kept[1].copy()
print("alive")
"""


def test_a_callback_that_changes_the_rows_crashes_nothing():
    assert "alive" in run(CHANGES_ITS_ROWS, PYTHONWARNINGS="ignore")[0]
