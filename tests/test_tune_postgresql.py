"""Studies in PostgreSQL: a real server, also one that goes down on the way."""

import pytest
from postgresql import server
from searches import figures, search


@pytest.fixture(scope="module")
def postgresql():
    with server() as running:
        yield running


def test_a_study_is_gone_on_with_by_its_name(postgresql):
    first = search(storage=postgresql.url, study="mine", trials=3)
    both = search(storage=postgresql.url, study="mine", trials=3)
    assert figures(both)[:3] == figures(first)
    assert figures(both) == figures(search(trials=6))
    with pytest.raises(ValueError, match="study 'mine' is of other rows"):
        search(storage=postgresql.url, study="mine", validation_fraction=0.3)


def test_pruning_and_divergence(postgresql):
    space = {"learning_rate": {"low": 1e-4, "high": 1e10, "log": True}}
    options = {"prune": "median", "trials": 20, "epochs": 9, "space": space}
    found = search(storage=postgresql.url, study="mixed", **options)
    assert {trial.state for trial in found.trials} == {"complete", "diverged", "pruned"}


def test_a_server_that_goes_down_on_the_way_loses_no_trial(postgresql):
    def stop(trial):
        if trial.number == 2:
            postgresql.stop()

    try:
        with pytest.raises(OSError, match=r"^storage postgresql\S+ cannot be used: ") as raised:
            search(storage=postgresql.url, study="fallen", trials=8, jobs=1, watch=stop)
    finally:
        postgresql.start()
    assert "\n" not in str(raised.value)
    found = search(storage=postgresql.url, study="fallen", trials=3, jobs=1)
    assert figures(found)[:3] == figures(search(trials=3))
    assert len(found.trials) == 6


def test_a_server_that_comes_back_before_it_is_needed_is_not_noticed(postgresql):
    def restart(trial):
        if trial.number == 1:
            postgresql.stop()
            postgresql.start()

    found = search(storage=postgresql.url, study="risen", trials=4, jobs=1, watch=restart)
    assert len(found.trials) == 4
