"""fastmlp-train on MNIST: the accuracy it promises, and the numbers of the report that fastmlp starts from."""

import json
import sys

from cli_process import run, run_json
from idx_files import MNIST, SHARED_DATA, needs_mnist


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
def test_the_defaults_of_the_report_are_near_chance():
    options = (
        "--init 1e-4 --lr 1e-3 --lr-decay 0.95 --l2 5e-6 --batch-size 200 --sampling choice --momentum 0 --steps 100"
    )
    report = run_json(str(MNIST), *options.split())
    assert report["epochs"] == 1
    assert report["test_accuracy"] < 0.2


@needs_mnist
def test_the_best_combination_of_the_report_passes_92_percent():
    options = (
        "--init 1e-4 --lr 0.09489 --lr-decay 0.97922 --l2 0.00363 --batch-size 200 --sampling choice "
        "--momentum 0 --epochs 12"
    )
    assert run_json(str(MNIST), *options.split())["test_accuracy"] > 0.92
