"""Where trials are kept, and what it says when it cannot keep them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.extras import need

JOURNAL = "journal:"
_FORMS = f"{JOURNAL}FILE or the URL of a database, as sqlite:///FILE or postgresql://USER@HOST/NAME"


@contextmanager
def opened(storage: str | None) -> Iterator[Any]:
    """Yield Optuna's storage: None for memory, a journal ("journal:FILE") or a database by its URL.

    Raises OSError of one line, without a password, where it fails, ValueError for what is no storage, ImportError where
    its driver is absent.
    """
    with _errors(storage, OSError, RuntimeError, json.JSONDecodeError):
        kept = _open(storage)
    try:
        with _errors(storage):
            yield kept
    finally:
        if hasattr(kept, "engine"):  # a database's connections are made again where somebody asks the study later
            kept.remove_session()
            kept.engine.dispose()


def studies_in(storage: str) -> list[str]:
    """Return the names of the studies that a storage has."""
    from optuna import get_all_study_names

    with opened(storage) as kept:
        return get_all_study_names(kept)


def _open(storage: str | None) -> Any:
    if storage is None:
        return None
    need("optuna", "tune", "tuning")
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if storage.startswith(JOURNAL):
        path = storage.removeprefix(JOURNAL)
        _refuse_other_files(path)
        return JournalStorage(JournalFileBackend(path))
    # Trials may take longer than a server keeps idle connections
    options = {} if storage.startswith("sqlite") else {"pool_pre_ping": True}
    return RDBStorage(_with_driver(storage), engine_kwargs=options)


def _refuse_other_files(path: str) -> None:
    """Raise OSError for a file that holds something else than a journal, which Optuna would write to all the same."""
    try:
        with open(path, "rb") as file:
            line = file.readline()
        if line and "op_code" not in json.loads(line):
            raise ValueError
    except FileNotFoundError:
        pass
    except (ValueError, TypeError):
        raise OSError("it is no journal of a study") from None


@contextmanager
def _errors(storage: str | None, *others: type[Exception]) -> Iterator[None]:
    """Raise what ``opened`` does where the storage fails, with ``others`` where they are raised."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    failures: tuple[type[Exception], ...] = StorageInternalError, SQLAlchemyError
    try:
        yield
    except ArgumentError as error:
        raise ValueError(f"storage must be {_FORMS}, got {storage!r}") from error
    except (*failures, *others) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        raise OSError(f"storage {_shown(storage)} cannot be used: {_first_line(cause or error)}") from error


def _with_driver(url: str) -> str:
    """Return a URL with the driver of the extra "postgresql"; SQLAlchemy 2.0 would take another one."""
    scheme, separator, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        return url
    need("psycopg", "postgresql", "a study in PostgreSQL")
    return f"postgresql+psycopg{separator}{rest}"


def _shown(storage: str | None) -> str:
    """Return a storage without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(str(storage)).render_as_string(hide_password=True)
    except ArgumentError:
        return str(storage)


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
