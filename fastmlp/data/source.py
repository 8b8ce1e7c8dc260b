"""From a name, a file or arrays to rows: inputs, what each is to be, and how much it counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.arrays import SVMLIGHT, read_npy, read_npz, read_svmlight
from fastmlp.data.tables import is_table, read_table
from fastmlp.errors import DataError

if TYPE_CHECKING:
    from polars import DataFrame, Series

NAMED = ("digits", "mnist", "fashion-mnist")
LAST_COLUMN = "the last column"
"""What the target of rows without names is called."""
_SVMLIGHT_LINE = re.compile(rb"\s*[^\s:#]+(\s+qid:\d+)?(\s+\d+:\S+)+\s*(#.*)?$")


@dataclass(frozen=True)
class Part:
    """Rows as they are stored.

    X: a table, an array (N, D) or a sparse matrix; y: (N,) targets, None where there are none; weights: (N,) or None
    """

    X: Any
    y: NDArray[Any] | None = None
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def rows(self, chosen: NDArray[np.int64]) -> Part:
        """Return some of the rows, copied."""
        y, weights = (None if array is None else array[chosen] for array in (self.y, self.weights))
        return Part(self.X[chosen], y, weights)

    @staticmethod
    def joined(parts: Sequence[Part]) -> Part:
        """Return the rows of several parts, of tables or of arrays, one after another."""
        return Part(
            _concatenated([part.X for part in parts]),
            None if parts[0].y is None else _concatenated([part.y for part in parts]),
            None if parts[0].weights is None else _concatenated([part.weights for part in parts]),
        )


def _concatenated(parts: Sequence[Any]) -> Any:
    if _is_table(parts[0]):
        import polars

        return polars.concat(parts)
    return np.concatenate(parts)


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are not inputs. target: None is the last that is left; weight: None is none."""

    target: str | None = None
    drop: tuple[str, ...] = ()
    weight: str | None = None


@dataclass(frozen=True)
class Source:
    """What one name or file holds. test: of those that come with one; target: its column's name, where it has one."""

    name: str
    train: Part
    test: Part | None = None
    target: str | None = None
    input_scale: float = 1.0
    is_images: bool = False


def read_source(data: Any, columns: Columns = Columns(), progress: Any = None, inputs: int | None = None) -> Source:
    """Read the name of a data set, a file, a folder of IDX files, a table of polars, or a pair (X, y).

    inputs : how many columns rows without names must have, where that is known: a target may be missing then
    Raises DataError for what cannot be found or read, or holds no such columns.
    """
    if isinstance(data, tuple):
        return _of_arrays("arrays", data, columns, inputs)
    if isinstance(data, np.ndarray):
        return _of_matrix("array", data, columns, inputs)
    if _is_table(data):
        return _of_table("table", data, columns)
    if not isinstance(data, str | PathLike):
        raise TypeError(f"data must be a name, a path, a table or a pair (X, y), got {type(data).__name__}")
    if data in NAMED or Path(data).is_dir():
        return _of_images(data, columns, progress)
    return _of_file(Path(data), columns, inputs)


def _of_file(path: Path, columns: Columns, inputs: int | None) -> Source:
    if is_table(path):
        return _of_table(str(path), read_table(path), columns)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _of_matrix(str(path), read_npy(path), columns, inputs)
    if suffix == ".npz":
        return _of_npz(str(path), read_npz(path), columns, inputs)
    if suffix in SVMLIGHT or _looks_like_svmlight(path):
        _refuse_names(columns, f"{path} is an svmlight file")
        X, y = read_svmlight(path, inputs)
        return Source(str(path), Part(X, _whole_numbers(y)))
    kinds = "CSV, TSV, Parquet, Arrow, NPZ, NPY, svmlight or a folder of IDX files"
    raise DataError(f"{path} is of no kind that can be read: {kinds}, or one of {', '.join(NAMED)}")


def _looks_like_svmlight(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            lines = file.read(1 << 16).splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file or folder, nor a data set of that name") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
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
    if _is_table(X):
        used = [each for each in (*columns.drop, *([columns.weight] if columns.weight else [])) if each in X.columns]
        return Source(name, Part(X.drop(used), np.asarray(y), _weights_of(X, columns.weight)), target=columns.target)
    _refuse_names(columns, "arrays")
    if np.ndim(X) < 2 or len(y) != X.shape[0]:
        raise DataError(f"{name}: X must be (N, D) and y (N,), got {np.shape(X)} and {np.shape(y)}")
    return Source(name, _flat(np.asarray(X) if not hasattr(X, "tocsr") else X, np.asarray(y)), **_scaling(X))


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
    return _flat(found[X], found.get(y))


def _of_matrix(name: str, array: NDArray[Any], columns: Columns, inputs: int | None) -> Source:
    """One array: the last column is the target, unless there are only as many as inputs."""
    _refuse_names(columns, f"{name} holds an array")
    if array.ndim != 2 or array.dtype.kind not in "buif":
        raise DataError(f"{name} must be a matrix of numbers (rows, columns), got shape {array.shape} of {array.dtype}")
    if array.shape[1] == inputs:
        return Source(name, Part(array), **_scaling(array))
    if array.shape[1] < 2 or inputs not in (None, array.shape[1] - 1):
        wanted = "inputs and a target" if inputs is None else f"{inputs} inputs, or {inputs} and a target"
        raise DataError(f"{name} must have columns of {wanted}, got {array.shape[1]}")
    X, y = array[:, :-1], array[:, -1]
    return Source(name, Part(X, _whole_numbers(y)), target=LAST_COLUMN, **_scaling(X))


def _flat(X: Any, y: NDArray[Any] | None) -> Part:
    """Images (N, height, width) become rows (N, D), and targets (N, 1) become (N,)."""
    rows = X if X.ndim == 2 else X.reshape(len(X), -1)
    if y is not None and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    return Part(rows, None if y is None else _whole_numbers(y))


def _scaling(X: Any) -> dict[str, Any]:
    """Bytes are taken for brightnesses, from 0 to 255."""
    return {"input_scale": 1 / 255, "is_images": True} if X.dtype == np.uint8 else {}


def _whole_numbers(y: NDArray[Any]) -> NDArray[Any]:
    """Return numbers that are whole as integers: labels are often written 1.0."""
    if y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.floor(y)).all() and (np.abs(y) < 2**53).all():
        return y.astype(np.int64)
    return y


# ---- tables ----


def _is_table(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "polars" and hasattr(data, "columns")


def _of_table(name: str, table: DataFrame, columns: Columns) -> Source:
    for option, wanted in (
        ("target", columns.target),
        ("weight", columns.weight),
        *(("drop", d) for d in columns.drop),
    ):
        if wanted is not None and wanted not in table.columns:
            raise DataError(f"{name} has no column {wanted!r} ({option}); it has {_listed(table.columns)}")
    left = [each for each in table.columns if each not in columns.drop and each != columns.weight]
    if not left:
        raise DataError(f"{name} has no column left for a target")
    target = columns.target or left[-1]
    features = [each for each in left if each != target]
    if not features:
        raise DataError(f"{name} has no column left for inputs beside the target {target!r}")
    y = target_of(table[target], name)
    return Source(name, Part(table.select(features), y, _weights_of(table, columns.weight)), target=target)


def target_of(column: Series, name: str) -> NDArray[Any]:
    """Return a target column as an array of numbers, or of strings. Raises DataError where values are missing."""
    import polars

    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(True)
    if missing.any():
        first = int(missing.arg_max() or 0)
        raise DataError(
            f"{name}: the target {column.name!r} is missing in {missing.sum()} of {len(column)} rows, first in row "
            f"{first + 1}: fill them in or leave those rows out"
        )
    if column.dtype.is_integer() or column.dtype.is_float():
        return _whole_numbers(column.to_numpy())
    if column.dtype.is_decimal():
        return column.cast(polars.Float64).to_numpy()
    if column.dtype in (polars.Boolean, polars.String, polars.Categorical) or column.dtype == polars.Enum:
        return np.array(column.cast(polars.String).to_list(), dtype=np.str_)
    raise DataError(f"{name}: the target {column.name!r} must hold numbers or text, got {column.dtype}")


def _weights_of(table: DataFrame, name: str | None) -> NDArray[np.float64] | None:
    import polars

    if name is None:
        return None
    column = table[name]
    if not column.dtype.is_numeric() or column.null_count():
        raise DataError(f"weights {name!r} must be numbers without gaps, got {column.dtype}")
    return column.cast(polars.Float64).to_numpy()


def _refuse_names(columns: Columns, why: str) -> None:
    if columns != Columns():
        raise DataError(f"{why}, whose columns have no names: target, drop and weight cannot be given")


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
