"""Tables with named columns: CSV and TSV, plain or gzipped, Parquet and Arrow, read by polars."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.errors import DataError
from fastmlp.extras import need

if TYPE_CHECKING:
    from polars import DataFrame

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"]
"""What stands for a missing value in a CSV file."""


def is_table(path: Path) -> bool:
    """Tell by a file's name whether it is a table."""
    return _reader(path) is not None


def read_table(path: Path, what: str = "reading tables") -> DataFrame:
    """Read a table. Raises DataError where it is missing, empty, ragged or damaged, or columns share a name."""
    need("polars", "tables", what)
    from polars.exceptions import PolarsError

    read = _reader(path)
    assert read is not None
    try:
        table = read(path)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except PolarsError as error:
        raise DataError(f"{path} cannot be read: {_first_sentence(error)}") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if table.height == 0:
        raise DataError(f"{path} has no rows" + (", only a header" if table.width else ""))
    return table


def _reader(path: Path) -> Callable[[Path], DataFrame] | None:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes[-1:] == [".gz"]:
        suffixes = suffixes[:-1]
    last = suffixes[-1] if suffixes else ""
    return {
        ".csv": lambda path: _read_csv(path, ","),
        ".tsv": lambda path: _read_csv(path, "\t"),
        ".parquet": _read_parquet,
        ".arrow": _read_arrow,
        ".feather": _read_arrow,
        ".ipc": _read_arrow,
    }.get(last)


def _read_parquet(path: Path) -> DataFrame:
    import polars

    return polars.read_parquet(path, glob=False)


def _read_arrow(path: Path) -> DataFrame:
    import polars

    return polars.read_ipc(path)


def _read_csv(path: Path, separator: str) -> DataFrame:
    import polars
    from polars.exceptions import NoDataError

    options: dict[str, Any] = {"separator": separator, "glob": False}
    try:
        header = polars.read_csv(path, has_header=False, n_rows=1, infer_schema=False, **options).row(0)
    except NoDataError:
        raise DataError(f"{path} is empty") from None
    _refuse_twins(path, header)
    if len(header) == 1 and (other := next((mark for mark in ";\t|," if mark in str(header[0])), None)):
        wanted = {"\t": "tab"}.get(separator, separator)
        raise DataError(f"{path} has one column only, named {header[0]!r}: is {other!r} meant to be a {wanted!r}?")
    table = polars.read_csv(
        path, null_values=MISSING, infer_schema_length=None, try_parse_dates=True, low_memory=False, **options
    )
    if table.width and table[:, -1].null_count():
        _refuse_short_lines(path, separator, table.width)
    return table


def _refuse_twins(path: Path, names: tuple[Any, ...]) -> None:
    twins = [str(name) for name, count in Counter(names).items() if count > 1]
    if twins:
        raise DataError(f"{path} has several columns named {', '.join(map(repr, twins))}: names must differ")


def _refuse_short_lines(path: Path, separator: str, columns: int) -> None:
    """Look for lines with too few fields, which polars takes for missing values."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines, delimiter=separator)
        for fields in reader:
            if fields and len(fields) < columns:
                raise DataError(f"{path}, line {reader.line_num}: {len(fields)} fields where the header has {columns}")


def _first_sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
