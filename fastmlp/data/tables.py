"""Tables with named columns: CSV and TSV, plain or gzipped, Parquet and Arrow, read by polars."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.data.paths import refuse_unreadable
from fastmlp.errors import DataError
from fastmlp.extras import need

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame, Series

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"]
"""What stands for a missing value in a CSV file."""
ROWS_TO_INFER_FROM = 100_000
"""How many rows of a CSV file that is read in batches tell what its columns hold."""

CELLS_AT_ONCE = 1 << 21
"""How many values of a Parquet or Arrow file are read at once: row groups are read again for each part of them."""


def is_table(path: str | PathLike[str]) -> bool:
    """Tell by a file's name whether it is a table."""
    return _reader(Path(path)) is not None


def read_table(path: Path) -> DataFrame:
    """Read a table. Raises DataError where it is missing, empty, ragged or damaged, or columns share a name."""
    read = _reader(path)
    assert read is not None
    refuse_unreadable(path)
    with _errors_as_ours(path):
        table = read(path)
    if table.height == 0:
        raise DataError(f"{path} has no rows" + (", only a header" if table.width else ""))
    return table


def batches_of(path: Path, rows: int, as_text: bool = False) -> Iterator[DataFrame]:
    """Yield a table some rows at a time, with no more of it in memory.

    as_text: leave all columns of a CSV file text; else the first rows tell what they hold
    """
    refuse_unreadable(path)
    separator = _SEPARATORS.get(_kind(path))
    with _errors_as_ours(path):
        found, is_checked = 0, False
        for batch in _batches_of(_scanned(path, as_text), rows, can_skip=separator is None):
            found += batch.height
            if separator is None:
                yield batch
                continue
            if not is_checked and batch[:, -1].null_count():
                _refuse_ragged(path, separator)
                is_checked = True
            yield _tidied(batch)
    if not found:
        raise DataError(f"{path} has no rows" + (", only a header" if separator else ""))


def _batches_of(table: LazyFrame, rows: int, can_skip: bool) -> Iterator[DataFrame]:
    """Yield some rows at a time, as they are asked for; can_skip: whether those before need not be read again.

    polars' own batches of a Parquet file hold four times the memory: it reads row groups ahead.
    """
    if not can_skip:
        yield from table.collect_batches(chunk_size=rows, maintain_order=True)
        return
    import polars

    at_once = max(rows, CELLS_AT_ONCE // len(table.collect_schema()))
    for start in range(0, table.select(polars.len()).collect().item(), at_once):
        yield from table.slice(start, at_once).collect().iter_slices(rows)


@cache
def _introduce_numpy() -> None:
    """Let polars look for NumPy now: a Ctrl-C that comes while it does is a panic of its own. Raises it afterwards."""
    import polars

    from fastmlp.kernels.interrupt import Interrupt  # with the kernels, which loading data does without

    with Interrupt() as ctrl_c:
        polars.Series(np.zeros(1, np.uint32))
    if ctrl_c.was_pressed:
        raise KeyboardInterrupt


@contextmanager
def _errors_as_ours(path: Path) -> Iterator[None]:
    need("polars", "tables", "reading tables")
    from polars.exceptions import PolarsError

    _introduce_numpy()
    try:
        yield
    except PolarsError as error:
        if _kind(path) in _SEPARATORS:
            _refuse_ragged(path, _SEPARATORS[_kind(path)])  # which says in which line
        raise DataError(f"{path} cannot be read: {_first_sentence(error)}") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _scanned(path: Path, as_text: bool) -> LazyFrame:
    import polars

    kind = _kind(path)
    if kind == ".parquet":
        return polars.scan_parquet(path, glob=False)
    if kind in _ARROW:
        return _scanned_arrow(path)
    separator = _SEPARATORS[kind]
    _check_header(path, separator)
    options: dict[str, Any] = {"separator": separator, "null_values": MISSING, "glob": False}
    if as_text:
        return polars.scan_csv(path, infer_schema=False, **options)
    options |= {"infer_schema_length": ROWS_TO_INFER_FROM, "try_parse_dates": True}
    schema = polars.scan_csv(path, **options).collect_schema()
    # later rows may have fractions where the first have whole numbers
    fractions = {name: polars.Float64 for name, kind in schema.items() if kind.is_integer()}
    return polars.scan_csv(path, schema_overrides=fractions | _left_as_text(schema), **options)


def _scanned_arrow(path: Path) -> LazyFrame:
    """Return a file of either of Arrow's formats."""
    import polars

    with path.open("rb") as file:
        is_stream = file.read(len(_ARROW_FILE)) != _ARROW_FILE
    return polars.read_ipc_stream(path).lazy() if is_stream else polars.scan_ipc(path, glob=False)


def _left_as_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what columns of true and false are to be read as: text, as they are where a model predicts."""
    import polars

    return {name: polars.String for name, kind in schema.items() if kind == polars.Boolean}


def _tidied(table: DataFrame) -> DataFrame:
    """Return what a CSV file holds without the spaces around names and text, as in ``a, b, c``."""
    import polars

    names = {name: name.strip() for name in table.columns if name != name.strip()}
    text = polars.col(polars.String).str.strip_chars()
    return table.with_columns(polars.when(text.is_in(MISSING)).then(None).otherwise(text).name.keep()).rename(names)


def _with_numbers(table: DataFrame) -> DataFrame:
    """Return columns as numbers where only spaces made text of them."""
    import polars

    def numbers_or_text(column: Series) -> Series:
        numbers = column.cast(polars.Float64, strict=False)
        return column if numbers.null_count() > column.null_count() else numbers

    texts = (column for column in table if column.dtype == polars.String and column.null_count() < len(column))
    return table.with_columns(numbers_or_text(column) for column in texts)


_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_ARROW = (".arrow", ".feather", ".ipc")
_ARROW_FILE = b"ARROW1"
"""How Arrow's files begin; its streams do not."""


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
    return _scanned_arrow(path).collect()


def _read_csv(path: Path, separator: str) -> DataFrame:
    import polars

    _check_header(path, separator)
    options: dict[str, Any] = {
        "separator": separator,
        "null_values": MISSING,
        "infer_schema_length": None,
        "try_parse_dates": True,
        "low_memory": False,
        "glob": False,
    }
    table = polars.read_csv(path, **options)
    if truths := _left_as_text(table.schema):
        table = polars.read_csv(path, schema_overrides=truths, **options)
    if table.width and table[:, -1].null_count():
        _refuse_ragged(path, separator)
    return _with_numbers(_tidied(table))


def _check_header(path: Path, separator: str) -> None:
    """Raise DataError where the columns of a CSV file cannot be told apart."""
    import polars
    from polars.exceptions import NoDataError

    try:
        first = polars.read_csv(path, separator=separator, has_header=False, n_rows=1, infer_schema=False, glob=False)
    except NoDataError:
        raise DataError(f"{path} is empty") from None
    names = [str(name).strip() for name in first.row(0)]
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise DataError(f"{path} has several columns named {', '.join(map(repr, twins))}: names must differ")
    if len(names) == 1 and (other := next((mark for mark in ";\t|," if mark in names[0]), None)):
        raise DataError(
            f"{path} has one column only, {names[0]!r}: is it separated by {other!r} and not {separator!r}?"
        )


def _refuse_ragged(path: Path, separator: str) -> None:
    """Look for lines with too few fields, which polars takes for missing values, or with too many."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="", encoding="utf-8-sig") as lines:
        reader = csv.reader(lines, delimiter=separator)
        columns = 0
        with suppress(UnicodeDecodeError, csv.Error, gzip.BadGzipFile):  # which polars has words for
            for fields in reader:
                columns = columns or len(fields)
                if fields and len(fields) != columns:
                    line = f"{path}, line {reader.line_num}"
                    raise DataError(f"{line}: {len(fields)} fields where the header has {columns}")


def _first_sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
