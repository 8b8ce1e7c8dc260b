"""Arrays without names: NPY, NPZ and svmlight files."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fastmlp.data.paths import refuse_unreadable
from fastmlp.errors import DataError
from fastmlp.memory import total_memory

SVMLIGHT = (".svmlight", ".svm", ".libsvm")


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array of an NPY file, mapped rather than read. Raises DataError for anything else."""
    refuse_unreadable(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a readable NPY file: {error}") from error
    return _checked(array, path)


def npy_batches(path: Path, rows: int) -> Iterator[NDArray[Any]]:
    """Yield the array of an NPY file some rows at a time, read rather than mapped: no more of it is in memory."""
    array = read_npy(path)
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        raise DataError(f"{path} lies column by column (Fortran order): store it row by row to read it in batches")
    shape, dtype, start = array.shape[1:], array.dtype, int(getattr(array, "offset", 0))
    count, per_row = len(array), int(np.prod(shape, dtype=np.int64))
    del array
    with path.open("rb") as file:
        file.seek(start)
        for first in range(0, count, rows):
            some = min(rows, count - first)
            found = np.fromfile(file, dtype, some * per_row)
            if len(found) < some * per_row:
                raise DataError(f"{path} is truncated: it ends in row {first + len(found) // per_row + 1} of {count}")
            yield found.reshape(some, *shape)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an NPZ file by name.

    Raises DataError for anything else, and for arrays that this machine's memory cannot hold: a few kilobytes may
    unpack to any size.
    """
    refuse_unreadable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bombs(path, sum(_bytes_of(archive, entry) for entry in archive.infolist()))
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _checked(arrays[name], path) for name in arrays.files}
    except DataError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is not a readable NPZ file: {error}") from error


def read_svmlight(path: Path, inputs: int | None = None) -> tuple[Any, NDArray[np.float64]]:
    """Return the rows (N, D), sparse, and targets (N,) of an svmlight file, plain or gzipped.

    inputs : D, where it is known; else as many as occur
    """
    from sklearn.datasets import load_svmlight_file

    refuse_unreadable(path)
    try:
        X, y = load_svmlight_file(str(path), n_features=inputs, dtype=np.float32)
    except (ValueError, OverflowError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a readable svmlight file: {error}") from error
    if X.shape[0] == 0:
        raise DataError(f"{path} has no rows")
    return X, y


def _bytes_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """Return what an array takes in memory by its own header, or what the archive says of it where that is more."""
    with archive.open(entry) as stream:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
    return max(int(np.prod(shape, dtype=object)) * dtype.itemsize, entry.file_size)


def _refuse_bombs(path: Path, size: int) -> None:
    memory = total_memory()
    if memory is not None and size > memory:
        raise DataError(f"{path} unpacks to {size / 1e9:,.1f} GB, more than the {memory / 1e9:,.1f} GB of memory here")


def _checked(array: NDArray[Any], path: Path) -> NDArray[Any]:
    if array.ndim == 0 or array.shape[0] == 0:
        raise DataError(f"{path} holds an array of shape {array.shape}, which has no rows")
    return array
