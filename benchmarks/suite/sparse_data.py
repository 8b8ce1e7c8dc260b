"""Rows that are nearly all zeros, as texts become when their words are counted."""

import numpy as np
from scipy import sparse

CLASSES = 3


def sparse_rows(rows: int, columns: int, density: float) -> tuple[sparse.csr_array, np.ndarray]:
    """Return X (rows, columns) float32 with so many of its numbers not 0, in random places, and y (rows,).

    A twentieth of the columns tells the class: each of them speaks for one.
    """
    random = np.random.default_rng(0)
    counts = random.poisson(density * columns, rows)
    ends = np.concatenate([[0], counts.cumsum()])
    places = random.integers(0, columns, ends[-1], dtype=np.int32)
    values = random.uniform(0.5, 1.5, ends[-1]).astype(np.float32)
    X = sparse.csr_array((values, places, ends.astype(np.int32)), (rows, columns))
    X.sum_duplicates()
    speaking = random.choice(columns, columns // 20, replace=False)
    speaks_for = np.zeros((columns, CLASSES), np.float32)
    speaks_for[speaking, random.integers(0, CLASSES, len(speaking))] = 1
    return X, (X @ speaks_for).argmax(axis=1)
