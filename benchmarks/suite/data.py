"""Rows to train on: MNIST where it is at hand, and random rows like it, which need nothing but NumPy."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .work import Work

ROOT = Path(__file__).resolve().parents[2]
SIDE, CLASSES = 28, 10


@dataclass(frozen=True)
class Data:
    """Rows (N, D) as they are kept in memory, the factor that brings them near 1, class numbers (N,)."""

    name: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    scale: float


def load(work: Work) -> Data:
    """Return the data to do some work on: for 784 inputs, MNIST if it can be found."""
    found = _find_mnist() if work.has_zeros else None
    return found or load_stand_in(work)


def load_stand_in(work: Work) -> Data:
    """Return random rows to do some work on, on every machine the same."""
    columns = work.sizes[0]
    if columns == 20:
        return _table()
    if work.has_zeros:
        return _strokes()
    return _images(columns)


def mnist_folder() -> Path | None:
    """Return the folder that has MNIST's files, where there is one."""
    return data_folder("mnist")


def data_folder(name: str) -> Path | None:
    """Return the folder of that name among those with data, where there is one."""
    folders = [ROOT.parent / "shared" / "data" / name]
    if root := os.environ.get("FASTMLP_DATA_DIR"):
        folders.insert(0, Path(root) / name)
    return next((folder for folder in folders if folder.is_dir()), None)


def _find_mnist() -> Data | None:
    folder = mnist_folder()
    if folder is None:
        return None
    from fastmlp.data import load as load_folder

    found = load_folder(folder)
    y_train, y_test = (y.astype(np.int64) for y in (found.y_train, found.y_test))
    return Data("MNIST", found.X_train, y_train, found.X_test, y_test, found.input_scale)


def _strokes() -> Data:
    """Return rows like those of MNIST, so many as it has."""
    return _split("random rows in place of MNIST, which was not found", *strokes(70_000), 10_000, 1 / 255)


def _images(columns: int) -> Data:
    """Return rows of pixels none of which are 0, as many as MNIST has if they are as short, about as bright."""
    rows, test = (60_000, 10_000) if columns == SIDE * SIDE else (20_000, 5_000)
    random = np.random.default_rng(0)
    y = random.integers(0, CLASSES, rows + test)
    X = random.integers(1, 48, (len(y), columns), dtype=np.uint8)
    X += random.integers(0, 24, (CLASSES, columns), dtype=np.uint8)[y]
    return _split("random images without zeros", X, y, test, 1 / 255)


def _table() -> Data:
    """Return a table of 20 normal numbers a row, with the classes that a random small network gives them."""
    random = np.random.default_rng(0)
    X = random.standard_normal((120_000, 20), dtype=np.float32)
    scores = np.tanh(X @ random.standard_normal((20, 8), dtype=np.float32)) @ random.standard_normal(8)
    return _split("a random table", X, (scores > 0).astype(np.int64), 20_000, 1.0)


def _split(name: str, X: np.ndarray, y: np.ndarray, test: int, scale: float) -> Data:
    return Data(name, X[:-test], y[:-test], X[-test:], y[-test:], scale)


@cache
def strokes(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X (rows, 784) uint8 and y (rows,), random, but with zeros where handwriting has them.

    Each of the middle lines of an image has one run of pixels that are not 0, as a stroke of a pen leaves; 81% of all
    pixels are 0, as in MNIST. Where a line's run starts is what tells the classes apart.
    """
    random = np.random.default_rng(0)
    y = random.integers(0, CLASSES, rows)
    lines, column = slice(4, 24), np.arange(SIDE, dtype=np.int8)
    places = random.integers(3, 15, (CLASSES, 20))
    X = random.integers(1, 256, (rows, SIDE, SIDE), dtype=np.uint8)
    X[:, : lines.start] = X[:, lines.stop :] = 0
    start = (places[y] + random.integers(-3, 4, (rows, 20))).astype(np.int8)[..., None]
    stop = start + random.integers(4, 12, (rows, 20, 1), dtype=np.int8)
    X[:, lines] *= (column >= start) & (column < stop)
    return X.reshape(rows, -1), y
