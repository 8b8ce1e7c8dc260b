"""Ten steps of training against ten steps of the oracle: everything between a batch and the next one shows here."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import ONE_OF_EACH_DEPTH, WAYS_TO_VISIT, network_and_data, visit
from registry import DTYPES
from tolerances import assert_close, assert_loss_close

from fastmlp import Trainer
from fastmlp.kernels.inputs import EVERYTHING, NONZEROS, PAIRS, SINGLES, VISIT_ALL, Visiting
from fastmlp.sharing import Minibatch, sharing_of
from fastmlp.visiting import to_visit

pytestmark = pytest.mark.usefixtures("nan_memory")
every_depth = pytest.mark.parametrize("hidden", ONE_OF_EACH_DEPTH, ids=str)
RULES = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "adam": {"solver": "adam", "learning_rate": 0.01},
}
SEED = 3


def orders_of(rows, epochs, sampling="shuffle", seed=SEED):
    """The rows that each epoch visits: parameters that are given leave the seed to the order alone."""
    random = np.random.default_rng(seed)
    draw = {"shuffle": random.permutation, "choice": lambda rows: random.integers(0, rows, rows)}[sampling]
    return [draw(rows) for _ in range(epochs)]


def assert_same_training(start, X, y, hidden, dtype, batch_size, epochs, sampling="shuffle", **options):
    """Train twice, by fastmlp and by the oracle, and compare parameters and losses."""
    options = {"batch_size": batch_size, "learning_rate": 0.1, "learning_rate_decay": 0.9, "l2": 0.01, **options}
    trainer = Trainer(hidden=hidden, epochs=epochs, dtype=dtype, sampling=sampling, seed=SEED, **options)
    trainer.parameters = start
    history = trainer.fit(X, y)
    expected, losses = naive.train(start, X, y, orders_of(len(X), epochs, sampling), **options)
    terms = (len(hidden) + 1) * epochs * -(-len(X) // batch_size)
    for name, parameter in trainer.parameters.items():
        assert_close(parameter, expected[name], "trajectory", dtype, terms=terms)
    for loss, exact in zip(history.loss, losses, strict=True):
        assert_loss_close(loss, exact, "trajectory", dtype, magnitude=exact, terms=terms)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@every_depth
def test_ten_steps_agree_with_the_oracle(hidden, rule, dtype):
    # batches of 8 and a last one of 5, twice over
    start, X, y = network_and_data(hidden, rows=37)
    assert_same_training(start, X, y, hidden, dtype, batch_size=8, epochs=2, **rule)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("batch_size", [270, 17_000])
def test_minibatches_that_caches_do_not_hold_agree_with_the_oracle(batch_size, rule, dtype):
    # several blocks of rows, several strips of inputs, and a last one of each that is not whole
    start, X, y = network_and_data((70,), rows=batch_size + 30, inputs=150)
    assert_same_training(start, X, y, (70,), dtype, batch_size, epochs=2, **rule)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize(
    ("hidden", "batch_size", "parts"),
    [((), 1030, 2), ((24,), 300, 2), ((40, 33), 100, 2), ((150, 150), 520, 4), ((150, 150), 800, 8)],
    ids=str,
)
def test_minibatches_in_parts_agree_with_the_oracle(hidden, batch_size, parts, rule, dtype):
    # a last minibatch of so few rows that some parts have none
    start, X, y = network_and_data(hidden, rows=2 * batch_size + 5)
    assert sharing_of(Minibatch((21, *hidden, 10), batch_size, np.dtype(dtype)), 2).parts == parts
    assert_same_training(start, X, y, hidden, dtype, batch_size, epochs=2, **rule)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_inputs_in_halves_agree_with_the_oracle(rule, dtype):
    # a last minibatch of so few rows that one of two threads has none
    start, X, y = network_and_data((20,), rows=205, inputs=700)
    assert sharing_of(Minibatch((700, 20, y.max() + 1), 100, np.dtype(dtype)), 2, halves=True).halves[0]
    assert_same_training(start, X / 4, y, (20,), dtype, batch_size=100, epochs=2, **rule)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_products_in_halves_agree_with_the_oracle(rule, dtype):
    # layers that narrow and one that widens; a last minibatch of five rows
    hidden = 256, 64, 170, 100
    start, X, y = network_and_data(hidden, rows=205, inputs=300)
    sharing = sharing_of(Minibatch((300, *hidden, y.max() + 1), 100, np.dtype(dtype)), 2, halves=True)
    assert sharing.halves == (False, True, False, True, True)
    assert_same_training(start, X / 4, y, hidden, dtype, batch_size=100, epochs=2, **rule)


@every_depth
def test_one_step_sends_gradients_through_the_weights_from_before_it(hidden):
    # a rate so high that the weights after the step are nothing like those before
    start, X, y = network_and_data(hidden, rows=30)
    assert_same_training(start, X, y, hidden, "float64", batch_size=30, epochs=1, learning_rate=10.0)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 5, 36, 37, 1000])
def test_batches_of_one_row_up_to_all_rows(batch_size):
    start, X, y = network_and_data((7, 50), rows=37)
    assert_same_training(start, X, y, (7, 50), "float64", batch_size, epochs=1, learning_rate=0.02)


@pytest.mark.parametrize("width", [1, 7, 50, 1000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_layers_of_any_width(width, dtype):
    start, X, y = network_and_data((width, width), rows=37, inputs=width)
    assert_same_training(start, X, y, (width, width), dtype, batch_size=8, epochs=2, learning_rate=0.02)


def test_rows_drawn_with_replacement():
    start, X, y = network_and_data((50,), rows=37)
    assert_same_training(start, X, y, (50,), "float64", batch_size=8, epochs=2, sampling="choice")


def test_a_rate_that_falls_with_each_minibatch():
    start, X, y = network_and_data((50,), rows=37)
    assert_same_training(start, X, y, (50,), "float64", 8, epochs=3, learning_rate_schedule="linear")


@pytest.mark.parametrize("batch_size", [1, 30, 64, 65, 100, 200])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("visiting", WAYS_TO_VISIT, ids=str)
def test_inputs_that_are_mostly_zero(visiting, batch_size, dtype, monkeypatch):
    # batches within and beyond a word's 64 rows
    visit(monkeypatch, visiting)
    start, X, y = network_and_data((50,), rows=200, inputs=130)
    X[np.random.default_rng(0).random(X.shape) < 0.9] = 0
    assert_same_training(start, X, y, (50,), dtype, batch_size, epochs=1, learning_rate=0.02)


def let_visits_take(monkeypatch, pair, single):
    """Let visits of a pair, or of a single row or input, take so many times as long as a product."""
    monkeypatch.setattr("fastmlp.kernels.zeros.pair_visit", lambda columns: pair)
    monkeypatch.setattr("fastmlp.kernels.zeros.single_visit", lambda columns: single)


@pytest.mark.parametrize(
    ("pair", "single", "kind"), [(np.inf, np.inf, NONZEROS), (1.0, 2.0, PAIRS), (1.0, 1.0, SINGLES)]
)
def test_how_inputs_that_are_mostly_zero_are_visited(pair, single, kind, monkeypatch):
    let_visits_take(monkeypatch, pair, single)
    X = np.random.default_rng(0).random((200, 130)) < 0.1
    assert to_visit(X, 50)[0] == Visiting(kind, kind)


@pytest.mark.parametrize("inputs", [1, 5, 33, 63, 64, 65, 200])
@pytest.mark.parametrize(
    ("pair", "single"), [(np.inf, np.inf), (1.0, np.inf), (np.inf, 1.0)], ids=["in groups", "in pairs", "singly"]
)
def test_rows_of_any_length_that_are_mostly_zero(pair, single, inputs, monkeypatch):
    # in random order, so that the first row of all comes anywhere
    let_visits_take(monkeypatch, pair, single)
    start, X, y = network_and_data((50,), rows=200, inputs=inputs)
    X[np.random.default_rng(0).random(X.shape) < 0.9] = 0
    assert to_visit(X, 50)[0] != VISIT_ALL
    assert_same_training(start, X, y, (50,), "float32", batch_size=30, epochs=2, learning_rate=0.02)


def test_zeros_that_only_one_way_through_the_network_can_leave_out(monkeypatch):
    # of each four neighbouring inputs one is filled: forward three of four are left out, updating no group is
    let_visits_take(monkeypatch, np.inf, np.inf)
    start, X, y = network_and_data((50,), rows=200, inputs=132)
    X[:, np.arange(132) % 4 > 0] = 0
    assert to_visit(X, 50)[0] == Visiting(NONZEROS, EVERYTHING)
    assert_same_training(start, X, y, (50,), "float32", batch_size=30, epochs=2, learning_rate=0.02)


def test_no_penalty():
    start, X, y = network_and_data((50,), rows=37)
    assert_same_training(start, X, y, (50,), "float64", batch_size=8, epochs=2, l2=0.0)


@settings(max_examples=30)
@given(
    hidden=st.lists(st.integers(1, 70), max_size=4).map(tuple),
    inputs=st.integers(1, 70),
    classes=st.integers(2, 40),
    rows=st.integers(40, 80),
    batch_size=st.integers(1, 80),
    rule=st.sampled_from(list(RULES.values())),
)
def test_any_shape_agrees_with_the_oracle(hidden, inputs, classes, rows, batch_size, rule):
    start, X, y = network_and_data(hidden, rows, inputs, classes)
    options = {"learning_rate": 0.01, **rule}
    assert_same_training(start, X, y, hidden, "float64", batch_size, epochs=1, **options)


def test_predictions_agree_with_the_oracle():
    start, X, _ = network_and_data((50, 20), rows=300)
    trainer = Trainer(hidden=(50, 20), threads=2)
    trainer.parameters = start
    scores = naive.forward(start, X)[-1]
    assert_close(trainer.decision_function(X), scores, "scores", "float32", np.abs(scores).max(), terms=3)
    assert (trainer.predict(X) == scores.argmax(axis=1)).all()


# losses of six epochs of 5 steps, seed 3: a change in the order of rows, in the rule or in what is reported shows
GOLDEN = {
    "sgd": [2.4725723521, 2.2018948693, 1.9255954180, 1.7406715576, 1.5989677138, 1.4662256894],
    "momentum": [2.4483057311, 1.5869738566, 0.7726627865, 0.3948393229, 0.2530429540, 0.2141358262],
    "nesterov": [2.3994281112, 1.4671637765, 0.6746891781, 0.3527891869, 0.2397729557, 0.2069091507],
}


@pytest.mark.parametrize("rule", GOLDEN.keys())
def test_golden_losses(rule):
    start, X, y = network_and_data((50,), rows=37)
    options = {"epochs": 6, "batch_size": 8, "learning_rate": 0.1, "l2": 0.001, "seed": SEED}
    trainer = Trainer(hidden=(50,), dtype="float64", learning_rate_decay=0.9, **options, **RULES[rule])
    trainer.parameters = start
    assert trainer.fit(X, y).loss == pytest.approx(GOLDEN[rule], rel=1e-9)
