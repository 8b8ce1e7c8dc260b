"""fastmlp-train on MNIST: the accuracy it promises, and the numbers of the report that fastmlp starts from."""

import json
import os
import subprocess
import sys

import pytest
from cli_process import TIMEOUT, run, run_json
from idx_files import SHARED_DATA, needs_mnist


@needs_mnist
def test_mnist_is_learnt_in_five_epochs_and_little_memory():
    options = "--hidden 128 --epochs 5 --batch-size 128 --lr 0.2 --momentum 0.9 --nesterov --json"
    result = run("mnist", *options.split(), FASTMLP_DATA_DIR=str(SHARED_DATA))
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["test_accuracy"] >= 0.975
    # Compiling takes more memory than training does, and is done only once.
    if sys.platform == "linux" and "compiling" not in result.stderr:
        assert report["peak_memory_mb"] < 250


@needs_mnist
@pytest.mark.parametrize(("recipe", "least", "most"), [("report", 0.08, 0.2), ("report-best", 0.92, 0.95)])
def test_the_report_is_reproduced(recipe, least, most):
    report = run_json("mnist", "--recipe", recipe, FASTMLP_DATA_DIR=str(SHARED_DATA))
    assert least < report["validation_accuracy"] < most


@needs_mnist
def test_the_search_of_the_report_is_reproduced():
    """Of its ten trials the first two, of which the second is the best."""
    program = "import sys; from fastmlp.cli.verbs import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "tune", "mnist", "--recipe", "report", "--trials", "2", "--json", "-q"]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, "FASTMLP_DATA_DIR": str(SHARED_DATA)},
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert len(found["trials"]) == 2
    assert found["best_value"] > 0.85
    assert set(found["best_params"]) == {"learning_rate", "learning_rate_decay", "l2"}
