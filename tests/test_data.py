"""The digits inside scikit-learn, the split of validation rows, and what loading imports."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import DataError
from fastmlp.data import digits, load, split_validation


def test_digits_are_all_there_and_split_by_class():
    data = load("digits")
    assert data.X_train.shape == (1438, 64)
    assert data.X_test.shape == (359, 64)
    assert data.X_train.dtype == data.y_train.dtype == np.uint8
    assert data.X_train.max() * data.input_scale == 1
    counts = np.bincount(data.y_train), np.bincount(data.y_test)
    assert_array_equal(counts[1], np.round((counts[0] + counts[1]) * 0.2))


def test_the_split_of_digits_never_changes():
    # Accuracies of different versions can only be compared on the same test set.
    data = load("digits")
    assert_array_equal(data.y_test[:12], [3, 7, 3, 9, 0, 8, 7, 0, 8, 0, 3, 3])
    assert data.X_test.sum(dtype=int) == 111461


def test_the_file_and_scikit_learn_agree():
    assert_array_equal(digits._read_table(), digits._read_table_by_scikit_learn())


def test_loading_imports_nothing_that_is_not_needed():
    heavy = ("sklearn", "scipy", "pooch", "requests", "rich", "numba")
    program = f"""
import sys
from fastmlp.data import load
load("digits")
print([name for name in {heavy} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(
        DataError, match="'mnits' is not a folder of IDX files, nor one of 'digits', 'mnist', 'fashion-mnist'"
    ):
        load("mnits")


@pytest.mark.parametrize(("fraction", "expected"), [(0.1, 10), (0.001, 1), (0.999, 99), (0.25, 25)])
def test_validation_rows_are_set_aside(fraction, expected):
    X = np.arange(200, dtype=np.uint8).reshape(100, 2)
    y = np.arange(100, dtype=np.uint8)
    X.flags.writeable = y.flags.writeable = False
    X_train, y_train, X_validation, y_validation = split_validation(X, y, fraction, seed=3)
    assert len(y_validation) == len(X_validation) == expected
    assert_array_equal(np.sort(np.concatenate([y_train, y_validation])), y)
    assert_array_equal(X_train, X[y_train])
    assert_array_equal(X_validation, X[y_validation])
    assert X_train.dtype == np.uint8


def test_the_seed_decides_which_rows():
    X, y = np.zeros((100, 1)), np.arange(100)
    parts = [split_validation(X, y, 0.3, seed)[3] for seed in (0, 0, 1)]
    assert_array_equal(parts[0], parts[1])
    assert not np.array_equal(parts[0], parts[2])


def test_no_validation_rows_and_no_copy_for_a_fraction_of_zero():
    X, y = np.zeros((4, 2)), np.zeros(4)
    X_train, y_train, X_validation, y_validation = split_validation(X, y, 0, seed=0)
    assert X_train is X
    assert y_train is y
    assert X_validation.shape == (0, 2)
    assert y_validation.shape == (0,)


@pytest.mark.parametrize(("rows", "fraction"), [(10, 1.0), (10, -0.1), (10, float("nan")), (1, 0.5)])
def test_a_split_that_cannot_be_made_is_refused(rows, fraction):
    with pytest.raises(ValueError, match=r"fraction must be|at least 2 rows"):
        split_validation(np.zeros((rows, 1)), np.zeros(rows), fraction, seed=0)
