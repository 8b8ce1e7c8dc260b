"""A Dask scheduler that dies in the middle of a search, as a process of its own."""

import socket
import subprocess
import sys

import pytest
from searches import figures, search

distributed = pytest.importorskip("distributed", reason='needs Dask: pip install "fastmlp[dask]"')
pytestmark = pytest.mark.slow


@pytest.fixture
def scheduler():
    """A scheduler and a worker, on a port of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begin = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host", address]
    join = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard", "--no-nanny"]
    with subprocess.Popen(begin, **quiet) as process, subprocess.Popen([*join, "--nthreads", "2"], **quiet) as worker:
        try:
            with distributed.Client(address, timeout=60) as client:
                client.wait_for_workers(1, timeout=60)
            yield process, address
        finally:
            worker.kill()
            process.kill()


def test_a_scheduler_that_dies_loses_no_trial_that_ended(scheduler, tmp_path):
    process, address = scheduler
    kept = {"storage": f"sqlite:///{tmp_path}/trials.db", "study": "mine", "epochs": 100}

    def kill(trial):
        if trial.number >= 2:
            process.kill()

    with pytest.raises(OSError, match=rf"^dask: the scheduler {address} has gone; a study in a storage can go on$"):
        search(**kept, dask=address, trials=1000, watch=kill)
    found = search(**kept, trials=10)
    assert len(found.trials) >= 13
    undisturbed = search(epochs=100, trials=len(found.trials))
    # those cut off have other numbers now
    assert sorted(map(without_number, figures(found))) == sorted(map(without_number, figures(undisturbed)))


def without_number(figures):
    return str(figures[1:])
