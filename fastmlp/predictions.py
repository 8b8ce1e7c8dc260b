"""``fastmlp.predict``: answers for many rows, some at a time, to memory or to a file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fastmlp.data.source import read_source
from fastmlp.data.tables import batches_of, is_table
from fastmlp.errors import DataError, counting_from
from fastmlp.extras import need
from fastmlp.files import STANDARD_OUTPUT, replacing, writing_to
from fastmlp.model import Model
from fastmlp.model_file import AnyModel, model_at

if TYPE_CHECKING:
    from polars import DataFrame

BATCH_ROWS = 1 << 16


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

    Returns the Predictions, or how many rows were written. No more than 65,536 rows of a table are in memory at once
    where they are written. Raises DataError where the rows do not have what the model needs,
    OSError where nothing can be written; a file is there whole or not at all.
    """
    kind = None if out is None else _kind_of(out)
    found = model_at(model)
    answers = _answers(found, data)
    if out is None:
        return _joined(list(answers))
    if kind is None:
        with writing_to(STANDARD_OUTPUT):
            return _write_lines(found, answers, sys.stdout, as_json=False)
    with replacing(Path(out), *_foreign_errors(kind)) as temporary:
        return _WRITERS[kind](found, answers, temporary)


def _kind_of(out: str | PathLike[str]) -> str | None:
    """Return the ending that says how to write, None of standard output. Raises ValueError where there is no way."""
    if str(out) == "-":
        return None
    kind = Path(out).suffix.lower()
    if kind not in _WRITERS:
        raise ValueError(f"out must end in one of {', '.join(_WRITERS)}, or be -, got {str(out)!r}")
    return kind


def _foreign_errors(kind: str) -> tuple[type[Exception], ...]:
    """Return what is raised by the library that writes, where it is another's."""
    return (need("polars.exceptions", "tables", "writing Parquet").PolarsError,) if kind == ".parquet" else ()


def _answers(model: Model, data: Any) -> Iterator[Predictions]:
    rows = 0
    for X in _batches(model, data):
        with counting_from(rows):
            answer = _answer(model, X)
        yield answer
        rows += X.shape[0]
    if not rows:
        raise DataError("there are no rows to predict for")


def _answer(model: Model, X: Any) -> Predictions:
    if model.task == "regress":
        return Predictions(model.predict(X), None)
    probabilities = model.predict_proba(X)
    return Predictions(np.asarray(model.labels)[probabilities.argmax(axis=1)], probabilities)


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


def _write_lines(model: Model, answers: Iterator[Predictions], file: TextIO, as_json: bool) -> int:
    names, count = _names(model), 0
    writer = csv.writer(file, lineterminator="\n")
    for part in answers:
        if count == 0 and not as_json:
            writer.writerow(names)
        if as_json:
            file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in _rows(part))
        else:
            writer.writerows(_rows(part))
        count += len(part.values)
    return count


def _write_text(model: Model, answers: Iterator[Predictions], path: Path, as_json: bool) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        return _write_lines(model, answers, file, as_json)


def _write_npy(model: Model, answers: Iterator[Predictions], path: Path) -> int:
    """Write the header last: NumPy leaves room in it for any number of rows."""
    count = 0
    with path.open("wb") as file:
        for part in answers:
            array = np.ascontiguousarray(part.values if part.probabilities is None else part.probabilities)
            if not count:
                _write_header(file, array, 0)
            file.write(array.tobytes())
            count += len(array)
        file.seek(0)
        _write_header(file, array, count)
    return count


def _write_header(file: BinaryIO, array: NDArray[Any], rows: int) -> None:
    facts = npy.header_data_from_array_1_0(array) | {"shape": (rows, *array.shape[1:])}
    npy.write_array_header_1_0(file, facts)


def _write_parquet(model: Model, answers: Iterator[Predictions], path: Path) -> int:
    """Let polars ask for one part after another: it keeps none."""
    from polars.io.plugins import register_io_source

    first = _as_table(model, next(answers))
    count = first.height

    def parts(*hints: object) -> Iterator[DataFrame]:
        nonlocal count
        yield first
        for part in answers:
            count += len(part.values)
            yield _as_table(model, part)

    with path.open("wb") as file:
        register_io_source(parts, schema=first.schema).sink_parquet(file)
    return count


def _as_table(model: Model, part: Predictions) -> DataFrame:
    import polars

    columns = [part.values, *([] if part.probabilities is None else part.probabilities.T)]
    return polars.DataFrame(dict(zip(_names(model), columns, strict=True)))


_WRITERS: dict[str, Callable[[Model, Iterator[Predictions], Path], int]] = {
    ".csv": partial(_write_text, as_json=False),
    ".jsonl": partial(_write_text, as_json=True),
    ".ndjson": partial(_write_text, as_json=True),
    ".npy": _write_npy,
    ".parquet": _write_parquet,
}
