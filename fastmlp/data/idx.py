"""Read IDX, the format of MNIST: a header of sizes, then unsigned bytes; gzipped or plain."""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.dataset import Dataset
from fastmlp.errors import DataError

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

_UNSIGNED_BYTE = 0x08
# MNIST's 47 MB arrive in pieces of this size: one big read would hold them twice for a moment, and pieces of
# 64 KiB take 1.6 times as long (0.24 s against 0.15 s).
_PIECE = 1 << 20


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, gzipped or plain, into an array of the shape in its header.

    Raises DataError for a file that cannot be read, is not IDX, holds another element type, is damaged,
    or is shorter or longer than its header says.
    """
    try:
        with _open(path) as stream:
            return _read_values(stream, _read_shape(stream, path), path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged ({error}): delete or replace it") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


@contextmanager
def _open(path: Path) -> Iterator[BufferedIOBase]:
    """The file's bytes, decompressed where it starts like a gzip file, whatever its name."""
    with path.open("rb") as raw:
        if raw.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield unzipped
        else:
            yield raw


def _read_shape(stream: BufferedIOBase, path: Path) -> tuple[int, ...]:
    """The sizes in the header: two zero bytes, element type, number of sizes, then big-endian uint32."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] == 0:
        raise DataError(f"{path} is not an IDX file: it starts with the bytes {magic.hex(' ') or '(none)'}")
    if magic[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} holds elements of IDX type 0x{magic[2]:02x}; only unsigned bytes, 0x08, are read")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path} is truncated: it ends within its header")
    return tuple(int(size) for size in np.frombuffer(sizes, dtype=">u4"))


def _read_values(stream: BufferedIOBase, shape: tuple[int, ...], path: Path) -> NDArray[np.uint8]:
    """The elements after the header, which must be exactly as many as the shape says."""
    try:
        values = np.empty(shape, dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        raise DataError(f"{path} claims the shape {shape}, more than memory can hold") from error
    rest = values.reshape(-1).data
    while len(rest):
        count = stream.readinto(rest[:_PIECE])
        if not count:
            held = values.size - len(rest)
            raise DataError(f"{path} is truncated: it holds {held} of the {values.size} bytes its header promises")
        rest = rest[count:]
    # This last read also makes gzip compare its checksum.
    if stream.read(1):
        raise DataError(f"{path} is longer than the {values.size} bytes its header promises")
    return values


def find_idx(folder: Path, name: str) -> Path | None:
    """The file in the folder that holds ``name``, plain or gzipped; None where there is none.

    Some programs unpack ``train-images-idx3-ubyte.gz`` as ``train-images.idx3-ubyte``: that is found too.
    """
    spellings = (name, name.replace("-idx", ".idx"))
    # os.path.exists, unlike Path.exists, says no where it may not look: the next folder is searched then.
    candidates = (folder / f"{spelling}{ending}" for ending in ("", ".gz") for spelling in spellings)
    return next((path for path in candidates if os.path.exists(path)), None)


def load_folder(folder: Path, name: str | None = None) -> Dataset:
    """Load the four files of an MNIST-like data set; images (N, height, width) become rows (N, D).

    ``name`` is the folder's own unless given. Raises DataError where a file is missing or unreadable, and
    where the four do not fit together.
    """
    paths = {part: find_idx(folder, part) for part in NAMES}
    missing = [part for part, path in paths.items() if path is None]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)} (gzipped or plain)")
    arrays = {part: read_idx(path) for part, path in paths.items() if path is not None}
    X_train, y_train = _rows_and_labels(folder, "training", arrays[TRAIN_IMAGES], arrays[TRAIN_LABELS])
    X_test, y_test = _rows_and_labels(folder, "test", arrays[TEST_IMAGES], arrays[TEST_LABELS])
    if X_train.shape[1] != X_test.shape[1]:
        raise DataError(f"{folder}: training images have {X_train.shape[1]} pixels, test images {X_test.shape[1]}")
    return Dataset(name or folder.resolve().name, X_train, y_train, X_test, y_test, input_scale=1 / 255)


def _rows_and_labels(
    folder: Path, part: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Flatten images (N, ...) to (N, D) without a copy, and check that labels (N,) go with them."""
    if images.ndim < 2 or images.size == 0:
        raise DataError(f"{folder}: the {part} images have shape {images.shape}; (images, height, width) is needed")
    if labels.shape != images.shape[:1]:
        raise DataError(
            f"{folder}: {len(images)} {part} images need as many labels, got labels of shape {labels.shape}"
        )
    return images.reshape(images.shape[0], -1), labels
