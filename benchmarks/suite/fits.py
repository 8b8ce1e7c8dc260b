"""Whole fits that are timed: rows that come in a few lines of Python, and the options of the estimator."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .data import Data, data_folder, load
from .work import MNIST_128


@dataclass(frozen=True)
class Fit:
    """Fits of an MLPClassifier on some rows, one for each of the first ``seeds`` numbers as its ``random_state``.

    seeds_a_turn: how many of them are fitted between two looks at whether the machine is free
    epochs: so many exactly, None for what the options say; options: those that are not the defaults
    goal: how many times fastmlp's time scikit-learn takes at least, None where no goal is set
    """

    about: str
    rows: Callable[[], Data]
    goal: float | None = None
    seeds: int = 1
    seeds_a_turn: int = 1
    epochs: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def estimator_options(self) -> dict[str, Any]:
        """Return the options of an MLPClassifier, without random_state."""
        if self.epochs is None:
            return self.options
        # it stops after more epochs than n_iter_no_change in which the loss did not fall by tol
        return {"max_iter": self.epochs, "tol": 0.0, "n_iter_no_change": self.epochs, **self.options}


def mnist() -> Data:
    """Return MNIST, or rows like it where it was not found, as float32 from 0 to 1."""
    data = load(MNIST_128)
    X_train, X_test = (X * np.float32(data.scale) for X in (data.X_train, data.X_test))
    return Data(data.name, X_train, data.y_train, X_test, data.y_test, 1.0)


def digits() -> Data:
    """Return the handwritten digits that come with scikit-learn, a quarter of them to test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    return Data(f"digits, {len(y_train):,} x {X.shape[1]}", X_train, y_train, X_test, y_test, 1.0)


def table(rows: int, columns: int, test: int, noise: float = 0.01) -> Data:
    """Return a random table of two classes, half of whose columns tell the class.

    noise: share of the rows whose class is drawn by lot
    """
    from sklearn.datasets import make_classification

    X, y = make_classification(rows + test, columns, n_informative=columns // 2, flip_y=noise, random_state=0)
    return Data(f"table, {rows:,} x {columns}", X[:rows], y[:rows], X[rows:], y[rows:], 1.0)


def agaricus() -> Data:
    """Return the mushrooms of agaricus, sparse rows. Raises FileNotFoundError where they are not at hand."""
    from sklearn.datasets import load_svmlight_files

    folder = data_folder("agaricus")
    if folder is None:
        raise FileNotFoundError("agaricus was not found")
    files = [folder / f"agaricus.txt.{part}" for part in ("train", "test")]
    X_train, y_train, X_test, y_test = load_svmlight_files(files)
    name = f"agaricus, {X_train.shape[0]:,} x {X_train.shape[1]}, sparse"
    return Data(name, X_train, y_train, X_test, y_test, 1.0)


FITS = {
    "mnist adam": Fit(
        "(128,), adam, batch 128", mnist, 4, epochs=2, options={"hidden_layer_sizes": (128,), "batch_size": 128}
    ),
    "mnist sgd": Fit(
        "(32,), sgd, batch 32",
        mnist,
        8,
        epochs=2,
        options={"hidden_layer_sizes": (32,), "batch_size": 32, "solver": "sgd"},
    ),
    "digits": Fit("all defaults", digits, 10, seeds=10),
    "table": Fit(
        "(64, 64), adam, batch 200",
        lambda: table(100_000, 20, 20_000),
        8,
        epochs=2,
        options={"hidden_layer_sizes": (64, 64), "batch_size": 200},
    ),
    "small table": Fit("all defaults", lambda: table(500, 20, 5_000, noise=0.05), seeds=10),
    "agaricus": Fit("(64,)", agaricus, 8, epochs=10, options={"hidden_layer_sizes": (64,)}),
    "tiny": Fit(
        "(16,)",
        lambda: table(200, 10, 1_000),
        10,
        seeds=1_000,
        seeds_a_turn=100,
        epochs=20,
        options={"hidden_layer_sizes": (16,)},
    ),
}
"""Everything that is fitted side by side. A new row of the table is a new entry here."""
