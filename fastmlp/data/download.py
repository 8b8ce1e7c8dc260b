"""One file from one of several mirrors: checked, tried again, and gone on with where a connection broke off."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastmlp.errors import DataError

DownloadProgress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that have arrived, and the bytes it has (0 where unknown)."""

_CONNECT_SECONDS, _SILENCE_SECONDS = 5.0, 30.0
_PIECE = 1 << 16
_RANGE_ANSWERED, _RANGE_REFUSED = 206, 416


@dataclass(frozen=True)
class Attempts:
    """Where a file is asked for: every mirror in turn, so many rounds, with seconds between them."""

    mirrors: Sequence[str]
    rounds: int = 2
    pause: float = 1.0

    def __iter__(self) -> Iterator[str]:
        for number in range(self.rounds):
            if number:
                time.sleep(self.pause)
            yield from self.mirrors


def download(path: Path, checksum: str, attempts: Attempts, progress: DownloadProgress | None = None) -> None:
    """Bring a file, which appears under its name only when it is complete and its SHA-256 is right.

    What has arrived when a connection breaks off is kept beside it, for the next attempt or the next program to go on.
    Raises DataError, which says why of each mirror, where none serves the file.
    """
    failures: dict[str, str] = {}
    with _quiet_pooch(), _partial(path) as partial:
        for mirror in attempts:
            try:
                _retrieve(f"{mirror.rstrip('/')}/{path.name}", checksum, path, _Resuming(partial, path.name, progress))
            # requests' errors are OSErrors; a ValueError is pooch's word for a wrong checksum.
            except (OSError, ValueError) as error:
                failures[mirror] = _reason(error)
            else:
                return
    reasons = "; ".join(f"{urlsplit(mirror).netloc or mirror}: {reason}" for mirror, reason in failures.items())
    raise DataError(f"{path.name} could not be downloaded ({reasons})")


def _retrieve(url: str, checksum: str, path: Path, downloader: "_Resuming") -> None:
    import pooch

    pooch.retrieve(url, f"sha256:{checksum}", fname=path.name, path=path.parent, downloader=downloader)
    # pooch leaves the owner-only permissions of a temporary file, no use in a folder that people share.
    path.chmod(0o644)


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Yield where a file grows, of this thread alone; what is left there in the end is kept for whoever comes next."""
    kept = path.with_name(f".{path.name}.part")
    own = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    with suppress(FileNotFoundError):
        kept.replace(own)
    try:
        yield own
    finally:
        with suppress(FileNotFoundError):
            own.replace(kept)


@dataclass(frozen=True)
class _Resuming:
    """A downloader for pooch, whose own ones begin anew."""

    partial: Path
    file: str
    progress: DownloadProgress | None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Ask for the bytes that are not there yet. Raises what requests raises."""
        import requests

        have = self.partial.stat().st_size if self.partial.exists() else 0
        # A mirror must not unpack the file on the way: the checksum is that of the gzipped bytes.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS)) as answer:
            if answer.status_code == _RANGE_REFUSED:  # there is more of it already than there should be
                self.partial.unlink()
            answer.raise_for_status()
            self._receive(answer, have if answer.status_code == _RANGE_ANSWERED else 0)
        self.partial.replace(output_file)

    def _receive(self, answer: Any, received: int) -> None:
        length = int(answer.headers.get("Content-Length", 0))
        total = received + length if length else 0
        with self.partial.open("ab" if received else "wb") as file:
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
                received += len(piece)
                if self.progress is not None:
                    self.progress(self.file, received, total)


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch's own log lines off stderr, and leave its logger as it was."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _reason(error: OSError | ValueError) -> str:
    """A few words on why a mirror failed; the messages of requests run over several lines."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    if isinstance(error, exceptions.RequestException):
        return type(error).__name__
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "wrong SHA-256 checksum"
