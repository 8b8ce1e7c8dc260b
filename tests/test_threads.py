"""Threads: results do not depend on their number, and fits can run side by side and after a fork."""

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from networks import WAYS_TO_VISIT, clusters, visit
from registry import DTYPES
from scipy import sparse
from scripts import run

from fastmlp import Trainer
from fastmlp.compiling import compiled_epoch
from fastmlp.kernels.inputs import VISIT_ALL
from fastmlp.kernels.layout import ceil_div, lanes
from fastmlp.kernels.pieces import Member
from fastmlp.sharing import Minibatch, sharing_of
from fastmlp.threads import ENVIRONMENT, available_cpus

FLOAT32 = np.dtype(np.float32)
DEPTHS = ((), (130,), (64, 48), (33, 1, 70), (40, 30, 20, 10))
X, y = clusters(np.random.default_rng(0), rows=730, inputs=300, classes=10)


def fitted(**options):
    trainer = Trainer(**{"batch_size": 100, "epochs": 2, "learning_rate": 0.02, **options})
    trainer.fit(X, y)
    return trainer


def bits(trainer):
    """Everything that a fit leaves behind, as bytes."""
    numbers = [*trainer.parameters.values(), np.array(trainer.history_.loss), trainer.decision_function(X)]
    return b"".join(np.ascontiguousarray(array).tobytes() for array in numbers)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", DEPTHS, ids=str)
def test_results_are_the_same_bits_for_any_number_of_threads(hidden, dtype):
    alone = fitted(hidden=hidden, dtype=dtype, threads=1)
    assert alone.threads_ == 1
    for threads in (2, 3, 5):
        team = fitted(hidden=hidden, dtype=dtype, threads=threads)
        assert 1 < team.threads_ <= threads
        assert bits(team) == bits(alone)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("hidden", "batch_size"), [((20,), 200), ((24, 24), 365), ((10, 20, 30), 512), ((), 730)])
def test_minibatches_in_parts_too(hidden, batch_size, dtype):
    def trained(threads):
        trainer = Trainer(hidden, batch_size=batch_size, epochs=2, dtype=dtype, threads=threads)
        trainer.fit(X[:, :20], y)
        return trainer

    def bits(trainer):
        return [a.tobytes() for a in (*trainer.parameters.values(), np.array(trainer.history_.loss))]

    alone = trained(1)
    assert sharing_of(Minibatch((20, *hidden, 10), batch_size, np.dtype(dtype)), 1).parts > 1
    for threads in (2, 3, 4):
        team = trained(threads)
        assert 1 < team.threads_ <= threads
        assert bits(team) == bits(alone)


def dtype_of(options):
    return np.dtype(options.get("dtype", FLOAT32))


RULES = [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"solver": "adam", "learning_rate": 0.01}]
LONG_ROWS = np.random.default_rng(1).normal(size=(len(X), 700))
"""For narrow layers: threads share their inputs, in halves of 320 and 380."""


@pytest.mark.parametrize("option", [{}, *RULES, {"dtype": "float64", "l2": 0.1, "batch_size": 90}], ids=str)
def test_inputs_in_halves_too(option, monkeypatch):
    monkeypatch.setattr("fastmlp.engine.MULTIPLY_ADDS_PER_CALL", 20_000_000)  # several calls an epoch
    options = {"hidden": (20,), "batch_size": 100, "epochs": 2, "learning_rate": 0.02, **option}

    def trained(threads):
        trainer = Trainer(**options, threads=threads)
        trainer.fit(LONG_ROWS, y)
        return trainer.threads_, [a.tobytes() for a in (*trainer.parameters.values(), np.array(trainer.history_.loss))]

    assert sharing_of(Minibatch((700, 20, 10), options["batch_size"], dtype_of(options)), 2, halves=True).halves[0]
    _, alone = trained(1)
    for threads in (2, 3, 2, 2):
        assert trained(threads) == (2, alone)


@pytest.mark.parametrize("option", [{}, *RULES, {"dtype": "float64", "l2": 0.1, "batch_size": 90}], ids=str)
@pytest.mark.parametrize("hidden", [(200, 150), (256, 64, 170, 100), (320, 160, 96)], ids=str)
def test_products_in_halves_too(hidden, option):
    # units in halves that teams of all sizes share evenly, and that only two do; layers that narrow, and that widen
    options = {"batch_size": 128, **option}
    sharing = sharing_of(Minibatch((300, *hidden, 10), options["batch_size"], dtype_of(options)), 5, halves=True)
    assert (sharing.of_units, any(sharing.halves)) == (5, True)
    alone = bits(fitted(hidden=hidden, **options, threads=1))
    for threads in (2, 3, 4, 5):
        assert bits(fitted(hidden=hidden, **options, threads=threads)) == alone


@pytest.mark.parametrize("visiting", WAYS_TO_VISIT, ids=str)
@pytest.mark.parametrize(
    ("inputs", "hidden", "batch_size"), [(70, (130,), 100), (70, (24, 24), 365), (700, (20,), 100)], ids=str
)
def test_nor_do_they_on_how_zeros_are_skipped(inputs, hidden, batch_size, visiting, monkeypatch):
    zeros = LONG_ROWS[:, :inputs] * (np.random.default_rng(0).random((len(X), inputs)) > 0.9)

    def trained(threads):
        trainer = Trainer(hidden, batch_size=batch_size, epochs=2, threads=threads)
        trainer.fit(zeros, y)
        return [a.tobytes() for a in (*trainer.parameters.values(), np.array(trainer.history_.loss))]

    visit(monkeypatch, VISIT_ALL)
    visiting_all = trained(1)
    visit(monkeypatch, visiting)
    for threads in (1, 2, 3):
        assert trained(threads) == visiting_all


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_rule_too(rule):
    assert bits(fitted(hidden=(64, 48), threads=3, **rule)) == bits(fitted(hidden=(64, 48), threads=1, **rule))


def bits_on_sparse_rows(monkeypatch, threads, **options):
    """Everything that a fit on sparse rows leaves behind, whose epochs are long enough for several calls."""
    monkeypatch.setattr("fastmlp.engine.MULTIPLY_ADDS_PER_CALL", 20_000_000)
    random = np.random.default_rng(0)
    rows = sparse.random(4000, 20_000, 0.005, format="csr", dtype=np.float32, random_state=random)
    trainer = Trainer((64,), batch_size=200, l2=0.01, threads=threads, **options)
    trainer.fit(rows, random.integers(0, 3, 4000))
    assert trainer.threads_ == threads
    return [a.tobytes() for a in (*trainer.parameters.values(), np.array(trainer.history_.loss))]


@pytest.mark.parametrize("rule", [{}, *RULES], ids=str)
def test_long_epochs_of_sparse_rows_too(rule, monkeypatch):
    one, two = (bits_on_sparse_rows(monkeypatch, threads, epochs=1, **rule) for threads in (1, 2))
    assert two == one


def test_gradients_too():
    found = [fitted(hidden=(64, 48), threads=threads).loss_and_gradients(X, y) for threads in (1, 3)]
    assert found[0][0] == found[1][0]
    for name, gradient in found[0][1].items():
        np.testing.assert_array_equal(gradient, found[1][1][name])


def test_more_threads_than_processors_give_the_same_bits_every_time():
    options = {"hidden": (40, 30, 20, 10), "threads": 5, "epochs": 1}
    assert len({bits(fitted(**options)) for _ in range(8)}) == 1


@pytest.mark.parametrize("option", [{}, {"solver": "adam"}, {"dtype": "float64", "l2": 0.1}], ids=str)
def test_threads_that_add_up_the_gradients_of_parts_give_the_same_bits_every_time(option):
    options = {"hidden": (64, 48), "batch_size": 512, "learning_rate": 0.01, **option}
    assert sharing_of(Minibatch((300, 64, 48, 10), 512, dtype_of(options)), 4).parts == 4
    alone = bits(fitted(**options, threads=1))
    for threads in (2, 3, 4, 4, 4, 4):
        assert bits(fitted(**options, threads=threads)) == alone


@pytest.mark.parametrize("option", [{}, {"solver": "adam"}, {"momentum": 0.9, "dtype": "float64"}], ids=str)
def test_threads_that_do_the_work_of_others_who_are_behind_give_the_same_bits_every_time(option):
    options = {"hidden": (400,), "batch_size": 256, "learning_rate": 0.01, **option}
    assert sharing_of(Minibatch((300, 400, 10), 256, dtype_of(options)), 5).of_units == 5
    alone = bits(fitted(**options, threads=1))
    for threads in (2, 3, 5, 5, 5, 5):  # where there are fewer processors, some are always behind
        assert bits(fitted(**options, threads=threads)) == alone


CHANGING = [
    {"hidden": (130,)},
    {"hidden": (400, 33), "batch_size": 256, "dtype": "float64"},
    {"hidden": (64, 48), "batch_size": 512, "solver": "adam", "learning_rate": 0.01},
    {"hidden": (64, 48), "batch_size": 512, "momentum": 0.9},
]


@pytest.mark.parametrize("options", CHANGING, ids=str)
def test_results_do_not_depend_on_when_threads_join_and_leave(options, monkeypatch):
    alone = bits(fitted(**options, epochs=6, threads=1))
    for threads, teams in ((2, {2, 1}), (4, {4, 2, 1})):
        seen = change_teams(monkeypatch)
        assert bits(fitted(**options, epochs=6, threads=threads)) == alone
        assert seen == teams


def test_nor_do_those_of_sparse_rows_on_when_threads_join_and_leave(monkeypatch):
    options = {"epochs": 2, "momentum": 0.9}
    alone = bits_on_sparse_rows(monkeypatch, 1, **options)
    seen = change_teams(monkeypatch)
    assert bits_on_sparse_rows(monkeypatch, 2, **options) == alone
    assert seen == {1, 2}


def change_teams(monkeypatch):
    """Let teams be whole at first, and each trial find that what it tries is faster; return the sizes that are seen."""
    calls, seen = itertools.count(), set()

    def clock():
        turn, ends = divmod(next(calls), 2)
        return 0.5**turn if ends else 0.0

    def seeing_epoch(dtype):
        def run(*arguments):
            seen.update(argument.count for argument in arguments if isinstance(argument, Member))
            return compiled_epoch(dtype)(*arguments)

        return run

    monkeypatch.setattr("fastmlp.pace.perf_counter", clock)
    for name in ("WARM_UP", "MEASURED", "PATIENCE", "PATIENCE_OF_FEWER"):
        monkeypatch.setattr(f"fastmlp.pace.{name}", 1e-300)
    monkeypatch.setattr("fastmlp.pace.Findings.halvings", 0)
    monkeypatch.setattr("fastmlp.pace.Findings.wait", 0.0)
    monkeypatch.setattr("fastmlp.engine.MULTIPLY_ADDS_TO_TRY", 1)
    monkeypatch.setattr("fastmlp.engine.compiled_epoch", seeing_epoch)
    return seen


def test_more_than_two_threads_share_what_is_worth_it():
    for sizes, batch_size in (((784, 1024, 1024, 10), 128), ((300, 800, 400, 10), 128), ((100, 256, 256, 2), 200)):
        assert sharing_of(Minibatch(sizes, batch_size, FLOAT32), 4).members == 4
    small = Minibatch((64, 100, 10), 200, FLOAT32)
    assert sharing_of(small, 4) == sharing_of(small, 2)


def test_no_more_threads_share_units_than_have_any():
    minibatch = Minibatch((784, 32, 10), 32, FLOAT32, as_bytes=True)
    vectors = ceil_div(32, lanes(FLOAT32))
    assert sharing_of(minibatch, 16).of_units == vectors > 1


def test_units_are_shared_where_gathering_all_inputs_costs_little():
    of_floats, of_bytes = (Minibatch((784, 32, 10), 32, FLOAT32, as_bytes=as_bytes) for as_bytes in (False, True))
    assert sharing_of(of_floats, 2, halves=True).halves[0]
    assert sharing_of(of_bytes, 2, halves=True).of_units == 2


def test_a_tiny_network_is_trained_by_one_thread():
    trainer = Trainer(hidden=(4,), batch_size=4, epochs=1, threads=8)
    trainer.fit(X[:20, :5], y[:20])
    assert trainer.threads_ == 1


def test_what_fails_in_one_thread_ends_the_others_and_is_raised(monkeypatch):
    options, before = {"hidden": (400,), "batch_size": 256, "threads": 3}, threading.active_count()
    expected = bits(fitted(**options))

    def failing_epoch(dtype):
        def run(*arguments):
            if Member(1, 3) in [argument for argument in arguments if isinstance(argument, Member)]:
                raise MemoryError("of one thread")
            return compiled_epoch(dtype)(*arguments)

        return run

    with monkeypatch.context() as patch:
        patch.setattr("fastmlp.engine.compiled_epoch", failing_epoch)
        with pytest.raises(MemoryError, match="of one thread"):
            fitted(**options)
    assert threading.active_count() == before
    assert bits(fitted(**options)) == expected


def test_a_thread_that_cannot_be_started_is_an_error_and_leaves_none_behind(monkeypatch):
    options, before = {"hidden": (400,), "batch_size": 256, "threads": 3}, threading.active_count()
    expected, start, started = bits(fitted(**options)), threading.Thread.start, itertools.count(1)

    def start_one(thread):
        if next(started) > 1:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_one)
        with pytest.raises(RuntimeError, match="start new thread"):
            fitted(**options)
    assert threading.active_count() == before
    assert bits(fitted(**options)) == expected


def test_eight_fits_at_once_give_what_each_gives_alone():
    options = [{"hidden": DEPTHS[seed % 4], "seed": seed, "threads": 2, "epochs": 3} for seed in range(8)]
    alone = [bits(fitted(**option)) for option in options]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda option: bits(fitted(**option)), options))
    assert together == alone
    assert len(set(alone)) == 8


def test_one_trainer_predicts_in_eight_threads_at_once():
    trainer = fitted(hidden=(64, 48), threads=2)
    expected = trainer.decision_function(X).tobytes()
    with ThreadPoolExecutor(8) as pool:
        scores = list(pool.map(lambda _: trainer.decision_function(X).tobytes(), range(16)))
    assert set(scores) == {expected}


FORK = """
import multiprocessing, warnings
from test_threads import bits, fitted

warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process that has had threads
options = {"hidden": (64, 48), "threads": 2, "epochs": 1}
here = bits(fitted(**options))

def fit_in_child(_):
    return bits(fitted(**options))

with multiprocessing.get_context("fork").Pool(2) as pool:
    there = pool.map(fit_in_child, range(2))
assert there == [here, here]
assert bits(fitted(**options)) == here
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_fit_after_fork():
    run(FORK)


AFFINITY = """
import os
from test_threads import fitted

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(fitted(hidden=(130,), epochs=1, threads=None).threads_)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity of processes")
def test_threads_none_means_the_processors_that_this_process_may_use():
    assert run(AFFINITY)[0] == "1\n"


@pytest.mark.skipif(available_cpus() < 2, reason="one processor cannot be shared")
def test_those_who_train_at_the_same_time_share_the_processors(monkeypatch):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    random = np.random.default_rng(0)
    X, y = random.normal(size=(512, 200)), np.arange(512) % 3
    options = {"hidden": (256,), "epochs": 1}
    inner = Trainer(**options)
    outer = Trainer(**options)
    outer.fit(X, y, callbacks=[lambda figures: inner.fit(X, y) and None])
    assert (outer.threads_, inner.threads_) == (available_cpus(), max(1, available_cpus() // 2))
    assert Trainer(**options, threads=2).fit(X, y).loss == inner.history_.loss
