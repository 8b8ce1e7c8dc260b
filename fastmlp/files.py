"""Writing files so that whoever looks, at any moment, finds the old or the new one, whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".fastmlp-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; what was written there is flushed to the disk and renamed to ``path``.

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
        # of a disk that is full or a folder that is not there, the user knows no temporary name
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary), temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    with suppress(OSError):  # folders cannot be flushed everywhere
        _flush(path.parent)


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
