"""Writing files so that whoever looks, at any moment, finds the old or the new one, whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STANDARD_OUTPUT = "standard output"
_PREFIX = ".fastmlp-"


@contextmanager
def replacing(path: Path, *foreign: type[Exception]) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; what was written there is flushed to the disk and renamed to ``path``.

    foreign: what libraries raise where they cannot write
    After an exception nothing is left of it, and what was at ``path`` stays. Raises OSError, which names ``path``,
    where it cannot be written.
    """
    temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(6)}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, foreign):
            raise OSError(f"{path} cannot be written: {error}") from error
        if isinstance(error, OSError) and error.filename in (None, str(temporary), temporary):
            raise _about(path, error) from error
        raise
    with suppress(OSError):  # folders cannot be flushed everywhere
        _flush(path.parent)


@contextmanager
def writing_to(path: Path | str) -> Iterator[None]:
    """Let an OSError that says nothing of a file, as that of a full disk, name ``path``."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise _about(path, error) from error
        raise


def _about(path: Path | str, error: OSError) -> OSError:
    """Return the error as one of a path that the user knows."""
    return OSError(error.errno, error.strerror, str(path)) if error.errno else error


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file, whole or not at all. Raises OSError where it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed left half-written in a folder and below it."""
    for left in folder.rglob(f"{_PREFIX}*"):
        with suppress(OSError):
            left.unlink()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
