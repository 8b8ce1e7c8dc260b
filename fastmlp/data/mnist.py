"""MNIST and Fashion-MNIST: found in a folder, or downloaded once, checked, and kept."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastmlp.data.dataset import Dataset
from fastmlp.data.download import Attempts, DownloadProgress, download
from fastmlp.data.idx import NAMES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find_idx, load_folder
from fastmlp.errors import DataError


@dataclass(frozen=True)
class Named:
    """A data set of four IDX files. checksums: SHA-256 of the gzipped files, the same bytes on every mirror."""

    name: str
    title: str
    mirrors: tuple[str, ...]
    checksums: Mapping[str, str]


MNIST = Named(
    "mnist",
    "MNIST",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://yann.lecun.com/exdb/mnist/",
    ),
    {
        TRAIN_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        TRAIN_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        TEST_IMAGES: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        TEST_LABELS: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION_MNIST = Named(
    "fashion-mnist",
    "Fashion-MNIST",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        # without encryption, which the checksums make up for
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    {
        TRAIN_IMAGES: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        TRAIN_LABELS: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        TEST_IMAGES: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        TEST_LABELS: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)


def load_named(named: Named, progress: DownloadProgress | None = None, attempts: Attempts | None = None) -> Dataset:
    """Load 60000 training and 10000 test images of 28 x 28 pixels, as rows (N, 784) of bytes.

    The folders of `data_folders` are searched in order for the four files, plain or gzipped. Where no folder
    has them all, they are downloaded to the first that can be written, by default from the mirrors of the set.

    Raises DataError, which names what to do, where nothing is found and ``FASTMLP_OFFLINE`` is set, no folder
    can be written, or no mirror serves a file.
    """
    found = next((folder for folder in data_folders(named.name) if _is_complete(folder)), None)
    return load_folder(found or _download(named, progress, attempts or Attempts(named.mirrors)), name=named.name)


def data_folders(name: str) -> Iterator[Path]:
    """Where a set may lie, in order of search: ``$FASTMLP_DATA_DIR/NAME``, then the user's cache folder."""
    given = os.environ.get("FASTMLP_DATA_DIR")
    if given:
        yield Path(given).expanduser() / name

    from platformdirs import user_cache_path

    cache = user_cache_path("fastmlp", appauthor=False)
    # Without HOME and without an entry in the password file it would be a folder called "~" right here.
    if cache.is_absolute():
        yield cache / name


def _is_complete(folder: Path) -> bool:
    return all(find_idx(folder, name) for name in NAMES)


def _is_offline() -> bool:
    return os.environ.get("FASTMLP_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def _what_to_do(named: Named) -> str:
    folders = " or ".join(map(str, data_folders(named.name))) or f"$FASTMLP_DATA_DIR/{named.name}"
    files = ", ".join(f"{name}.gz" for name in NAMES)
    return f"put {files} into {folders}, or train on 'digits', which needs no download"


def _download(named: Named, progress: DownloadProgress | None, attempts: Attempts) -> Path:
    """Bring the files that the folder lacks; return the folder."""
    if _is_offline():
        why = f"{named.title} is not here, and FASTMLP_OFFLINE forbids downloading it: unset that"
        raise DataError(f"{why}, {_what_to_do(named)}")
    folder = _writable_folder(named)
    for name in NAMES:
        if find_idx(folder, name) is None:
            try:
                download(folder / f"{name}.gz", named.checksums[name], attempts, progress)
            except DataError as error:
                raise DataError(f"{error}: try again later, {_what_to_do(named)}") from error
    return folder


def _writable_folder(named: Named) -> Path:
    for folder in data_folders(named.name):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            # Only writing tells: permission bits know nothing of read-only mounts, quotas and the superuser.
            with tempfile.TemporaryFile(dir=folder):
                return folder
    raise DataError(f"no folder can be written to keep {named.title} in: set FASTMLP_DATA_DIR to one that can")
