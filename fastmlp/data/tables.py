"""Tables with named columns: CSV and TSV, plain or gzipped, Parquet and Arrow, read by polars."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.errors import DataError
from fastmlp.extras import need

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"]
"""What stands for a missing value in a CSV file."""
ROWS_TO_INFER_FROM = 100_000
"""How many rows of a CSV file that is read in batches tell what its columns hold."""


def is_table(path: str | PathLike[str]) -> bool:
    """Tell by a file's name whether it is a table."""
    return _reader(Path(path)) is not None


def read_table(path: Path) -> DataFrame:
    """Read a table. Raises DataError where it is missing, empty, ragged or damaged, or columns share a name."""
    read = _reader(path)
    assert read is not None
    with _errors_as_ours(path):
        table = read(path)
    if table.height == 0:
        raise DataError(f"{path} has no rows" + (", only a header" if table.width else ""))
    return table


def batches_of(path: Path, rows: int, as_text: bool = False) -> Iterator[DataFrame]:
    """Yield a table some rows at a time, with no more of it in memory.

    as_text: leave all columns of a CSV file text; else the first rows tell what they hold
    """
    with _errors_as_ours(path):
        found, is_checked = 0, False
        for batch in _scanned(path, as_text).collect_batches(chunk_size=rows, maintain_order=True):
            found += batch.height
            if not is_checked and _kind(path) in _SEPARATORS and batch[:, -1].null_count():
                _refuse_short_lines(path, _SEPARATORS[_kind(path)], batch.width)
                is_checked = True
            yield batch
    if not found:
        raise DataError(f"{path} has no rows")


@contextmanager
def _errors_as_ours(path: Path) -> Iterator[None]:
    need("polars", "tables", "reading tables")
    from polars.exceptions import PolarsError

    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except PolarsError as error:
        raise DataError(f"{path} cannot be read: {_first_sentence(error)}") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _scanned(path: Path, as_text: bool) -> LazyFrame:
    import polars

    kind = _kind(path)
    if kind == ".parquet":
        return polars.scan_parquet(path, glob=False)
    if kind in _ARROW:
        return polars.scan_ipc(path)
    separator = _SEPARATORS[kind]
    _check_header(path, separator)
    options: dict[str, Any] = {"separator": separator, "null_values": MISSING, "glob": False}
    if as_text:
        return polars.scan_csv(path, infer_schema=False, **options)
    found = polars.scan_csv(path, infer_schema_length=ROWS_TO_INFER_FROM, try_parse_dates=True, **options)
    # later rows may have fractions where the first have whole numbers
    fractions = {name: polars.Float64 for name, kind in found.collect_schema().items() if kind.is_integer()}
    return polars.scan_csv(
        path, infer_schema_length=ROWS_TO_INFER_FROM, try_parse_dates=True, schema_overrides=fractions, **options
    )


_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_ARROW = (".arrow", ".feather", ".ipc")


def _kind(path: Path) -> str:
    """Return the ending that says what a file is, that of what is gzipped in it where it is."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return (suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:] or [""])[0] if suffixes else ""


def _reader(path: Path) -> Callable[[Path], DataFrame] | None:
    kind = _kind(path)
    if kind in _SEPARATORS:
        return lambda path: _read_csv(path, _SEPARATORS[kind])
    if kind in _ARROW:
        return _read_arrow
    return _read_parquet if kind == ".parquet" else None


def _read_parquet(path: Path) -> DataFrame:
    import polars

    return polars.read_parquet(path, glob=False)


def _read_arrow(path: Path) -> DataFrame:
    import polars

    return polars.read_ipc(path)


def _read_csv(path: Path, separator: str) -> DataFrame:
    import polars

    columns = _check_header(path, separator)
    table = polars.read_csv(
        path,
        separator=separator,
        null_values=MISSING,
        infer_schema_length=None,
        try_parse_dates=True,
        low_memory=False,
        glob=False,
    )
    if columns and table[:, -1].null_count():
        _refuse_short_lines(path, separator, columns)
    return table


def _check_header(path: Path, separator: str) -> int:
    """Return how many columns a CSV file has. Raises DataError where they cannot be told apart."""
    import polars
    from polars.exceptions import NoDataError

    try:
        first = polars.read_csv(path, separator=separator, has_header=False, n_rows=1, infer_schema=False, glob=False)
    except NoDataError:
        raise DataError(f"{path} is empty") from None
    names = [str(name) for name in first.row(0)]
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise DataError(f"{path} has several columns named {', '.join(map(repr, twins))}: names must differ")
    if len(names) == 1 and (other := next((mark for mark in ";\t|," if mark in names[0]), None)):
        raise DataError(
            f"{path} has one column only, {names[0]!r}: is it separated by {other!r} and not {separator!r}?"
        )
    return len(names)


def _refuse_short_lines(path: Path, separator: str, columns: int) -> None:
    """Look for lines with too few fields, which polars takes for missing values."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines, delimiter=separator)
        for fields in reader:
            if fields and len(fields) < columns:
                raise DataError(f"{path}, line {reader.line_num}: {len(fields)} fields where the header has {columns}")


def _first_sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
