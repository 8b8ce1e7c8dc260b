"""What fastmlp raises beyond Python's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager


class FastmlpError(Exception):
    """Base of every error that only fastmlp raises."""


class DivergedError(FastmlpError, ArithmeticError, ValueError):
    """The training loss stopped being finite.

    A Trainer keeps the last finite parameters; an estimator stays as it was before ``fit``.
    """


class DataError(FastmlpError, ValueError):
    """A data set that cannot be found, downloaded or read."""


class CellError(DataError):
    """A value of a table that cannot be used: where numbers are needed, text or an infinity. Rows count from 0."""

    def __init__(self, column: str, value: object, row: int) -> None:
        self.column, self.value, self.row = column, value, row
        super().__init__(f"column {column!r} must hold finite numbers, got {value!r} in row {row + 1}")


@contextmanager
def counting_from(rows: int) -> Iterator[None]:
    """Let errors name the rows of a whole table, of which so many came before those that are looked at."""
    try:
        yield
    except CellError as error:
        raise CellError(error.column, error.value, error.row + rows) from error


class ModelError(FastmlpError, ValueError):
    """A file that is no model, or not a whole and unaltered one."""
