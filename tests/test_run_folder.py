"""The folder of a run: what it holds, that nothing in it is lost, and that a run goes on bit for bit."""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from cli_process import TIMEOUT, needs_posix
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp.cli.main import train as train_command
from fastmlp.config import from_toml
from fastmlp.model_file import load_checkpoint

OPTIONS = {"hidden": (8,), "epochs": 6}


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


WHOLE = ["best/model.safetensors", "config.toml", "history.csv", "last/model.safetensors", "report.html"]


def assert_same_models(one, two):
    """Check that two run folders end in the same model, and the same state to go on from, to the last bit."""
    for part in ("best", "last"):
        (a, state), (b, other) = (load_checkpoint(folder / part) for folder in (one, two))
        assert set(a.parameters) == set(b.parameters)
        for name, array in a.parameters.items():
            assert_array_equal(b.parameters[name], array)
        if part == "last":
            assert len(state.slots) == len(other.slots)
            for slots in zip(state.slots, other.slots, strict=True):
                for name in slots[0]:
                    assert_array_equal(slots[0][name], slots[1][name])
            assert state.random == other.random
            assert state.history.loss == other.history.loss
            assert state.history.validation_loss == other.history.validation_loss


def test_everything_is_kept(tmp_path):
    run = fastmlp.train("digits", out=tmp_path / "run", **OPTIONS)
    assert files_in(tmp_path / "run") == WHOLE
    with (tmp_path / "run/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [float(row["loss"]) for row in rows] == run.history.loss
    assert [float(row["validation_accuracy"]) for row in rows] == run.history.validation_accuracy
    assert {row["validation_score"] for row in rows} == {""}
    best = int(np.lexsort((run.history.validation_loss, -np.array(run.history.validation_accuracy)))[0]) + 1
    again = fastmlp.train("digits", **OPTIONS | {"epochs": best, "learning_rate_schedule": "decay"})
    assert_array_equal(fastmlp.load(tmp_path / "run").parameters["W1"], again.model.parameters["W1"])


def test_a_configuration_is_complete_and_replayed(tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "rows.npy", np.column_stack([np.arange(80.0), np.arange(80) % 2]))
    monkeypatch.chdir(tmp_path)
    assert train_command(["rows.npy", "--hidden", "4", "--epochs", "3", "--seed", "7", "--out", "one", "-q"]) == 0
    options = from_toml((tmp_path / "one/config.toml").read_text(), "config.toml")
    assert options["hidden"] == (4,)
    assert options["seed"] == 7
    assert options["solver"] == "adam"  # a default, written down
    assert options["data"] == str(tmp_path / "rows.npy")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert train_command(["--config", "../one/config.toml", "--out", "two", "-q"]) == 0
    assert_same_models(tmp_path / "one", tmp_path / "elsewhere/two")
    assert train_command(["--config", "../one/config.toml", "--epochs", "5", "--json", "-q"]) == 0
    assert '"epochs": 5' in capsys.readouterr().out


def test_no_name_of_a_data_set_becomes_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    fastmlp.train("digits", out="run", **OPTIONS | {"epochs": 1})
    assert 'data = "digits"\n' in (tmp_path / "run/config.toml").read_text()


CONFIGS = {
    "no TOML": ("epochs = = 3", "is not valid TOML"),
    "an option that is none": ("epoch = 3", "holds an option 'epoch' that does not exist; there are data, target"),
    "a value that cannot be": ("epochs = 0", "epochs must be at least 1, got 0"),
    "a value of another kind": ('epochs = "three"', "epochs must be a whole number"),
}


@pytest.mark.parametrize(("text", "message"), CONFIGS.values(), ids=CONFIGS.keys())
def test_a_configuration_that_cannot_be_is_wrong_usage(text, message, tmp_path, capsys):
    (tmp_path / "config.toml").write_text(text)
    assert train_command(["--config", str(tmp_path / "config.toml"), "--out", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert files_in(tmp_path) == ["config.toml"]
    assert train_command(["--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml cannot be read: No such file or directory" in capsys.readouterr().err


# Nothing is lost


def test_a_run_is_never_overwritten_unasked(tmp_path):
    folder = tmp_path / "run"
    fastmlp.train("digits", out=folder, **OPTIONS)
    before = {name: (folder / name).read_bytes() for name in WHOLE}
    with pytest.raises(FileExistsError, match="run is there already: go on with its run"):
        fastmlp.train("digits", out=folder, **OPTIONS)
    assert {name: (folder / name).read_bytes() for name in files_in(folder)} == before
    fastmlp.train("digits", out=folder, overwrite=True, **OPTIONS | {"epochs": 2})
    assert files_in(folder) == WHOLE
    assert len((folder / "history.csv").read_text().splitlines()) == 3
    with pytest.raises(FileExistsError, match="out must be a folder to be made"):
        fastmlp.train("digits", out=folder / "config.toml", **OPTIONS)


def test_what_else_is_in_a_folder_stays(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        fastmlp.train("digits", out=folder, **OPTIONS)
    fastmlp.train("digits", out=folder, overwrite=True, **OPTIONS)
    assert (folder / "notes.txt").read_text() == "mine"


FAILURES = {
    "it diverges": {"learning_rate": 1e30},
    "a callback fails": {"callbacks": [lambda figures: 1 / 0]},
    "a log cannot be": {"log": ["wandb"]},
}


@pytest.mark.parametrize("options", FAILURES.values(), ids=FAILURES.keys())
def test_of_a_run_that_fails_at_once_nothing_is_left(options, tmp_path):
    with pytest.raises((ArithmeticError, ValueError)):
        fastmlp.train("digits", out=tmp_path / "run", **OPTIONS | options)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run").mkdir()
    with pytest.raises((ArithmeticError, ValueError)):
        fastmlp.train("digits", out=tmp_path / "run", **OPTIONS | options)
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    folder = tmp_path / "run"
    fastmlp.train("digits", out=folder, **OPTIONS)
    (folder / "last/.fastmlp-0123456789ab").write_bytes(b"half of a model")
    fastmlp.train(resume=folder, epochs=7)
    assert files_in(folder) == WHOLE


# Going on


@pytest.mark.parametrize("options", [{"solver": "sgd", "momentum": 0.9}, {"solver": "adam"}])
def test_a_few_epochs_and_then_the_rest_are_all_of_them(options, tmp_path):
    # epochs are an option of the schedule, unless rates only decay
    options = {"hidden": (8,), "learning_rate_schedule": "decay", **options}
    fastmlp.train("digits", out=tmp_path / "whole", epochs=9, **options)
    fastmlp.train("digits", out=tmp_path / "parts", epochs=4, **options)
    said = []
    fastmlp.train(resume=tmp_path / "parts", epochs=9, say=said.append)
    assert f"{tmp_path / 'parts'} goes on after epoch 4 of 9" in said
    assert_same_models(tmp_path / "whole", tmp_path / "parts")


# Checkpoints as often as can be, and a kill -9 between writing a file and giving it its name
KILLED = """
import os, signal, sys
import fastmlp.run
from fastmlp.cli.verbs import main
fastmlp.run.SECONDS_BETWEEN_CHECKPOINTS = 0.0
replace, left = os.replace, [int(sys.argv[1])]
def replace_or_die(*paths):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*paths)
os.replace = replace_or_die
sys.exit(main(sys.argv[2:]))
"""


def killed_at(write, *arguments):
    """Run a command that is killed, as by kill -9, in the middle of so many-th write of a file."""
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(write), *map(str, arguments)], capture_output=True, timeout=TIMEOUT
    ).returncode


@needs_posix
def test_a_run_that_is_killed_goes_on_to_the_same_model_bit_for_bit(tmp_path):
    train = ["train", "digits", "--hidden", "8", "--epochs", "6", "--solver", "adam", "-q", "--out"]
    fastmlp.train("digits", out=tmp_path / "whole", hidden=(8,), epochs=6, solver="adam")
    folder = tmp_path / "killed"
    # the second write is of the first best model; the others fall on bests, lasts and histories of later epochs
    assert killed_at(2, *train, folder) == -signal.SIGKILL
    assert files_in(folder)[-1] == "config.toml"
    for write in (5, 6, 4):
        assert killed_at(write, "train", "--resume", folder, "-q") == -signal.SIGKILL
        for part in ("best", "last"):
            if (folder / part / "model.safetensors").exists():
                fastmlp.load(folder / part)  # the old or the new, whole
    fastmlp.train(resume=folder)
    assert files_in(folder) == WHOLE
    assert_same_models(tmp_path / "whole", folder)


@needs_posix
def test_a_kill_at_any_moment_is_survived(tmp_path):
    """Not at a write but whenever it comes: after the first checkpoint is there, between two instructions."""
    fastmlp.train("digits", out=tmp_path / "whole", hidden=(64,), epochs=400)
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, "0", "train", "digits", "--hidden", "64", "--epochs", "400", "-v"]
    with subprocess.Popen([*command, "--out", str(folder)], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 17/"):
                break
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    epochs = len(load_checkpoint(folder / "last")[1].history.loss)
    assert 1 <= epochs < 400
    run = fastmlp.train(resume=folder)
    assert len(run.history.loss) == 400
    assert_same_models(tmp_path / "whole", folder)


def test_a_run_whose_data_have_changed_cannot_go_on(tmp_path):
    rows = np.column_stack([np.arange(80.0), np.arange(80) % 2])
    np.save(tmp_path / "rows.npy", rows)
    fastmlp.train(tmp_path / "rows.npy", out=tmp_path / "run", **OPTIONS)
    np.save(tmp_path / "rows.npy", rows[::-1])
    with pytest.raises(ValueError, match=r"rows.npy has changed since the run began: it cannot go on"):
        fastmlp.train(resume=tmp_path / "run", epochs=9)


def test_data_in_memory_must_be_given_again(tmp_path):
    X, y = np.random.default_rng(0).standard_normal((80, 3)), np.arange(80) % 2
    options = {**OPTIONS, "learning_rate_schedule": "decay"}
    fastmlp.train((X, y), out=tmp_path / "run", **options)
    with pytest.raises(ValueError, match="run were in memory: give them again"):
        fastmlp.train(resume=tmp_path / "run", epochs=9)
    fastmlp.train((X, y), out=tmp_path / "whole", **options | {"epochs": 9})
    fastmlp.train((X, y), resume=tmp_path / "run", epochs=9)
    assert_same_models(tmp_path / "whole", tmp_path / "run")


def test_what_resume_does_not_take_is_wrong_usage(tmp_path, capsys):
    for arguments, message in (
        (["--resume", str(tmp_path), "--lr", "1"], "leave out 'learning_rate'"),
        (["mnist", "--resume", str(tmp_path)], "leave out 'data'"),
        (["--overwrite"], "--overwrite needs --out"),
        (["--log", "jsonl"], "--log needs --out"),
    ):
        assert train_command(arguments) == 2
        assert message in capsys.readouterr().err
    assert train_command(["--resume", str(tmp_path)]) == 1
    assert "is not the folder of a run: it holds no config.toml" in capsys.readouterr().err
