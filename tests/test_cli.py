"""fastmlp-train: its options, what it reports, and how it fails."""

import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, entry_points, version

import platformdirs
import pytest
from cli_process import TIMEOUT, run, run_json
from idx_files import write_folder

import fastmlp
from fastmlp.cli.main import train
from fastmlp.data.idx import TRAIN_IMAGES


def report_of(capsys, *arguments):
    """Train within this process, where kernels are loaded only once; return the JSON object."""
    assert train(["--json", "--quiet", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


# What is known before training


@pytest.mark.parametrize("option", ["--help", "--version", "--epochs=none"])
def test_nothing_heavy_is_imported_before_the_options_are_known(option):
    heavy = ("numpy", "numba", "scipy", "sklearn", "rich", "pooch", "platformdirs", "fastmlp.data")
    program = f"""
import sys
from fastmlp.cli.main import train
try:
    train([{option!r}])
except SystemExit:
    pass
print("imported:", [name for name in {heavy} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT)
    assert result.stdout.endswith("imported: []\n")


def test_help_names_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit) as ended:
        train(["--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    options = "hidden epochs batch-size lr lr-decay l2 momentum nesterov sampling init seed threads dtype"
    for option in options.split():
        assert re.search(rf"--{option}\b[^:]*?[^-]*\(default: ", text), option
    for option in ("validation-fraction", "steps", "json", "quiet", "verbose", "version"):
        assert f"--{option}" in text


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        train(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"fastmlp-train {fastmlp.__version__}\n"


def test_the_installed_command_is_this_function():
    try:
        version("fastmlp")
    except PackageNotFoundError:
        pytest.skip("fastmlp runs from its source folder, not installed")
    (command,) = entry_points(group="console_scripts", name="fastmlp-train")
    assert command.load() is train


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--lr 0", "argument --lr: needs a number above 0, got '0'"),
        ("--lr nan", "argument --lr: needs a number above 0, got 'nan'"),
        ("--lr-decay=-1", "argument --lr-decay: needs a number above 0, got '-1'"),
        ("--l2=-1e-4", "argument --l2: needs a number of at least 0, got '-1e-4'"),
        ("--momentum 1", "argument --momentum: needs a number of at least 0 and below 1, got '1'"),
        ("--epochs 0", "argument --epochs: needs a whole number of at least 1, got '0'"),
        ("--epochs 1.5", "argument --epochs: needs a whole number of at least 1, got '1.5'"),
        ("--steps 0", "argument --steps: needs a whole number of at least 1, got '0'"),
        ("--batch-size x", "argument --batch-size: needs a whole number of at least 1, got 'x'"),
        ("--seed=-1", "argument --seed: needs a whole number of at least 0, got '-1'"),
        ("--threads 0", "argument --threads: needs a whole number of at least 1, got '0'"),
        (
            "--hidden 128,",
            "argument --hidden: needs positive whole numbers, as in 128,64, or none; got '128,'",
        ),
        ("--hidden 0", "argument --hidden: needs positive whole numbers"),
        ("--init 0", "argument --init: needs he or a number above 0, got '0'"),
        ("--init unknown", "unknown"),  # Trainer's to refuse
        (
            "--validation-fraction 1",
            "argument --validation-fraction: needs a number of at least 0 and below 1",
        ),
        ("--sampling some", "argument --sampling: invalid choice: 'some'"),
        ("--dtype float16", "argument --dtype: invalid choice: 'float16'"),
        ("--epoch=3", "unrecognized arguments: --epoch=3"),
        ("digits mnist", "unrecognized arguments: mnist"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(options, message, capsys):
    assert train(shlex.split(options)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastmlp-train: error: ")
    assert message in err
    assert err.count("\n") == 1


# Training


def test_digits_on_plain_streams():
    result = run("--epochs", "12")
    assert result.returncode == 0, result.stderr
    assert "\r" not in result.stdout + result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    number = r"[0-9.]+"
    for epoch in range(1, 13):
        line = (
            rf"^epoch {epoch}/12 \(\d+%\): loss {number}, validation accuracy {number}, "
            rf"learning rate {number}, {number}[kM]? rows/s, ETA \w+$"
        )
        assert re.search(line, result.stderr, re.MULTILINE), result.stderr
    accuracy = re.search(r"^test accuracy +(0\.\d+)$", result.stdout, re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) >= 0.95
    assert "epoch 1/" not in result.stdout


def test_json_is_one_object_and_alone_on_stdout():
    report = run_json()
    assert report["test_accuracy"] >= 0.95
    assert report["validation_accuracy"] >= 0.9
    assert 0 < report["train_loss"] < 0.5
    assert report["epochs"] == len(report["epoch_seconds"]) == 10
    assert report["train_seconds"] > 0
    assert report["compile_seconds"] >= 0
    assert report["rows_per_second"] > 0
    assert report["threads"] >= 1
    assert report["interrupted"] is False
    if sys.platform == "linux":
        assert 20 < report["peak_memory_mb"] < 1000
    assert report["task"] == "classify"
    assert report["config"] == {
        "data": "digits",
        "test_fraction": 0.2,
        "validation_fraction": 0.1,
        "hidden": [128],
        "learning_rate": 0.1,
        "learning_rate_decay": 0.85,
        "l2": 1e-5,
        "batch_size": 64,
        "epochs": 10,
        "momentum": 0.9,
        "nesterov": False,
        "sampling": "shuffle",
        "init": "he",
        "dtype": "float32",
        "seed": 0,
        "solver": "sgd",
        "learning_rate_schedule": "decay",
        "activation": "relu",
    }


def test_every_option_reaches_the_trainer(monkeypatch):
    options = (
        "--hidden 16,8 --epochs 2 --batch-size 50 --lr 0.05 --lr-decay 0.9 --l2 0 --momentum 0.5 --nesterov "
        "--lr-schedule linear "
        "--sampling choice --init 0.01 --seed 7 --threads 1 --dtype float64 --steps 9 --activation tanh"
    )
    keywords = {}

    def trainer(**given):
        keywords.update(given)
        raise ValueError("seen enough")

    monkeypatch.setattr("fastmlp.run.Trainer", trainer)
    assert train(options.split()) == 1
    assert keywords == {
        "hidden": (16, 8),
        "learning_rate": 0.05,
        "learning_rate_decay": 0.9,
        "l2": 0,
        "batch_size": 50,
        "epochs": 2,
        "momentum": 0.5,
        "nesterov": True,
        "sampling": "choice",
        "input_scale": 1 / 16,
        "init": 0.01,
        "dtype": "float64",
        "threads": 1,
        "seed": 7,
        "max_steps": 9,
        "solver": "sgd",
        "learning_rate_schedule": "linear",
        "activation": "tanh",
        "task": "classify",
    }


@pytest.mark.parametrize("hidden", ["none", ""])
def test_softmax_regression_without_validation(hidden, capsys):
    report = report_of(capsys, "--hidden", hidden, "--validation-fraction", "0")
    assert report["config"]["hidden"] == []
    assert report["validation_accuracy"] is None
    assert report["test_accuracy"] >= 0.9


def test_steps_alone_say_how_long_to_train(capsys):
    # 1294 training rows are 7 minibatches of 200: 30 steps need 5 epochs, the last of 2 minibatches.
    report = report_of(capsys, "--steps", "30", "--batch-size", "200")
    assert report["epochs"] == report["config"]["epochs"] == 5
    assert report_of(capsys, "--steps", "30", "--batch-size", "200", "--epochs", "2")["epochs"] == 2


def test_the_result_does_not_depend_on_threads(capsys):
    one, two = (report_of(capsys, "--threads", threads) for threads in "12")
    assert one["threads"] == 1
    for figure in ("train_loss", "validation_accuracy", "test_accuracy"):
        assert one[figure] == two[figure]


def test_quiet_leaves_stderr_empty():
    result = run("--quiet", "--epochs", "1")
    assert (result.returncode, result.stderr) == (0, "")
    assert "test accuracy" in result.stdout


def test_verbose_describes_the_data():
    result = run("--verbose", "--epochs", "1")
    assert "digits: 1294 training rows, 144 for validation, 359 for the test; 64 inputs" in result.stderr


# Failures


def test_divergence_is_code_3_and_one_line(capsys):
    assert train(["--lr", "1e30", "--quiet", "--json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"fastmlp-train: error: [^\n]*learning.rate[^\n]*\n", err)


def test_data_that_cannot_be_used_is_code_1_and_one_line(tmp_path, capsys):
    write_folder(tmp_path)
    (tmp_path / f"{TRAIN_IMAGES}.gz").write_bytes(b"<html>not here</html>")
    for data, message in ((str(tmp_path), "not an IDX file"), ("mnits", "mnits: there is no such file or folder")):
        assert train([data, "--json"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(rf"fastmlp-train: error: [^\n]*{message}[^\n]*\n", err)


def test_verbose_shows_the_traceback(capsys):
    assert train(["mnits", "--verbose"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("fastmlp-train: error: mnits: there is no such file")


def test_mnist_offline_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASTMLP_OFFLINE", "1")
    monkeypatch.setenv("FASTMLP_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    assert train(["mnist"]) == 1
    assert re.fullmatch(
        r"fastmlp-train: error: MNIST .*FASTMLP_OFFLINE.*or train on 'digits'.*\n", capsys.readouterr().err
    )
