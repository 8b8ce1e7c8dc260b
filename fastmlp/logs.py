"""Each epoch's figures to a log as it ends, by the libraries of those who read them: callbacks of a Trainer."""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from fastmlp.extras import need
from fastmlp.files import writing_to
from fastmlp.history import EpochFigures
from fastmlp.options import one_of

Log = Callable[[EpochFigures], None]

TARGETS = ("jsonl", "tensorboard", "mlflow")
JSONL, TENSORBOARD, MLFLOW = "log.jsonl", "tensorboard", "mlflow.db"
"""What logs are called in the folder of a run."""


def open_log(target: str, folder: Path, config: Mapping[str, Any], name: str) -> AbstractContextManager[Log]:
    """Hold a log open: yields what each epoch's figures are given to.

    target : "jsonl", a line of JSON an epoch in ``log.jsonl``; "tensorboard", scalars in the folder ``tensorboard``;
        "mlflow", a run where MLFLOW_TRACKING_URI says, else in ``mlflow.db``
    config : options by name, to be kept with it; name : of the run
    Raises ValueError for another target, ImportError where its library is absent.
    """
    one_of("log", target, TARGETS)
    return {"jsonl": _jsonl, "tensorboard": _tensorboard, "mlflow": _mlflow}[target](folder, config, name)


def _scalars(figures: EpochFigures) -> dict[str, float]:
    """Return the figures of an epoch that were measured."""
    names = ("loss", "validation_loss", "validation_accuracy", "validation_score", "learning_rate", "seconds")
    measured = {name: getattr(figures, name) for name in names}
    measured["rows_per_second"] = figures.rows / figures.seconds if figures.seconds > 0 else None
    return {name: float(value) for name, value in measured.items() if value is not None}


@contextmanager
def _jsonl(folder: Path, config: Mapping[str, Any], name: str) -> Iterator[Log]:
    with (folder / JSONL).open("a", encoding="utf-8") as file:

        def write(figures: EpochFigures) -> None:
            finite = {key: value if math.isfinite(value) else None for key, value in _scalars(figures).items()}
            with writing_to(folder / JSONL):
                file.write(json.dumps({"epoch": figures.epoch, **finite}) + "\n")
                file.flush()

        yield write


@contextmanager
def _tensorboard(folder: Path, config: Mapping[str, Any], name: str) -> Iterator[Log]:
    """With TensorBoard's own writer, which needs neither TensorFlow nor PyTorch."""
    purpose = "a log for TensorBoard"
    writer = need("tensorboard.summary.writer.event_file_writer", "tensorboard", purpose).EventFileWriter(
        str(folder / TENSORBOARD)
    )
    event = need("tensorboard.compat.proto.event_pb2", "tensorboard", purpose).Event
    summary = need("tensorboard.compat.proto.summary_pb2", "tensorboard", purpose).Summary
    try:

        def write(figures: EpochFigures) -> None:
            values = [summary.Value(tag=key, simple_value=value) for key, value in _scalars(figures).items()]
            writer.add_event(event(wall_time=time.time(), step=figures.epoch, summary=summary(value=values)))

        yield write
    finally:
        writer.close()


@contextmanager
def _mlflow(folder: Path, config: Mapping[str, Any], name: str) -> Iterator[Log]:
    import os

    with _no_warnings():
        mlflow = need("mlflow", "mlflow", "a log for MLflow")
        where = None if os.environ.get("MLFLOW_TRACKING_URI") else f"sqlite:///{folder / MLFLOW}"
        client = mlflow.MlflowClient(tracking_uri=where)
        experiment = client.get_experiment_by_name("fastmlp")
        number = client.create_experiment("fastmlp") if experiment is None else experiment.experiment_id
        run = client.create_run(number, run_name=name).info.run_id
        for key, value in config.items():
            client.log_param(run, key, value)
    end = "FAILED"
    try:

        def write(figures: EpochFigures) -> None:
            with _no_warnings():
                for key, value in _scalars(figures).items():
                    client.log_metric(run, key, value, step=figures.epoch)

        yield write
        end = "FINISHED"
    except KeyboardInterrupt:
        end = "KILLED"
        raise
    finally:
        with _no_warnings():
            client.set_terminated(run, end)


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Keep to itself what MLflow's own dependencies warn it of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
