"""From options to a report: load, split, compile, train, test."""

from argparse import Namespace
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.arguments import UsageError, trainer_keywords
from fastmlp.cli.progress import Progress
from fastmlp.cli.report import Report, peak_memory_mb
from fastmlp.data import Dataset, load, split_validation
from fastmlp.history import EpochFigures, History
from fastmlp.trainer import Trainer

Validation = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def run(arguments: Namespace, progress: Progress) -> Report:
    """Train as the options say and test the result; JSON-ready figures by name.

    A training that Ctrl-C ended after at least one epoch is reported, with ``interrupted`` true; one that was
    ended before raises KeyboardInterrupt. Raises UsageError for options that Trainer refuses.
    """
    data, validation = _load(arguments, progress)
    keywords = trainer_keywords(arguments, len(data.y_train))
    trainer = _make_trainer(keywords, data.input_scale)
    if arguments.verbose:
        progress.message(_description(data, validation))

    epoch_rows: list[int] = []

    def count_rows(figures: EpochFigures) -> None:
        epoch_rows.append(figures.rows)

    started = perf_counter()
    history = trainer.fit(
        data.X_train, data.y_train, validation_data=validation, callbacks=(progress.epoch, count_rows)
    )
    fit_seconds = perf_counter() - started
    progress.close()
    if trainer.interrupted and not history.loss:
        raise KeyboardInterrupt
    return {
        "test_accuracy": float(trainer.score(data.X_test, data.y_test)),
        **_training_figures(history, sum(epoch_rows)),
        "train_seconds": fit_seconds - trainer.compile_seconds,
        "compile_seconds": float(trainer.compile_seconds),
        "threads": int(trainer.threads_),
        "peak_memory_mb": peak_memory_mb(),
        "interrupted": bool(trainer.interrupted),
        "config": {
            "data": arguments.data,
            **keywords,
            "validation_fraction": arguments.validation_fraction,
        },
    }


def _load(arguments: Namespace, progress: Progress) -> tuple[Dataset, Validation | None]:
    """The data set with its training rows reduced by the validation rows, and those.

    Its caller never holds the full set of training rows, 47 MB for MNIST: they are freed on return.
    """
    data = load(arguments.data, progress=progress.downloading)
    X, y, X_validation, y_validation = split_validation(
        data.X_train, data.y_train, arguments.validation_fraction, arguments.seed
    )
    validation = (X_validation, y_validation) if len(y_validation) else None
    return replace(data, X_train=X, y_train=y), validation


def _make_trainer(keywords: dict[str, Any], input_scale: float) -> Trainer:
    try:
        return Trainer(**keywords, input_scale=input_scale)
    except (TypeError, ValueError) as error:
        raise UsageError(error) from error


def _description(data: Dataset, validation: Validation | None) -> str:
    validation_rows = 0 if validation is None else len(validation[1])
    return (
        f"{data.name}: {len(data.y_train)} training rows, {validation_rows} for validation, "
        f"{len(data.y_test)} for the test; {data.X_train.shape[1]} inputs"
    )


def _training_figures(history: History, rows: int) -> Report:
    """``rows_per_second`` counts the seconds of the epochs alone, without validation."""
    epoch_seconds = [float(seconds) for seconds in history.epoch_seconds]
    accuracies = history.validation_accuracy
    return {
        "validation_accuracy": float(accuracies[-1]) if accuracies and accuracies[-1] is not None else None,
        "train_loss": float(history.loss[-1]),
        "epochs": len(history.loss),
        "epoch_seconds": epoch_seconds,
        "rows_per_second": rows / sum(epoch_seconds) if sum(epoch_seconds) > 0 else None,
    }
