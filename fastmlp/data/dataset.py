"""What every loader returns, and how validation rows are taken from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """Training and test rows of a classification data set, as stored: unscaled unsigned bytes.

    ``input_scale`` brings the inputs to [0, 1] when a minibatch is gathered, so that no float copy of the
    whole set is ever made.
    """

    name: str
    X_train: NDArray[np.uint8]  # (N, D)
    y_train: NDArray[np.uint8]  # (N,)
    X_test: NDArray[np.uint8]  # (M, D)
    y_test: NDArray[np.uint8]  # (M,)
    input_scale: float


def split_validation(
    X: NDArray[Any], y: NDArray[Any], fraction: float, seed: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Set aside a random part of the rows for validation.

    X is (N, D), y is (N,); neither is changed. A fraction in (0, 1) sets aside at least one row and leaves at
    least one; a fraction of 0 sets aside none, and X and y come back as they are.

    Returns X_train, y_train, X_validation, y_validation: copies with the dtypes of X and y, rows in their
    original order. Raises ValueError for a fraction outside [0, 1) and for fewer than two rows to split.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must be at least 0 and below 1, got {fraction}")
    if fraction == 0:
        return X, y, X[:0], y[:0]
    rows = len(y)
    if rows < 2:
        raise ValueError(f"a validation part needs at least 2 rows to split, got {rows}")
    count = min(max(round(rows * fraction), 1), rows - 1)
    held_out = np.zeros(rows, dtype=bool)
    held_out[np.random.default_rng(seed).choice(rows, count, replace=False)] = True
    return X[~held_out], y[~held_out], X[held_out], y[held_out]
