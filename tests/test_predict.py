"""Predicting: the same numbers one row at a time or many at once, from one thread or many, with bounded memory."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import naive
import numpy as np
import pytest
from networks import ONE_OF_EACH_DEPTH, network_and_data
from registry import DTYPES
from scipy import sparse
from scripts import run
from tolerances import assert_close

from fastmlp import Trainer

pytestmark = pytest.mark.usefixtures("nan_memory")


def with_parameters(hidden, dtype="float32", **data):
    """Return a trainer of given parameters, those, and rows, some of whose inputs are zero."""
    parameters, X, _ = network_and_data(hidden, **data)
    X[:, ::3] = 0
    trainer = Trainer(hidden=hidden, dtype=dtype, threads=2)
    trainer.parameters = parameters
    return trainer, parameters, X


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", ONE_OF_EACH_DEPTH, ids=str)
def test_one_row_is_predicted_as_by_the_oracle(hidden, dtype):
    trainer, parameters, X = with_parameters(hidden, dtype)
    for row in (X[:1], X[5:6], sparse.csr_array(X[7:8])):
        dense = row.toarray() if sparse.issparse(row) else row
        exact = naive.forward(parameters, dense)[-1]
        assert_close(trainer.decision_function(row), exact, "scores", dtype, magnitude=5.0, terms=len(hidden) + 1)
        shifted = np.exp(exact - exact.max(axis=1, keepdims=True))
        expected = shifted / shifted.sum(axis=1, keepdims=True)
        assert_close(trainer.predict_proba(row), expected, "scores", dtype, magnitude=5.0, terms=len(hidden) + 1)


@pytest.mark.parametrize("rows", [2, 3, 63, 64, 65, 128, 129, 300, 1000])
def test_many_rows_are_predicted_as_one_at_a_time(rows):
    trainer, _, X = with_parameters((50, 20), rows=rows)
    together = trainer.predict_proba(X)
    assert together.shape == (rows, 10)
    np.testing.assert_array_equal(together, np.concatenate([trainer.predict_proba(row[None]) for row in X]))


def test_rows_with_zeros_are_predicted_as_when_none_is_left_out():
    random = np.random.default_rng(0)
    X = random.integers(1, 256, (400, 300), dtype=np.uint8) * (random.random((400, 300)) < 0.2)
    X[:100] = random.integers(1, 256, (100, 300))  # no zeros here
    trainer = Trainer(hidden=(64,), epochs=1, input_scale=1 / 255)
    trainer.fit(X, np.arange(400) % 3)
    visits_all = Trainer(hidden=(64,), input_scale=1 / 255)
    visits_all.parameters = trainer.parameters
    np.testing.assert_array_equal(trainer.predict_proba(X), visits_all.predict_proba(X))
    for row in (X[:1], X[200:201]):
        np.testing.assert_array_equal(trainer.predict_proba(row), visits_all.predict_proba(row))


def test_probabilities_of_scores_that_lie_far_apart():
    trainer = Trainer(hidden=())
    trainer.parameters = {"W1": np.eye(3) * 1e4, "b1": np.zeros(3)}
    np.testing.assert_array_equal(trainer.predict_proba(np.eye(3)), np.eye(3))
    np.testing.assert_array_equal(trainer.predict_proba(np.eye(3)[1:2]), np.eye(3)[1:2])


@pytest.mark.parametrize("rows", [1, 2, 500])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(rows, bad):
    # a ReLU would hide -inf
    trainer, _, X = with_parameters((7,), rows=rows)
    X[rows - 1, 4] = bad
    with pytest.raises(ValueError, match=rf"X must be finite: NaN or infinity \({bad}\) at row {rows - 1}, column 4"):
        trainer.predict_proba(X)


def test_many_threads_predict_with_one_model_at_once():
    trainer, _, X = with_parameters((50,), rows=600)
    expected = trainer.predict_proba(X)
    entries = sparse.csr_array(X)

    def predict(i):
        one = trainer.predict_proba(X[i : i + 1])
        if i % 10 == 0:
            np.testing.assert_array_equal(trainer.predict_proba(X), expected)
            np.testing.assert_array_equal(trainer.predict_proba(entries), expected)
        return one

    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(predict, range(600)))
    np.testing.assert_array_equal(np.concatenate(rows), expected)


BOUNDED = """
from pathlib import Path
import numpy as np
from fastmlp import Trainer

rows = 200_000
X = np.zeros((rows, 784), np.uint8)  # as floats, they would take 627 MB
trainer = Trainer(hidden=(8,))
random = np.random.default_rng(0)
trainer.parameters = {
    "W1": random.standard_normal((784, 8)), "b1": np.zeros(8), "W2": random.standard_normal((8, 3)), "b2": np.zeros(3)
}
trainer.predict(X[:1000])

def most_memory():  # not getrusage: on Linux that counts what the process that started this one had
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) // 1024

before = most_memory()
trainer.predict_proba(X)
print(most_memory() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_memory_does_not_grow_with_rows():
    pages_read, answers = 157, 3  # MB: rows of zeros cost memory when they are first read
    assert int(run(BOUNDED)[0]) < pages_read + answers + 50
