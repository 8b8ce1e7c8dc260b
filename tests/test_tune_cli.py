"""``fastmlp tune``: what it prints, what a terminal shows, and its one line for whatever goes wrong."""

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys

import pytest
from cli_process import TIMEOUT, needs_posix
from searches import SMALL, optuna
from test_cli_streams import run_on_terminal

from fastmlp.cli.verbs import main

FAST = ["--hidden", "16", "--epochs", "4", "--trials", "4", "--jobs", "2"]
PROCESS = [sys.executable, "-c", "import sys; from fastmlp.cli.verbs import main; sys.exit(main())", "tune", "digits"]


def tune(capsys, *arguments):
    code = main(["tune", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_json_has_the_keys_that_are_promised(capsys):
    code, out, _ = tune(capsys, "digits", *FAST, "--json")
    assert code == 0
    report = json.loads(out)
    assert set(report) == {"best_params", "best_value", "trials"}
    assert len(report["trials"]) == 4
    for trial in report["trials"]:
        assert set(trial) == {"number", "params", "value", "state", "seconds"}
        assert set(trial["params"]) == {"learning_rate", "learning_rate_decay", "l2"}
    best = max(report["trials"], key=lambda trial: trial["value"])
    assert (best["value"], best["params"]) == (report["best_value"], report["best_params"])


def test_json_has_no_infinity(capsys, tmp_path):
    space = tmp_path / "space.toml"
    space.write_text("learning_rate = {choices = [1e30, 0.1]}", encoding="utf-8")
    code, out, _ = tune(
        capsys, "digits", *FAST, "--json", "--metric", "loss", "--space", str(space), "--sampler", "grid"
    )
    assert code == 0
    values = {trial["state"]: trial["value"] for trial in json.loads(out)["trials"]}
    assert values["diverged"] is None
    assert 0 < values["complete"] < 3


def test_lines_a_table_and_a_command_to_paste(capsys):
    code, out, err = tune(capsys, "digits", *FAST)
    assert code == 0
    table, command = out.split("\n\n")
    heads, *rows = (line.split() for line in table.splitlines())
    assert heads == ["trial", "accuracy", "state", "seconds", "learning_rate", "learning_rate_decay", "l2"]
    values = [float(row[1]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert sorted(int(row[0]) for row in rows) == [0, 1, 2, 3]
    assert re.findall(r"^(\d)/4: trial \d: ", err, re.MULTILINE) == ["1", "2", "3", "4"]
    program, *arguments = shlex.split(command)
    assert program == "fastmlp"
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == SMALL["epochs"]


@needs_posix
def test_a_terminal_shows_the_best_trials_while_they_come():
    code, sent = run_on_terminal(*FAST, columns=100, command=PROCESS)
    assert code == 0
    assert "1 of 4 trials" in sent
    assert "4 of 4 trials" in sent
    assert sent.count("\x1b[?25l") == sent.count("\x1b[?25h")  # the cursor is given back
    assert sent.rindex("4 of 4 trials") < sent.rindex("fastmlp train digits")


def test_names_are_those_of_the_library(capsys, tmp_path):
    storage = f"sqlite:///{tmp_path}/trials.db"
    options = ["--sampler", "tpe", "--pruner", "median", "--time-budget", "100", "--seed", "3", "--metric", "loss"]
    kept = ["--storage", storage, "--study", "mine", "--out", str(tmp_path / "out")]
    assert tune(capsys, "digits", *FAST, *options, *kept)[0] == 0
    study = optuna.load_study(study_name="mine", storage=storage)
    assert len(study.trials) == 4
    assert study.direction.name == "MINIMIZE"
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"config.toml", "trials.csv", "best", "report.html"}
    assert "seed = 3" in (tmp_path / "out" / "config.toml").read_text(encoding="utf-8")


# ---- Ctrl-C ----


@needs_posix
@pytest.mark.parametrize("where", [[], ["--dask", "local"]], ids=["threads", "dask"])
def test_ctrl_c_keeps_what_ended_and_the_search_can_go_on(tmp_path, where):
    if where:
        pytest.importorskip("distributed", reason='needs Dask: pip install "fastmlp[dask]"')
    out = tmp_path / "out"
    options = ["--hidden", "16", "--epochs", "40", "--jobs", "2", "--out", str(out), "--study", "mine"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [*PROCESS, *options, "--trials", "100000", *where]
    with subprocess.Popen(command, **pipes, start_new_session=True) as process:
        while not process.stderr.readline().startswith("3/"):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the command
        printed, said = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, said
    assert all(re.match(r"\d+/100000: trial \d+", line) for line in said.splitlines()), said
    assert "fastmlp train digits" in printed
    ended = len((out / "trials.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert ended >= 3
    assert (out / "best").is_dir()
    assert main(["tune", "digits", *options, "--trials", "4", "-q"]) == 0
    lines = (out / "trials.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) == ended + 4
    assert len({tuple(line.split(",")[1:4]) for line in lines}) == len(lines)


# ---- one clear line each ----


def locked(folder):
    path = folder / "locked.db"
    connection = sqlite3.connect(path)
    connection.execute("BEGIN EXCLUSIVE")
    return connection, path


FAULTS = {
    "empty space": (["--space", "{folder}/empty.toml"], 1, "space holds no option to search"),
    "contradictory space": (["--space", "{folder}/both.toml"], 1, "momentum must be 0, got 0.5"),
    "space without a file": (["--space", "{folder}/none.toml"], 1, "none.toml cannot be read: No such file"),
    "unknown metric": (["--metric", "beauty"], 2, "argument --metric: invalid choice: 'beauty'"),
    "metric of another task": (["--metric", "r2"], 1, "metric must be one of accuracy, loss"),
    "unknown sampler": (["--sampler", "luck"], 2, "argument --sampler: invalid choice: 'luck'"),
    "no trials": (["--trials", "0"], 2, "argument --trials: needs a whole number of at least 1, got '0'"),
    "no validation": (["--validation-fraction", "0"], 1, "tuning needs validation rows"),
    "study without storage": (["--study", "mine"], 2, "--study needs --storage or --out"),
    "overwrite without out": (["--overwrite"], 2, "--overwrite needs --out"),
    "locked file": (["--storage", "sqlite:///{folder}/locked.db?timeout=0.1"], 1, "database is locked"),
    "server down": (["--storage", "postgresql://me:secret@127.0.0.1:1/trials"], 1, "refused"),
    "no scheduler": (["--dask", "127.0.0.1:1"], 1, "the scheduler 127.0.0.1:1 cannot be reached"),
    "all diverge": (["--space", "{folder}/wild.toml"], 3, "all 4 trials diverged"),
    "no such data": (["{folder}/none.csv"], 1, "none.csv"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_goes_wrong_is_one_line(capsys, tmp_path, name):
    (tmp_path / "empty.toml").write_text("", encoding="utf-8")
    (tmp_path / "both.toml").write_text(
        'solver = {choices = ["adam", "sgd"]}\nmomentum = {low = 0.5, high = 0.9}', encoding="utf-8"
    )
    (tmp_path / "wild.toml").write_text("learning_rate = {low = 1e30, high = 1e31}", encoding="utf-8")
    arguments, expected, message = FAULTS[name]
    held, _ = locked(tmp_path)
    given = [argument.format(folder=tmp_path) for argument in arguments]
    code, out, err = tune(capsys, *(given if given[0][0] != "-" else ["digits", *given]), *FAST, "-q")
    held.close()
    assert (code, out) == (expected, "")
    assert err.startswith("fastmlp tune: error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert "secret" not in err


def test_without_optuna_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = tune(capsys, "digits", *FAST, "-q")
    assert code == 1
    assert err == 'fastmlp tune: error: tuning needs optuna: pip install "fastmlp[tune]"\n'


def test_without_dask_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = tune(capsys, "digits", *FAST, "-q", "--dask", "local")
    assert code == 1
    assert err == 'fastmlp tune: error: tuning on a cluster needs distributed: pip install "fastmlp[dask]"\n'
