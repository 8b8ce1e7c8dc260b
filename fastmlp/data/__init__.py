"""Data sets to train on: the digits inside scikit-learn, MNIST, Fashion-MNIST, any folder of four IDX files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp.data.dataset import Dataset, split_validation
from fastmlp.errors import DataError

if TYPE_CHECKING:
    from fastmlp.data.download import DownloadProgress

__all__ = ["NAMED", "Dataset", "load", "split_validation"]

NAMED = ("digits", "mnist", "fashion-mnist")
"""What has a name, which comes before files and folders of the same name."""


def load(name_or_folder: str | PathLike[str], progress: DownloadProgress | None = None) -> Dataset:
    """Load ``"digits"``, ``"mnist"`` or ``"fashion-mnist"``, or the four IDX files in a folder.

    ``progress`` is called as MNIST arrives, if it has to be downloaded: see ``fastmlp.data.mnist``.
    A folder that is itself called digits or mnist is reached as ``./digits`` or ``./mnist``.
    Raises DataError where the data cannot be found, downloaded or read.
    """
    # Each loader is imported when it is asked for: two of them bring in more than NumPy.
    if name_or_folder == "digits":
        from fastmlp.data.digits import load_digits

        return load_digits()
    if name_or_folder in NAMED:
        from fastmlp.data.mnist import FASHION_MNIST, MNIST, load_named

        return load_named(MNIST if name_or_folder == "mnist" else FASHION_MNIST, progress=progress)
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is not a folder of IDX files, nor one of {', '.join(map(repr, NAMED))}")

    from fastmlp.data.idx import load_folder

    return load_folder(folder)
