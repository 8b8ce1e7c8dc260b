"""Where trials are kept: gone on with by name, run again where they were cut off, refused where they are of others."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from scripts import HERE
from searches import SMALL, figures, optuna, search
from sklearn.datasets import load_iris

import fastmlp

LONG = """
import fastmlp
tell = lambda trial: print("ended", flush=True)
fastmlp.tune("digits", trials=1000, epochs=40, hidden=(16,), jobs=2, storage={storage!r}, study="cut", watch=tell)
"""


@pytest.fixture(params=["sqlite", "journal"])
def storage(request, tmp_path):
    return f"sqlite:///{tmp_path}/trials.db" if request.param == "sqlite" else f"journal:{tmp_path}/trials.log"


def test_a_study_is_gone_on_with_by_its_name(storage):
    first = search(storage=storage, study="mine", trials=3)
    both = search(storage=storage, study="mine", trials=3)
    assert figures(both)[:3] == figures(first)
    assert figures(both) == figures(search(trials=6))
    assert both.model is not None
    assert len(search(storage=storage, study="another", trials=2).trials) == 2


def test_the_best_model_of_an_earlier_process_is_trained_again(storage):
    first = search(storage=storage, study="mine", trials=4)
    later = search(storage=storage, study="mine", trials=1)
    assert later.best_params == first.best_params
    for name, array in first.model.parameters.items():
        assert (later.model.parameters[name] == array).all()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_trials_cut_off_by_a_killed_process_are_run_again(storage):
    program = subprocess.Popen(
        [sys.executable, "-c", LONG.format(storage=storage)], cwd=HERE, stdout=subprocess.PIPE, text=True
    )
    with program:
        for _ in range(5):
            assert program.stdout.readline() == "ended\n"
        program.send_signal(signal.SIGKILL)
    name = {"study_name": "cut", "storage": optuna_storage(storage)}
    before = optuna.load_study(**name).trials
    cut = [trial for trial in before if trial.state == optuna.trial.TrialState.RUNNING]
    kept = [trial for trial in before if trial.state == optuna.trial.TrialState.COMPLETE]
    assert len(kept) >= 5
    count = len(kept) + len(cut) + 2
    found = search(storage=storage, study="cut", trials=len(cut) + 2, epochs=40)
    assert len(found.trials) == count  # none lost, none twice
    undisturbed = search(trials=count, epochs=40)
    tried = [sorted(str(dict(trial.params)) for trial in each.trials) for each in (found, undisturbed)]
    assert tried[0] == tried[1]
    assert found.best_value == undisturbed.best_value


def optuna_storage(storage):
    if storage.startswith("journal:"):
        backend = optuna.storages.journal.JournalFileBackend(storage.removeprefix("journal:"))
        return optuna.storages.JournalStorage(backend)
    return storage


def test_a_process_that_was_not_cut_off_after_all_loses_nothing(storage):
    """Another one goes on with its study while a trial runs: the trial counts once."""
    again = []

    def join(trial):
        if not again:
            again.append(search(storage=storage, study="shared", trials=1, jobs=1))

    search(storage=storage, study="shared", trials=4, jobs=2, watch=join)
    found = search(storage=storage, study="shared", trials=2, jobs=1)
    tried = [str(dict(trial.params)) for trial in found.trials]
    assert len(tried) == len(set(tried))
    assert len(tried) >= 4


OTHERS = {
    "rows": ({"validation_fraction": 0.3}, "is of other rows than these"),
    "metric": ({"metric": "loss"}, "searches for accuracy, not loss"),
    "options": ({"epochs": 5}, "has epochs=4, not 5"),
    "option that was not given": ({"l2": 0.5}, "has l2=its default, not 0.5"),
    "seed": ({"seed": 3}, "has seed=0, not 3"),
}


def test_a_study_of_another_search_is_refused(storage):
    search(storage=storage, study="mine", trials=2)
    for options, message in OTHERS.values():
        with pytest.raises(ValueError, match=f"study 'mine' {message}: choose another name"):
            search(storage=storage, study="mine", **options)
    with pytest.raises(ValueError, match="study 'mine' is of other rows"):
        fastmlp.tune(load_iris(return_X_y=True), **SMALL, storage=storage, study="mine")
    assert len(search(storage=storage, study="mine", trials=1).trials) == 3


def test_a_study_that_is_not_of_fastmlp_is_refused(storage):
    kept = optuna_storage(storage)
    study = optuna.create_study(storage=kept, study_name="theirs", direction="maximize")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(ValueError, match="study 'theirs' has trials that are not of fastmlp"):
        search(storage=storage, study="theirs")


def test_the_space_may_change_on_the_way(storage, tmp_path):
    search(storage=storage, study="mine", trials=2, space={"l2": {"low": 0.0, "high": 0.1}})
    space = {"l2": {"low": 0.0, "high": 0.01}, "momentum": {"low": 0.1, "high": 0.5}}
    found = search(storage=storage, study="mine", trials=2, space=space, out=tmp_path / "out")
    lines = (tmp_path / "out" / "trials.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("number,l2,momentum,value")
    assert [len(trial.params) for trial in found.trials] == [1, 1, 2, 2]


# ---- the folder's own study ----


def test_the_study_in_a_folder_is_gone_on_with_by_its_name(tmp_path):
    out = tmp_path / "out"
    search(out=out, trials=2)
    with pytest.raises(FileExistsError, match="is there already"):
        search(out=out, trials=2)
    with pytest.raises(FileExistsError, match="is there already"):
        search(out=out, trials=2, study="another")
    assert len(search(out=out, trials=2, study="search").trials) == 4
    assert len((out / "trials.csv").read_text(encoding="utf-8").splitlines()) == 5
    assert len(search(out=out, trials=1, study="search", overwrite=True).trials) == 1


def test_overwriting_a_folder_leaves_a_study_that_was_named_as_storage(tmp_path):
    out = tmp_path / "out"
    search(out=out, trials=2)
    found = search(out=out, trials=1, study="search", storage=f"journal:{out}/study.log", overwrite=True)
    assert len(found.trials) == 3


# ---- what fails ----


def test_a_locked_sqlite_file(tmp_path):
    storage = f"sqlite:///{tmp_path}/trials.db?timeout=0.1"
    search(storage=storage, study="mine", trials=2)
    locked = sqlite3.connect(tmp_path / "trials.db")
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OSError, match=r"storage sqlite:.*cannot be used: database is locked$"):
        search(storage=storage, study="mine", trials=2)
    locked.close()
    assert len(search(storage=storage, study="mine", trials=2).trials) == 4


def test_a_sqlite_file_that_is_locked_on_the_way_loses_no_trial(tmp_path):
    storage = f"sqlite:///{tmp_path}/trials.db?timeout=0.1"
    locked = sqlite3.connect(tmp_path / "trials.db")

    def lock(trial):
        if trial.number == 2:
            locked.execute("BEGIN EXCLUSIVE")

    with pytest.raises(OSError, match="database is locked"):
        search(storage=storage, study="mine", trials=6, jobs=1, watch=lock)
    locked.close()
    found = search(storage=storage, study="mine", trials=3, jobs=1)
    assert figures(found)[:3] == figures(search(trials=3))
    assert len(found.trials) == 6


CANNOT = {
    "a folder that is not there": ("sqlite:////nowhere/at/all.db", OSError, "unable to open database file"),
    "a journal's folder that is not there": ("journal:/nowhere/at/all.log", OSError, "No such file or directory"),
    "a server that is down": (
        "postgresql://me:secret@127.0.0.1:1/trials",
        OSError,
        r"storage postgresql.*://me:\*\*\*@127.0.0.1:1/trials cannot be used: .*refused$",
    ),
    "no storage": ("trials", ValueError, "storage must be journal:FILE or the URL of a database"),
}


@pytest.mark.parametrize("name", CANNOT)
def test_a_storage_that_cannot_be_used_is_one_line_without_its_password(name):
    storage, error, message = CANNOT[name]
    if storage.startswith("postgresql"):
        pytest.importorskip("psycopg", reason='needs psycopg: pip install "fastmlp[postgresql]"')
    with pytest.raises(error, match=message) as raised:
        search(storage=storage)
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_journal(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n", encoding="utf-8")
    with pytest.raises(OSError, match=r"notes\.txt cannot be used: it is no journal of a study"):
        search(storage=f"journal:{path}")
    assert path.read_text(encoding="utf-8") == "my notes\n"
