"""Searches on a Dask cluster of real processes: the same trials as in threads, whoever dies."""

import os
import signal
import socket
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest
from searches import figures, search

import fastmlp

distributed = pytest.importorskip("distributed", reason='needs Dask: pip install "fastmlp[dask]"')
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

LONG = {"trials": 8, "epochs": 150}


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as processes,
        distributed.Client(processes) as client,
    ):
        yield client


@pytest.fixture
def address(client):
    client.wait_for_workers(2, timeout=60)  # those of an earlier test may have died
    return client.scheduler.address


@pytest.fixture(scope="module")
def in_threads():
    return search(**LONG)


def test_the_same_trials_as_in_threads(address, in_threads):
    told = []
    found = search(**LONG, dask=address, watch=told.append)
    assert figures(found) == figures(in_threads)
    assert sorted(trial.number for trial in told) == list(range(8))
    for name, array in in_threads.model.parameters.items():
        np.testing.assert_array_equal(found.model.parameters[name], array)


def test_processes_of_its_own():
    assert figures(search(dask="local", jobs=2, trials=3)) == figures(search(trials=3))


def test_trials_of_a_worker_that_is_killed_run_again_elsewhere(client, address, in_threads):
    killed = []
    killer = threading.Thread(target=lambda: killed.append(kill_one_that_trains(client)))
    killer.start()
    found = search(**LONG, dask=address)
    killer.join()
    assert len(killed) == 1
    assert figures(found) == figures(in_threads)  # none lost, none twice


def kill_one_that_trains(client):
    """Kill a worker that certainly has not told of the trial that it has: it is stopped before it is looked at."""
    pids = client.run(os.getpid)
    while True:
        for worker in pids:
            if trials_of(client, worker):
                os.kill(pids[worker], signal.SIGSTOP)
                time.sleep(0.2)  # what it has sent is heard
                if trials_of(client, worker):
                    os.kill(pids[worker], signal.SIGKILL)
                    return worker
                os.kill(pids[worker], signal.SIGCONT)


def trials_of(client, worker):
    return [task for task in client.processing().get(worker, ()) if "run_trial" in task]


def test_rows_are_sent_again_when_all_that_had_them_die(client, address, in_threads):
    dead = []

    def kill_all(trial):
        if not dead:
            dead.extend(client.run(os.getpid).values())
            for pid in dead:
                os.kill(pid, signal.SIGKILL)

    found = search(**LONG, dask=address, watch=kill_all)
    assert len(dead) == 2
    assert figures(found) == figures(in_threads)


def test_rows_are_sent_once(client, address, monkeypatch):
    sent = []
    scatter = distributed.Client.scatter

    def noting(self, data, **options):
        sent.append(data)
        return scatter(self, data, **options)

    monkeypatch.setattr(distributed.Client, "scatter", noting)
    search(dask=address, trials=10)
    assert len(sent) == 1


def test_pruning(address):
    space = {"learning_rate": {"low": 1e-6, "high": 0.1, "log": True}}
    options = {"space": space, "trials": 16, "epochs": 400, "prune": "median"}
    found = search(**options, dask=address)
    assert {trial.state for trial in found.trials} == {"complete", "pruned"}
    whole = search(**{**options, "prune": False})
    for trial, same in zip(found.trials, whole.trials, strict=True):
        assert trial.values == same.values[: len(trial.values)]


@pytest.mark.parametrize("error", [CancelledError, distributed.comm.CommClosedError])
def test_a_trial_that_ends_as_it_is_cancelled_says_nothing(client, address, monkeypatch, caplog, error):
    pressed, ended = threading.Event(), []
    result_of = distributed.Future._result

    async def result_or_cancelled(future, *arguments, **options):
        try:
            return await result_of(future, *arguments, **options)
        finally:  # with a result, or cancelled itself
            if pressed.is_set():
                ended.append(future.key)
                raise error(future.key)

    def press_while_one_trains():
        while not any(trials_of(client, worker) for worker in client.nthreads()):
            time.sleep(0.01)
        pressed.set()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    monkeypatch.setattr(distributed.Future, "_result", result_or_cancelled)
    presser = threading.Thread(target=press_while_one_trains, daemon=True)
    presser.start()
    with pytest.raises(KeyboardInterrupt):  # no trial has ended
        search(trials=4, epochs=1_000_000, dask=address)
    presser.join()
    assert ended
    assert [record.message for record in caplog.records if record.name == "tornado.application"] == []


def test_trials_that_diverge_and_a_study_in_a_file(address, tmp_path):
    options = {
        "space": {"learning_rate": {"low": 1e-3, "high": 1e10, "log": True}},
        "storage": f"sqlite:///{tmp_path}/trials.db",
        "study": "mine",
    }
    assert len(search(**options, trials=6, dask=address).trials) == 6
    found = search(**options, trials=6, dask=address)
    assert {trial.state for trial in found.trials} == {"complete", "diverged"}
    assert len(found.trials) == 12


def test_sparse_rows(address):
    scipy = pytest.importorskip("scipy")
    random = np.random.default_rng(0)
    X = scipy.sparse.random_array((400, 50), density=0.1, rng=random, format="csr", dtype=np.float32)
    y = np.asarray(X.sum(axis=1)).ravel() > X.sum(axis=1).mean()
    options = {"trials": 3, "epochs": 3, "hidden": (8,)}
    assert figures(fastmlp.tune((X, y), **options, dask=address)) == figures(fastmlp.tune((X, y), **options))


# ---- faults ----


def test_a_scheduler_that_cannot_be_reached():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match=rf"^dask: the scheduler tcp://127.0.0.1:{port} cannot be reached: .*refused$"):
        search(dask=f"tcp://127.0.0.1:{port}")
    with pytest.raises(OSError, match=r"^dask: the scheduler nowhere cannot be reached: missing port number"):
        search(dask="nowhere")


def test_a_cluster_without_workers(monkeypatch):
    monkeypatch.setattr("fastmlp.tuning.cluster.SECONDS_FOR_A_WORKER", 0.2)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(OSError, match=r"^dask: no worker takes the rows: "),
    ):
        search(dask=empty.scheduler_address)


# ---- scikit-learn's own searches ----


def test_searches_of_scikit_learn_over_the_estimators(client, address):
    from joblib import parallel_config
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    X, y = load_digits(return_X_y=True)
    X, y = X[:400] / 16, y[:400]
    model = fastmlp.MLPClassifier((8,), max_iter=9, n_iter_no_change=5, tol=10.0, random_state=0)
    ranges = {"alpha": [1e-4, 1.0], "learning_rate_init": [1e-3, 1e-2]}
    for kind, options in ((GridSearchCV, {}), (RandomizedSearchCV, {"n_iter": 3, "random_state": 0})):
        alone = kind(model, ranges, cv=2, **options).fit(X, y)
        with parallel_config("dask", client=client):
            together = kind(model, ranges, cv=2, **options).fit(X, y)
        np.testing.assert_array_equal(together.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
        np.testing.assert_array_equal(together.predict(X), alone.predict(X))
