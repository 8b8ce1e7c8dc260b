"""Rows of bytes multiplied as such: as the oracle, as exact as their dtype, the same bits for any number of threads."""

import subprocess
import sys

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import he_parameters, visit
from test_trajectories import RULES, SEED, orders_of
from tolerances import assert_close, assert_loss_close

from fastmlp import DivergedError, Trainer
from fastmlp.architecture import Architecture
from fastmlp.kernels import rules
from fastmlp.kernels.amx import HAS_AMX
from fastmlp.kernels.inputs import VISIT_ALL, VISIT_SPLIT
from fastmlp.kernels.split import WAYS, split_time
from fastmlp.sharing import Minibatch, sharing_of
from fastmlp.stream import Stream
from fastmlp.task import task_of
from fastmlp.visiting import regime_for

pytestmark = [
    pytest.mark.skipif(not WAYS, reason="this processor has neither VNNI nor a matrix unit (AMX) that it may use"),
    pytest.mark.usefixtures("nan_memory"),
]
SCALE = 1 / 256
DTYPES = [dtype.name for dtype in WAYS]  # each goes its own way


def rows_of_bytes(rows, inputs, classes=10):
    random = np.random.default_rng([rows, inputs])
    return random.integers(0, 256, (rows, inputs), dtype=np.uint8), random.permutation(np.arange(rows) % classes)


def start_of(inputs, hidden, classes, dtype):
    parameters = he_parameters(np.random.default_rng(0), (inputs, *hidden, classes))
    return {name: value.astype(dtype) for name, value in parameters.items()}


def assert_same_training(X, y, hidden, batch_size, dtype, epochs=1, **options):
    """Train twice, by fastmlp and by the oracle, and compare parameters and losses."""
    start = start_of(X.shape[1], hidden, y.max() + 1, dtype)
    options = {"batch_size": batch_size, "learning_rate": 0.02, "learning_rate_decay": 0.9, "l2": 0.01, **options}
    trainer = Trainer(hidden, epochs=epochs, input_scale=SCALE, seed=SEED, threads=2, dtype=dtype, **options)
    trainer.parameters = start
    history = trainer.fit(X, y)
    expected, losses = naive.train(start, X * SCALE, y, orders_of(len(X), epochs), **options)
    terms = (len(hidden) + 1) * epochs * -(-len(X) // batch_size)
    for name, parameter in trainer.parameters.items():
        assert_close(parameter, expected[name], "trajectory", dtype, terms=terms)
    for loss, exact in zip(history.loss, losses, strict=True):
        assert_loss_close(loss, exact, "trajectory", dtype, magnitude=exact, terms=terms)


def visiting_of(X, hidden, batch_size, dtype):
    design = Architecture((X.shape[1], *hidden, 10), np.dtype(dtype))
    return regime_for(X, design, batch_size, rules.SGD, 2).visiting


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_without_zeros_are_multiplied_so(dtype):
    X, _ = rows_of_bytes(200, 300)
    assert visiting_of(X, (50,), 128, dtype) == visiting_of(X, (64, 10), 256, dtype) == VISIT_SPLIT


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_multiplied_so(dtype):
    X, _ = rows_of_bytes(200, 300)
    assert visiting_of(X, (50,), 8, dtype) == visiting_of(X[:, :60], (50,), 128, dtype) == VISIT_ALL
    assert visiting_of(X, (), 128, dtype) == visiting_of(X, (50,), 10**5, dtype) == VISIT_ALL
    assert visiting_of(X.astype(np.float32), (50,), 128, dtype) == VISIT_ALL
    X[np.random.default_rng(0).random(X.shape) < 0.97] = 0  # to skip zeros is quicker
    assert visiting_of(X, (50,), 128, dtype) != VISIT_SPLIT


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_that_are_multiplied_for_nothing_count(dtype):
    full, padded = (split_time(dtype, np.dtype(np.uint8), 784, units, 128) for units in (128, 100))
    assert (padded > full) == (
        dtype == "float64"
    )  # its panels of one register, among 100 units, are half of 16 columns


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("hidden", [(33,), (130,), (40, 30, 20)], ids=str)
def test_training_agrees_with_the_oracle(hidden, rule, dtype, monkeypatch):
    visit(monkeypatch, VISIT_SPLIT)
    X, y = rows_of_bytes(300, 300)
    assert_same_training(X, y, hidden, 64, dtype, epochs=2, **rule)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_more_rows_and_columns_than_are_summed_up_at_once(rule, dtype, monkeypatch):
    visit(monkeypatch, VISIT_SPLIT)
    X, y = rows_of_bytes(1130, 900)
    assert_same_training(X, y, (33,), 1100, dtype, epochs=2, **RULES[rule])


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=40)
@given(inputs=st.integers(1, 600), units=st.integers(1, 90), rows=st.integers(2, 140), batch_size=st.integers(1, 140))
def test_rows_and_minibatches_of_any_length(dtype, inputs, units, rows, batch_size):
    X, y = rows_of_bytes(rows, inputs, classes=2)
    with pytest.MonkeyPatch.context() as patch:
        visit(patch, VISIT_SPLIT)
        assert_same_training(X, y, (units,), batch_size, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("inputs", "hidden", "batch_size"), [(300, (130,), 100), (900, (40,), 32), (300, (64, 48), 100), (40, (20,), 200)]
)
def test_results_are_the_same_bits_for_any_number_of_threads(inputs, hidden, batch_size, dtype, monkeypatch):
    # by units, by inputs, by units of two layers, and in parts
    visit(monkeypatch, VISIT_SPLIT)
    X, y = rows_of_bytes(430, inputs)

    def bits(threads):
        trainer = Trainer(hidden, batch_size=batch_size, epochs=2, input_scale=SCALE, threads=threads, dtype=dtype)
        trainer.fit(X, y)
        assert (trainer.threads_ > 1) == (threads > 1)
        return [a.tobytes() for a in (*trainer.parameters.values(), np.array(trainer.history_.loss))]

    alone = bits(1)
    assert bits(2) == bits(3) == bits(5) == alone


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_ways_to_share_a_minibatch_are_among_these(dtype):
    networks = ((300, 130, 10), 100), ((900, 40, 10), 32), ((40, 20, 10), 200)
    minibatches = [Minibatch(sizes, rows, np.dtype(dtype), as_bytes=True) for sizes, rows in networks]
    ways = [sharing_of(minibatch, 2, halves=True) for minibatch in minibatches]
    assert [(way.halves[0], way.parts) for way in ways] == [(False, 1), (True, 1), (False, 2)]


DIGITS = {"float32": 1e-6, "float64": 1e-11}
# three digits are within 2^-24 of the largest weight, and their products are rounded three times to 24 bits
LAST_BITS = {"float32": 0.0 if HAS_AMX else 2.0**-22, "float64": 0.0}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("magnitude", [1e-20, 1.0, 1e20])
def test_weights_count_with_all_their_digits(magnitude, dtype, monkeypatch):
    # one byte of each row is 1: what comes out is a weight, which differs from what it is to be in its last digits
    visit(monkeypatch, VISIT_SPLIT)
    X, random = np.eye(320, dtype=np.uint8), np.random.default_rng(0)
    W = (magnitude * random.uniform(1, 2, (320, 1)) * random.choice([-1, 1], (320, 1))).astype(dtype)
    y = (W * (1 + random.uniform(-1e-5, 1e-5, W.shape))).astype(dtype)
    trainer = Trainer((1,), activation="identity", task="regress", l2=0.0, dtype=dtype)
    trainer.parameters = {"W1": W, "b1": np.zeros(1), "W2": np.ones((1, 1)), "b2": np.zeros(1)}
    _, gradients = trainer.loss_and_gradients(X, y[:, 0])
    last = LAST_BITS[dtype] * abs(W).max() / 320
    np.testing.assert_allclose(gradients["W1"], (W - y) / 320, rtol=DIGITS[dtype], atol=last)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_many_magnitudes_agree_with_the_oracle(dtype, monkeypatch):
    visit(monkeypatch, VISIT_SPLIT)
    X, y = rows_of_bytes(200, 300)
    start = start_of(300, (40,), 10, dtype)
    start["W1"] *= np.random.default_rng(0).permutation(np.logspace(-15, 0, 300)).astype(dtype)[:, None]
    start["W2"] *= np.logspace(-15, 0, 40).astype(dtype)[:, None]
    trainer = Trainer((40,), input_scale=SCALE, l2=0.0, dtype=dtype)
    trainer.parameters = start
    _, gradients = trainer.loss_and_gradients(X, y)
    expected = naive.gradients(start, X * SCALE, y)
    for actual, exact in zip(gradients["W1"].T, expected["W1"].T, strict=True):
        assert_close(actual, exact, "gradient", dtype, magnitude=abs(exact).max(), terms=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [255, 256, 512])
def test_sums_as_large_as_they_become(rows, dtype, monkeypatch):
    # all rows are alike, so all digits of a unit's gradient are, and among all units' there are digits of all sizes
    visit(monkeypatch, VISIT_SPLIT)
    monkeypatch.setattr("fastmlp.trainer.GRADIENT_ROWS", rows)
    X, y = np.full((rows, 300), 255, np.uint8), np.zeros(rows, np.int64)
    start = start_of(300, (400,), 10, dtype)
    trainer = Trainer((400,), input_scale=SCALE, l2=0.0, dtype=dtype)
    trainer.parameters = start
    _, gradients = trainer.loss_and_gradients(X, y)
    expected = naive.gradients(start, X * SCALE, y)
    for actual, exact in zip(gradients["W1"].T, expected["W1"].T, strict=True):
        assert_close(actual, exact, "gradient", dtype, magnitude=abs(exact).max(), terms=rows)


@pytest.mark.parametrize(("dtype", "rate"), [("float32", 1e30), ("float64", 1e200)])
def test_what_diverges_is_told(dtype, rate):
    X, y = rows_of_bytes(300, 300)
    with pytest.raises(DivergedError, match="epoch 1"):
        Trainer((40,), learning_rate=rate, epochs=2, dtype=dtype).fit(X, y)


def test_rows_on_a_disk():
    X, y = rows_of_bytes(300, 300)
    task, truth = task_of("classify", y, len(y))
    rows = Stream(task, X.shape[1], X.dtype, 64)
    rows.append(X, truth)
    rows.finish()
    streamed, whole = (Trainer((40,), batch_size=300, epochs=2, input_scale=SCALE) for _ in range(2))
    assert streamed.fit_stream(rows).loss == pytest.approx(whole.fit(X, y).loss, rel=1e-6)
    rows.close()


SMALL_STACK = """
import ctypes, numpy as np

class Stack(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

memory = ctypes.create_string_buffer(4096)
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(ctypes.addressof(memory), 0, 4096)), None) == 0
from fastmlp import Trainer
from fastmlp.kernels.amx import HAS_AMX
X = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)
Trainer((20,), epochs=1, input_scale=1 / 255).fit(X, X[:, 0] % 2)
print(HAS_AMX)
"""


@pytest.mark.skipif(not HAS_AMX, reason="this processor has no matrix unit (AMX), or this process may not use it")
def test_a_process_that_may_not_use_the_unit_trains_without():
    done = subprocess.run([sys.executable, "-c", SMALL_STACK], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"
