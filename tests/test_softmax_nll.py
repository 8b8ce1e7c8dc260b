"""Softmax and its loss where a careless formula fails: scores far apart, large, equal, alone, or not finite."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from registry import DTYPES
from tolerances import assert_close, assert_loss_close, tolerance

from fastmlp.kernels import softmax_nll

pytestmark = pytest.mark.usefixtures("nan_memory")
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


@every_dtype
@given(data=st.data())
def test_any_scores_up_to_1e4_agree_with_the_oracle(dtype, data):
    rows, classes = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 40)))
    width = np.dtype(dtype).itemsize * 8
    scores = data.draw(arrays(dtype, (rows, classes), elements=st.floats(-1e4, 1e4, width=width)))
    y = data.draw(arrays(np.int64, rows, elements=st.integers(0, classes - 1)))
    loss, gradient = softmax_nll(scores, y)
    exact_loss, exact_gradient = naive.softmax_nll(scores, y)
    # subtracting the maximum rounds an exponent of size x by eps x, and exp(-x) x is below 1: no loss for large scores
    assert_close(gradient, exact_gradient, "softmax_nll", dtype, terms=classes)
    assert_loss_close(loss, exact_loss, "softmax_nll", dtype, magnitude=1 + abs(exact_loss), terms=classes)


@every_dtype
@pytest.mark.parametrize("size", [1e3, 1e4, 1e30])
def test_loss_of_scores_far_apart_is_exact_and_never_clipped(dtype, size):
    scores = np.array([[size, -size], [-size, size]], dtype)
    loss, gradient = softmax_nll(scores, np.array([1, 1]))
    assert loss == np.mean([2 * float(scores[0, 0]), 0.0])
    assert_array_equal(gradient, np.array([[0.5, -0.5], [0, 0]], dtype))
    assert gradient.dtype == dtype


@every_dtype
@pytest.mark.parametrize("level", [0, 1e4, -1e4, 1e30])
@pytest.mark.parametrize("classes", [1, 2, 10, 33])
def test_equal_scores_are_equal_probabilities_at_any_level(dtype, level, classes):
    loss, gradient = softmax_nll(np.full((3, classes), level, dtype), np.zeros(3, int))
    assert_loss_close(loss, np.log(classes), "softmax_nll", dtype, terms=classes)
    onehot = np.eye(classes)[[0, 0, 0]]
    assert_close(gradient, (1 / classes - onehot) / 3, "softmax_nll", dtype, terms=classes)


@every_dtype
def test_a_common_shift_changes_nothing(dtype):
    # multiples of 2^-7 up to 2^14: the shifted scores are exact in float32
    scores = np.random.default_rng(0).integers(-128, 128, (20, 10)) / np.array(128, dtype)
    y = np.arange(20) % 10
    loss, gradient = softmax_nll(scores, y)
    shifted_loss, shifted_gradient = softmax_nll(scores + np.array(8192, dtype), y)
    assert loss == shifted_loss
    assert_array_equal(gradient, shifted_gradient)


@every_dtype
def test_gradient_of_every_row_sums_to_zero(dtype):
    scores = np.random.default_rng(1).normal(0, 5, (64, 50)).astype(dtype)
    _, gradient = softmax_nll(scores, np.arange(64) % 50)
    assert np.abs(gradient.astype(np.float64).sum(axis=1)).max() <= tolerance("softmax_nll", dtype, 1 / 64, 50)


@every_dtype
@pytest.mark.parametrize("place", [0, 3, 9])
def test_nan_in_the_scores_stays_visible(dtype, place):
    scores = np.zeros((2, 10), dtype)
    scores[1, place] = np.nan
    loss, gradient = softmax_nll(scores, np.array([0, 3]))
    assert np.isnan(loss)
    assert np.isnan(gradient[1]).all()
    assert np.isfinite(gradient[0]).all()


@every_dtype
@pytest.mark.parametrize("integers", ["uint8", "int8", "int32", "uint64"])
def test_labels_of_any_integer_dtype(dtype, integers):
    scores = np.random.default_rng(2).normal(size=(6, 3)).astype(dtype)
    y = np.array([0, 1, 2, 2, 1, 0])
    expected_loss, expected = softmax_nll(scores, y)
    loss, gradient = softmax_nll(scores, y.astype(integers))
    assert loss == expected_loss
    assert_array_equal(gradient, expected)
