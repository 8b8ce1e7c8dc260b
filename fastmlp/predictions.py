"""``fastmlp.predict``: answers for many rows, some at a time, to memory or to a file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.source import read_source
from fastmlp.data.tables import batches_of, is_table
from fastmlp.extras import need
from fastmlp.files import replacing
from fastmlp.model import Model
from fastmlp.model_file import AnyModel, model_at

BATCH_ROWS = 1 << 16
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".npy": "npy", ".parquet": "parquet"}


@dataclass(frozen=True)
class Predictions:
    """Answers for some rows: labels or values (N,), and of a classifier probabilities (N, C), else None."""

    values: NDArray[Any]
    probabilities: NDArray[np.floating] | None


def predict(model: AnyModel, data: Any, out: str | PathLike[str] | None = None) -> Predictions | int:
    """Predict for every row of a file, a data set (its test rows, if it has some), a table or an array.

    model : a Model, or the path of one
    data : as ``fastmlp.train`` has it; columns are found by their names, others are ignored
    out : a file to write to: .csv and .jsonl hold the prediction and the probability of each class, .parquet too, .npy
        the probabilities, or the values; "-" is CSV on standard output

    Returns the Predictions, or how many rows were written. No more than 65,536 rows of a table are in memory at once;
    CSV and JSON lines are written as they come. Raises DataError where the rows do not have what the model needs,
    OSError where nothing can be written; a file is there whole or not at all.
    """
    found = model_at(model)
    answers = _answers(found, data)
    if out is None:
        return _joined(list(answers))
    kind = "csv" if str(out) == "-" else FORMATS.get(Path(out).suffix.lower())
    if kind is None:
        raise ValueError(f"out must end in one of {', '.join(FORMATS)}, or be -, got {str(out)!r}")
    if str(out) == "-":
        return _write_lines(found, answers, sys.stdout, kind)
    with replacing(Path(out)) as temporary:
        if kind in ("csv", "jsonl"):
            with temporary.open("w", encoding="utf-8", newline="") as file:
                return _write_lines(found, answers, file, kind)
        everything = _joined(list(answers))
        (_write_npy if kind == "npy" else _write_parquet)(found, everything, temporary)
        return len(everything.values)


def _answers(model: Model, data: Any) -> Iterator[Predictions]:
    for X in _batches(model, data):
        if model.task == "classify":
            probabilities = model.predict_proba(X)
            yield Predictions(np.asarray(model.labels)[probabilities.argmax(axis=1)], probabilities)
        else:
            yield Predictions(model.predict(X), None)


def _batches(model: Model, data: Any) -> Iterator[Any]:
    if isinstance(data, str | PathLike) and is_table(Path(data)):
        yield from batches_of(Path(data), BATCH_ROWS, as_text=True)
        return
    X = _stored_rows(data, model)
    for start in range(0, X.shape[0], BATCH_ROWS):
        yield X[start : start + BATCH_ROWS]


def _stored_rows(data: Any, model: Model) -> Any:
    """Return the rows to predict for: the test rows of what has some, else all."""
    if hasattr(data, "shape"):  # an array, a sparse matrix or a table: inputs and nothing else
        return data
    source = read_source(data, inputs=model.preparation.stored)
    return (source.test or source.train).X


def _joined(parts: list[Predictions]) -> Predictions:
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    return Predictions(
        np.concatenate([part.values for part in parts]), np.concatenate(probabilities) if probabilities else None
    )


def _names(model: Model) -> list[str]:
    return ["prediction", *(f"probability_{label}" for label in model.labels)]


def _rows(part: Predictions) -> Iterator[list[Any]]:
    if part.probabilities is None:
        return ([value] for value in part.values.tolist())
    # as text, float32 takes half the digits of the float that Python makes of it
    pairs = zip(part.values.tolist(), part.probabilities.astype(np.float64).round(7).tolist(), strict=True)
    return ([value, *probabilities] for value, probabilities in pairs)


def _write_lines(model: Model, answers: Iterator[Predictions], file: TextIO, kind: str) -> int:
    names, count = _names(model), 0
    writer = csv.writer(file, lineterminator="\n")
    for part in answers:
        if count == 0 and kind == "csv":
            writer.writerow(names)
        if kind == "csv":
            writer.writerows(_rows(part))
        else:
            file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in _rows(part))
        count += len(part.values)
    return count


def _write_npy(model: Model, everything: Predictions, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, everything.values if everything.probabilities is None else everything.probabilities)


def _write_parquet(model: Model, everything: Predictions, path: Path) -> None:
    polars = need("polars", "tables", "writing Parquet")
    columns = [everything.values]
    if everything.probabilities is not None:
        columns += list(everything.probabilities.T)
    polars.DataFrame(dict(zip(_names(model), columns, strict=True))).write_parquet(path)
