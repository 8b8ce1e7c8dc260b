"""MNIST: found in a folder, or downloaded once, checked, and kept."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from fastmlp.data.dataset import Dataset
from fastmlp.data.idx import (
    NAMES,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    find_idx,
    load_folder,
)
from fastmlp.errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://yann.lecun.com/exdb/mnist/",
)
# SHA-256 of the four gzipped files, the same bytes on every mirror.
CHECKSUMS = {
    TRAIN_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    TRAIN_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    TEST_IMAGES: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    TEST_LABELS: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}

DownloadProgress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that have arrived, and the bytes it has (0 where unknown)."""

_CONNECT_SECONDS, _SILENCE_SECONDS = 5.0, 30.0


def load_mnist(
    mirrors: Sequence[str] = MIRRORS,
    progress: DownloadProgress | None = None,
    rounds: int = 2,
    pause: float = 1.0,
) -> Dataset:
    """Load MNIST: 60000 training and 10000 test images of 28 x 28 pixels, as rows (N, 784) of bytes.

    The folders of `data_folders` are searched in order for the four files, plain or gzipped. Where no folder
    has them all, they are downloaded to the first that can be written. Each file is asked of every mirror in
    turn, ``rounds`` times over with ``pause`` seconds between rounds, and appears under its name only when it
    is complete and its SHA-256 is right.

    Raises DataError, which names what to do, where nothing is found and ``FASTMLP_OFFLINE`` is set, no folder
    can be written, or no mirror serves a file.
    """
    found = next((folder for folder in data_folders() if _is_complete(folder)), None)
    return load_folder(found or _download(mirrors, progress, rounds, pause), name="mnist")


def data_folders() -> Iterator[Path]:
    """Where MNIST may lie, in order of search: ``$FASTMLP_DATA_DIR/mnist``, then the user's cache folder."""
    named = os.environ.get("FASTMLP_DATA_DIR")
    if named:
        yield Path(named).expanduser() / "mnist"

    from platformdirs import user_cache_path

    cache = user_cache_path("fastmlp", appauthor=False)
    # Without HOME and without an entry in the password file it would be a folder called "~" right here.
    if cache.is_absolute():
        yield cache / "mnist"


def _is_complete(folder: Path) -> bool:
    return all(find_idx(folder, name) for name in NAMES)


def _is_offline() -> bool:
    return os.environ.get("FASTMLP_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def _what_to_do() -> str:
    folders = " or ".join(str(folder) for folder in data_folders()) or "$FASTMLP_DATA_DIR/mnist"
    return (
        f"put {', '.join(f'{name}.gz' for name in NAMES)} into {folders}, or train on 'digits', which needs no download"
    )


def _download(mirrors: Sequence[str], progress: DownloadProgress | None, rounds: int, pause: float) -> Path:
    """Bring the files that the folder lacks; return the folder."""
    if _is_offline():
        raise DataError(f"MNIST is not here, and FASTMLP_OFFLINE forbids downloading it: unset that, {_what_to_do()}")
    folder = _writable_folder()
    with _quiet_pooch():
        for name in NAMES:
            if find_idx(folder, name) is None:
                _download_file(name, folder, mirrors, progress, rounds, pause)
    return folder


def _writable_folder() -> Path:
    for folder in data_folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            # Only writing tells: permission bits know nothing of read-only mounts, quotas and the superuser.
            with tempfile.TemporaryFile(dir=folder):
                return folder
    raise DataError("no folder can be written to keep MNIST in: set FASTMLP_DATA_DIR to one that can")


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


def _download_file(
    name: str,
    folder: Path,
    mirrors: Sequence[str],
    progress: DownloadProgress | None,
    rounds: int,
    pause: float,
) -> None:
    file = f"{name}.gz"
    failures: dict[str, str] = {}
    for round_number in range(rounds):
        if round_number:
            time.sleep(pause)
        for mirror in mirrors:
            try:
                _retrieve(f"{mirror.rstrip('/')}/{file}", CHECKSUMS[name], folder / file, progress)
            # requests' errors are OSErrors; a ValueError is pooch's word for a wrong checksum.
            except (OSError, ValueError) as error:
                failures[mirror] = _reason(error)
            else:
                return
    reasons = "; ".join(f"{urlsplit(mirror).netloc or mirror}: {reason}" for mirror, reason in failures.items())
    raise DataError(f"{file} could not be downloaded ({reasons}): try again later, {_what_to_do()}")


def _retrieve(url: str, checksum: str, path: Path, progress: DownloadProgress | None) -> None:
    """Download one file from one mirror; it takes its name only once its checksum is right."""
    import pooch

    downloader = pooch.HTTPDownloader(
        progressbar=_Meter(path.name, progress) if progress else False,
        chunk_size=1 << 16,
        timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS),
        # A mirror must not unpack the file on the way: the checksum is that of the gzipped bytes.
        headers={"Accept-Encoding": "identity"},
    )
    pooch.retrieve(url, f"sha256:{checksum}", fname=path.name, path=path.parent, downloader=downloader)
    # pooch leaves the owner-only permissions of a temporary file, no use in a folder that people share.
    path.chmod(0o644)


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


class _Meter:
    """What pooch asks of a progress bar, passed on to a function."""

    def __init__(self, file: str, report: DownloadProgress) -> None:
        self.file = file
        self.report = report
        self.total = 0  # set by pooch when the server has answered
        self.received = 0

    def update(self, count: int) -> None:
        # pooch counts whole pieces, also for the last one.
        self.received = min(self.received + count, self.total or self.received + count)
        self.report(self.file, self.received, self.total)

    def reset(self) -> None:
        self.received = 0

    def close(self) -> None:
        """Nothing to close."""
