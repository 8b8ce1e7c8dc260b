"""From a name, a file or arrays to rows: inputs, what each is to be, and how much it counts."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data import NAMED
from fastmlp.data.arrays import SVMLIGHT, read_npy, read_npz, read_svmlight
from fastmlp.data.columns import rows_of_table, weights_of
from fastmlp.data.parts import ALL_BUT_THE_LAST, LAST_COLUMN, Columns, Part, Source, is_polars_table, whole_numbers
from fastmlp.data.paths import refuse_unreadable
from fastmlp.data.tables import is_table, read_table
from fastmlp.errors import DataError
from fastmlp.inputs import is_sparse

_NUMBERS = "buif"
_SVMLIGHT_LINE = re.compile(rb"\s*[^\s:#]+(\s+qid:\d+)?(\s+\d+:\S+)+\s*(#.*)?$")


def read_source(
    data: Any, columns: Columns = ALL_BUT_THE_LAST, progress: Any = None, inputs: int | None = None
) -> Source:
    """Read the name of a data set, a file, a folder of IDX files, a table of polars, or a pair (X, y).

    inputs : how many columns rows without names must have, where that is known: a target may be missing then
    Raises DataError for what cannot be found or read, or holds no such columns.
    """
    if isinstance(data, tuple):
        return _of_arrays("arrays", data, columns, inputs)
    if isinstance(data, np.ndarray):
        return _of_matrix("array", data, columns, inputs)
    if is_polars_table(data):
        return rows_of_table("table", data, columns)
    if not isinstance(data, str | PathLike):
        raise TypeError(f"data must be a name, a path, a table or a pair (X, y), got {type(data).__name__}")
    if data in NAMED or Path(data).is_dir():
        return _of_images(data, columns, progress)
    return _of_file(Path(data), columns, inputs)


def _of_file(path: Path, columns: Columns, inputs: int | None) -> Source:
    if is_table(path):
        return rows_of_table(str(path), read_table(path), columns)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _of_matrix(str(path), read_npy(path), columns, inputs)
    if suffix == ".npz":
        return _of_npz(str(path), read_npz(path), columns, inputs)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder, nor a data set of that name")
    refuse_unreadable(path)
    if suffix in SVMLIGHT or _looks_like_svmlight(path):
        _refuse_names(columns, f"{path} is an svmlight file")
        X, y = read_svmlight(path, inputs)
        _refuse_infinite(X, str(path))
        return Source(str(path), Part(X, whole_numbers(y)))
    kinds = "CSV, TSV, Parquet, Arrow, NPZ, NPY, svmlight or a folder of IDX files"
    raise DataError(f"{path} is of no kind that can be read: {kinds}, or one of {', '.join(NAMED)}")


def _looks_like_svmlight(path: Path) -> bool:
    with path.open("rb") as file:
        lines = file.read(1 << 16).splitlines()
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith(b"#")), b"")
    return bool(_SVMLIGHT_LINE.match(first))


def _of_images(data: str | PathLike[str], columns: Columns, progress: Any) -> Source:
    from fastmlp.data import load

    _refuse_names(columns, f"{data} holds images")
    images = load(data, progress)
    return Source(
        images.name,
        Part(images.X_train, images.y_train),
        Part(images.X_test, images.y_test),
        input_scale=images.input_scale,
        is_images=True,
    )


def _of_arrays(name: str, pair: tuple[Any, ...], columns: Columns, inputs: int | None) -> Source:
    if len(pair) != 2:
        raise TypeError(f"arrays must be a pair (X, y), got {len(pair)} of them")
    X, y = pair
    if is_polars_table(X):
        used = [each for each in (*columns.drop, *([columns.weight] if columns.weight else [])) if each in X.columns]
        return Source(name, Part(X.drop(used), np.asarray(y), weights_of(X, columns.weight)), target=columns.target)
    _refuse_names(columns, "arrays")
    if np.ndim(X) < 2 or len(y) != X.shape[0]:
        raise DataError(f"{name}: X must be (N, D) and y (N,), got {np.shape(X)} and {np.shape(y)}")
    X = X if hasattr(X, "tocsr") else np.asarray(X)
    return Source(name, _flat(name, X, np.asarray(y)), **_scaling(X))


def _of_npz(name: str, arrays: dict[str, NDArray[Any]], columns: Columns, inputs: int | None) -> Source:
    """X and y, or x_train, y_train, x_test and y_test, or one array with the target in its last column."""
    _refuse_names(columns, f"{name} holds arrays")
    found = {key.lower(): array for key, array in arrays.items()}
    for X, y in (("x_train", "y_train"), ("x", "y")):
        if X in found and (y in found or inputs is not None):
            part = _paired(name, found, X, y)
            test = _paired(name, found, "x_test", "y_test") if "x_test" in found and X == "x_train" else None
            return Source(name, part, test, **_scaling(part.X))
    if len(found) == 1:
        return _of_matrix(name, next(iter(found.values())), columns, inputs)
    raise DataError(f"{name} must hold arrays X and y, or x_train, y_train, x_test, y_test; got {', '.join(arrays)}")


def _paired(name: str, found: dict[str, NDArray[Any]], X: str, y: str) -> Part:
    if y in found and len(found[X]) != len(found[y]):
        raise DataError(f"{name}: {X} has {len(found[X])} rows and {y} {len(found[y])}")
    return _flat(name, found[X], found.get(y))


def _of_matrix(name: str, array: NDArray[Any], columns: Columns, inputs: int | None) -> Source:
    """One array: the last column is the target, unless there are only as many as inputs."""
    _refuse_names(columns, f"{name} holds an array")
    if array.ndim != 2 or array.dtype.kind not in _NUMBERS:
        raise DataError(f"{name} must be a matrix of numbers (rows, columns), got shape {array.shape} of {array.dtype}")
    _refuse_infinite(array, name)
    if array.shape[1] == inputs:
        return Source(name, Part(array), **_scaling(array))
    if array.shape[1] < 2 or inputs not in (None, array.shape[1] - 1):
        wanted = "inputs and a target" if inputs is None else f"{inputs} inputs, or {inputs} and a target"
        raise DataError(f"{name} must have columns of {wanted}, got {array.shape[1]}")
    X, y = array[:, :-1], array[:, -1]
    return Source(name, Part(X, whole_numbers(y)), target=LAST_COLUMN, **_scaling(X))


def _flat(name: str, X: Any, y: NDArray[Any] | None) -> Part:
    """Images (N, height, width) become rows (N, D), and targets (N, 1) become (N,)."""
    if X.dtype.kind not in _NUMBERS or X.ndim < 2:
        raise DataError(f"{name}: X must be numbers (rows, columns), got shape {X.shape} of {X.dtype}")
    rows = X if X.ndim == 2 else X.reshape(len(X), -1)
    if y is not None:
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if y.ndim != 1 or y.dtype.kind not in _NUMBERS + "USO":
            raise DataError(f"{name}: y must be one number or text for each row, got shape {y.shape} of {y.dtype}")
    _refuse_infinite(rows, name)
    return Part(rows, None if y is None else whole_numbers(y))


def _refuse_infinite(X: Any, name: str) -> None:
    """Raise DataError where numbers (N, D) are infinite, or sparse ones missing, which nothing would fill in."""
    if X.dtype.kind != "f":
        return
    if is_sparse(X):
        if not np.isfinite(X.data).all():
            raise DataError(f"{name}: inputs must be finite, there are NaN or infinities among them")
    elif (infinite := np.isinf(X)).any():
        row, column = np.unravel_index(infinite.argmax(), X.shape)
        raise DataError(f"{name}: inputs must be finite, got {X[row, column]} in row {row + 1}, column {column + 1}")


def _scaling(X: Any) -> dict[str, Any]:
    """Bytes are taken for brightnesses, from 0 to 255."""
    return {"input_scale": 1 / 255, "is_images": True} if X.dtype == np.uint8 else {}


def _refuse_names(columns: Columns, why: str) -> None:
    if columns != ALL_BUT_THE_LAST:
        raise DataError(f"{why}, whose columns have no names: target, drop and weight cannot be given")
