"""How columns become a network's inputs: scikit-learn's transformers, fitted on training rows alone.

Numbers are standardised, what is missing being the mean with an indicator beside it; categories are one-hot, those that
are rare or unseen together in one column. Bytes and sparse numbers are only scaled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.errors import CellError, DataError
from fastmlp.inputs import is_sparse

if TYPE_CHECKING:
    from polars import DataFrame, Series

RARE = 5
"""A category with fewer training rows is rare."""
MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Preparation:
    """How rows as they are stored become inputs.

    columns: of a table, names and whether they hold numbers (else categories); None of rows without names
    stored: how many columns rows without names have; transformer: of scikit-learn, or None
    input_scale: multiplies inputs
    """

    columns: dict[str, bool] | None = None
    stored: int | None = None
    transformer: Any = None
    input_scale: float = 1.0

    def inputs_of(self, X: Any) -> Any:
        """Return the network's inputs (N, D). Raises DataError for rows without the columns that training had."""
        if self.columns is None:
            if hasattr(X, "columns"):
                raise DataError(f"the model was trained on rows of {self.stored} numbers without names, not on a table")
            if X.shape[1] != self.stored:
                raise DataError(f"the model was trained on rows of {self.stored} numbers, got {X.shape[1]}")
            rows = X
        else:
            rows = _conforming(X, self.columns)
        return rows if self.transformer is None else _as_float32(self.transformer.transform(rows))

    @property
    def names(self) -> list[str]:
        """The names of the network's inputs, where they have some."""
        if self.columns is None or self.transformer is None:
            return []
        return [name.partition("__")[2] for name in self.transformer.get_feature_names_out()]


def fit_preparation(X: Any, input_scale: float) -> Preparation:
    """Look at training rows and return how they are to be prepared."""
    if hasattr(X, "columns"):
        kinds = _kinds_of(X)
        transformer = _for_columns(kinds).fit(_conforming(X, kinds))
        return Preparation(kinds, transformer=transformer)
    if X.dtype == np.uint8:
        return Preparation(stored=X.shape[1], input_scale=input_scale)
    return Preparation(stored=X.shape[1], transformer=_for_matrix(X).fit(X))


def _for_columns(kinds: dict[str, bool]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    numbers = [name for name, is_number in kinds.items() if is_number]
    categories = [name for name, is_number in kinds.items() if not is_number]
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE, max_categories=MOST_CATEGORIES, dtype=np.float32
    )
    return ColumnTransformer([("numbers", _for_numbers(), numbers), ("categories", one_hot, categories)])


def _for_matrix(X: Any) -> Any:
    from sklearn.preprocessing import MaxAbsScaler

    return MaxAbsScaler() if is_sparse(X) else _for_numbers()


def _for_numbers() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())


def _as_float32(X: Any) -> Any:
    return X.astype(np.float32) if is_sparse(X) else np.ascontiguousarray(X, np.float32)


def _kinds_of(table: DataFrame) -> dict[str, bool]:
    """Return the columns to be used, and whether they hold numbers. Raises DataError for dates and nested values."""
    import polars

    kinds = {}
    for column in table:
        dtype = column.dtype
        if dtype in (polars.Date, polars.Datetime, polars.Time, polars.Duration):
            raise DataError(
                f"column {column.name!r} holds dates or times: make numbers of it, as the year or the days since an "
                f"event, or leave it out (drop)"
            )
        if column.null_count() == len(column):
            continue  # there is nothing to learn from
        if dtype.is_numeric() or dtype == polars.Boolean:
            kinds[column.name] = True
        elif dtype in (polars.String, polars.Categorical) or dtype == polars.Enum:
            kinds[column.name] = False
        else:
            raise DataError(f"column {column.name!r} must hold numbers or text, got {dtype}: leave it out (drop)")
    if not kinds:
        raise DataError("no column holds any value to learn from")
    return kinds


def _conforming(table: Any, kinds: dict[str, bool]) -> DataFrame:
    """Return the columns as training had them: numbers as float64, categories as text."""
    if not hasattr(table, "columns"):
        raise DataError(f"the model was trained on a table with columns such as {next(iter(kinds))!r}, got an array")
    missing = [name for name in kinds if name not in table.columns]
    if missing:
        raise DataError(f"columns that the model was trained on are missing: {', '.join(map(repr, missing))}")
    found: DataFrame = table.select(
        _numbers(table[name]) if is_number else _categories(table[name]) for name, is_number in kinds.items()
    )
    return found


def _numbers(column: Series) -> Series:
    import polars

    numbers = column.cast(polars.Float64, strict=False)
    bad = numbers.is_null() & column.is_not_null() | numbers.is_infinite().fill_null(False)
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise CellError(column.name, column[row], row)
    return numbers


def _categories(column: Series) -> Series:
    import polars

    return column.cast(polars.String)


def image_shape(inputs: int) -> tuple[int, int] | None:
    """Return height and width of square images of so many brightnesses, None where they cannot be square."""
    side = round(inputs**0.5)
    return (side, side) if side * side == inputs else None
