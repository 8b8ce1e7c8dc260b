"""From a table to rows: which of its columns are inputs, which is the target, which the weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.parts import Columns, Part, Source, whole_numbers
from fastmlp.errors import CellError, DataError

if TYPE_CHECKING:
    from polars import DataFrame, Series


def rows_of_table(name: str, table: DataFrame, columns: Columns) -> Source:
    """Return a table's rows. Raises DataError for columns that are not there, or hold what cannot be used."""
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
    y = _target_of(table[target], name)
    _refuse_infinite(table.select(features))
    return Source(name, Part(table.select(features), y, weights_of(table, columns.weight)), target=target)


def _target_of(column: Series, name: str) -> NDArray[Any]:
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
        return whole_numbers(column.to_numpy())
    if column.dtype.is_decimal():
        return column.cast(polars.Float64).to_numpy()
    if column.dtype in (polars.Boolean, polars.String, polars.Categorical) or column.dtype == polars.Enum:
        return np.array(column.cast(polars.String).to_list(), dtype=np.str_)
    raise DataError(f"{name}: the target {column.name!r} must hold numbers or text, got {column.dtype}")


def _refuse_infinite(table: DataFrame) -> None:
    """Raise CellError where a number is infinite; missing ones are for the preparation to fill in."""
    for column in table:
        if column.dtype.is_float() and column.is_infinite().any():
            row = int(column.is_infinite().fill_null(False).arg_max() or 0)
            raise CellError(column.name, column[row], row)


def weights_of(table: DataFrame, name: str | None) -> NDArray[np.float64] | None:
    """Return the column of weights, where there is one. Raises DataError for one that holds none."""
    import polars

    if name is None:
        return None
    column = table[name]
    if not column.dtype.is_numeric() or column.null_count():
        raise DataError(f"weights {name!r} must be numbers without gaps, got {column.dtype}")
    return column.cast(polars.Float64).to_numpy()


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
