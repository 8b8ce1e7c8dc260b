"""The handwritten digits inside scikit-learn: 1797 real images of 8 x 8 pixels, nothing to download."""

from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.dataset import Dataset

_TEST_FRACTION = 0.2


def load_digits() -> Dataset:
    """Load the digits, pixels 0 to 16, with a fixed stratified fifth of them as the test set.

    X_train is (1438, 64), X_test is (359, 64); the split is the same for everybody, always.
    """
    table = _read_table()
    X = np.ascontiguousarray(table[:, :-1])
    y = np.ascontiguousarray(table[:, -1])
    test = _stratified_fifth(y)
    return Dataset("digits", X[~test], y[~test], X[test], y[test], input_scale=1 / 16)


def _read_table() -> NDArray[np.uint8]:
    """All images and labels: (1797, 65) bytes, the label last.

    The file that scikit-learn carries is read without importing scikit-learn: that takes 0.7 s and 90 MB, the
    file 4 ms. Should a release move the file, the slow way remains.
    """
    package = find_spec("sklearn")
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",", dtype=np.uint8)
    return _read_table_by_scikit_learn()


def _read_table_by_scikit_learn() -> NDArray[np.uint8]:
    from sklearn.datasets import load_digits as load

    X, y = load(return_X_y=True)
    return cast("NDArray[np.uint8]", np.column_stack([X, y]).astype(np.uint8))


def _stratified_fifth(y: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A mask (N,) of test rows: of each class the same share, drawn with a fixed seed.

    RandomState, because NumPy promises its stream never to change (NEP 19), which it does not for Generator.
    """
    random = np.random.RandomState(0)
    test = np.zeros(len(y), dtype=bool)
    for label in range(10):
        rows = np.flatnonzero(y == label)
        test[random.permutation(rows)[: round(len(rows) * _TEST_FRACTION)]] = True
    return test
