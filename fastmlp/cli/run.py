"""``fastmlp train`` once its options are known: train, and say what came of it."""

from argparse import Namespace
from typing import Any

import numpy as np

from fastmlp.cli.arguments import UsageError
from fastmlp.cli.matrix import print_confusion
from fastmlp.cli.progress import Progress
from fastmlp.cli.report import Report, peak_memory_mb, print_json, print_table
from fastmlp.config import config_of
from fastmlp.files import STANDARD_OUTPUT, writing_to
from fastmlp.history import EpochFigures
from fastmlp.options import Options
from fastmlp.run import Run, train


def run(arguments: Namespace, progress: Progress) -> bool:
    """Train as the options say, print the report, and return whether Ctrl-C ended the training.

    A training that Ctrl-C ended before its first epoch was over raises KeyboardInterrupt. Raises UsageError for
    options that cannot be.
    """
    options: dict[str, Any] = arguments.options
    _check(options)
    epoch_rows: list[int] = []

    def count_rows(figures: EpochFigures) -> None:
        epoch_rows.append(figures.rows)

    say = progress.message if _is_worth_telling(arguments) else _nothing
    trained = train(**options, callbacks=(progress.epoch, count_rows), say=say, progress=progress.downloading)
    progress.close()
    report = report_of(trained, sum(epoch_rows))
    with writing_to(STANDARD_OUTPUT):
        (print_json if arguments.json else print_table)(report)
        if not arguments.json and trained.confusion is not None:
            print_confusion(trained.confusion, tuple(map(str, trained.model.labels)))
    return trained.interrupted


def _check(options: dict[str, Any]) -> None:
    """Refuse as wrong usage what is wrong whatever the data are."""
    files = ("out", "overwrite", "resume", "log", "plot")
    if "resume" in options and (
        wrong := [name for name in options if name not in ("resume", "log", "plot", "threads", "epochs")]
    ):
        raise UsageError(f"--resume takes its options from the run's folder: leave out {wrong[0]!r}")
    if "overwrite" in options and "out" not in options:
        raise UsageError("--overwrite needs --out")
    if "log" in options and not {"out", "resume"} & set(options):
        raise UsageError("--log needs --out")
    try:
        config = config_of({name: value for name, value in options.items() if name not in files})
        Options(**config.completed(is_images=True, rows=1).trainer)
    except (TypeError, ValueError) as error:
        raise UsageError(error) from error


def _is_worth_telling(arguments: Namespace) -> bool:
    """Of data sets that everybody knows, nothing is guessed: only ``--verbose`` tells of them."""
    return arguments.verbose or bool(arguments.options.get("data", "digits") not in ("digits", "mnist"))


def _nothing(text: str) -> None:
    """Say nothing."""


def report_of(trained: Run, rows: int) -> Report:
    """Return the figures of a training, ready for JSON.

    ``rows_per_second`` counts the seconds of the epochs alone, without validation.
    """
    history = trained.history
    epoch_seconds = [float(seconds) for seconds in history.epoch_seconds]
    return {
        **_test_figures(trained),
        "validation_accuracy": _last(history.validation_accuracy),
        "validation_r2": _last(history.validation_score),
        "train_loss": float(history.loss[-1]),
        "epochs": len(history.loss),
        "epoch_seconds": epoch_seconds,
        "rows_per_second": rows / sum(epoch_seconds) if sum(epoch_seconds) > 0 else None,
        "train_seconds": trained.timings["training"],
        "compile_seconds": trained.timings["compiling"],
        "threads": trained.threads,
        "peak_memory_mb": peak_memory_mb(),
        "interrupted": trained.interrupted,
        "task": trained.model.task,
        "config": trained.config.facts(),
    }


def _test_figures(trained: Run) -> Report:
    """Return the figures for the test rows; of classes the accuracy alone: others import for half a second."""
    confusion = trained.confusion
    if confusion is not None:
        return {"test_accuracy": float(np.trace(confusion) / confusion.sum())}
    if trained.evaluation is None:
        return {"test_accuracy": None}
    return {f"test_{name}": value for name, value in trained.evaluation.figures.items()}


def _last(figures: list[float]) -> float | None:
    return float(figures[-1]) if figures else None
