"""The public kernels against the oracle, over shapes and dtypes."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from registry import DTYPES, REGISTRY, Sizes
from tolerances import assert_close, assert_loss_close

from fastmlp import kernels
from fastmlp.kernels import backward_update, matmul_bias, relu, relu_mask

pytestmark = pytest.mark.usefixtures("nan_memory")

counts = st.integers(1, 70)
every_kernel = pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
USUAL = Sizes(B=13, D=21, H=34, C=10)


def arguments_of(entry, dtype, sizes):
    return entry.make(np.random.default_rng(sum(sizes)), dtype, sizes)


def assert_outputs_close(entry, dtype, sizes, outputs, expected):
    for actual, exact, magnitude in zip(outputs, expected, entry.magnitudes(sizes), strict=True):
        check = assert_close if np.ndim(exact) else assert_loss_close
        check(actual, exact, entry.name, dtype, magnitude, entry.terms(sizes))


def test_every_public_kernel_is_registered_under_its_name():
    assert sorted(entry.name for entry in REGISTRY) == sorted(kernels.__all__)
    assert all(entry.kernel is getattr(kernels, entry.name) for entry in REGISTRY)


@every_kernel
@every_dtype
@given(sizes=st.builds(Sizes, counts, counts, counts, counts))
@example(Sizes(1, 1, 1, 1))
@example(Sizes(1000, 7, 50, 7))
@example(Sizes(7, 50, 1000, 50))
@example(Sizes(50, 1000, 7, 1000))
def test_kernel_agrees_with_the_oracle(entry, dtype, sizes):
    outputs, expected = entry.run(arguments_of(entry, dtype, sizes))
    assert_outputs_close(entry, dtype, sizes, outputs, expected)


@every_kernel
@every_dtype
def test_tolerances_reject_zeros(entry, dtype):
    outputs, expected = entry.run(arguments_of(entry, dtype, USUAL))
    for index, output in enumerate(outputs):
        zeros = list(outputs)
        zeros[index] = output * 0
        with pytest.raises(AssertionError):
            assert_outputs_close(entry, dtype, USUAL, zeros, expected)


def others(array):
    """The same numbers in other layouts: Fortran order, strided, reversed, read-only."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    fixed = array.copy()
    fixed.flags.writeable = False
    return np.asfortranarray(array), wide[..., ::2], array[::-1].copy()[::-1], fixed


@every_kernel
@every_dtype
def test_layout_of_the_arguments_does_not_matter(entry, dtype):
    arguments = arguments_of(entry, dtype, USUAL)
    expected, _ = entry.run(arguments)
    for index, argument in enumerate(arguments):
        for other in others(argument) if isinstance(argument, np.ndarray) else ():
            outputs, _ = entry.run([*arguments[:index], other, *arguments[index + 1 :]])
            for actual, exact in zip(outputs, expected, strict=True):
                assert_array_equal(actual, exact)


@every_kernel
def test_arguments_are_not_written_to(entry):
    arguments = arguments_of(entry, "float32", USUAL)
    copies = [np.copy(argument) for argument in arguments]
    entry.kernel(*arguments)
    for index, (argument, copy) in enumerate(zip(arguments, copies, strict=True)):
        assert (index == entry.in_place) or np.array_equal(argument, copy)


def test_backward_update_writes_into_a_strided_view():
    random = np.random.default_rng(0)
    X, G, whole = random.random((5, 3)), random.random((5, 4)), random.random((6, 8))
    before, W = whole.copy(), whole[::2, 1::2]
    expected = W - 0.5 * (X.T @ G + 2 * 0.25 * W)
    backward_update(X, G, W, 0.5, 0.25)
    assert_close(W, expected, "backward_update", "float64", terms=6)
    assert_array_equal(whole[1::2], before[1::2])
    assert_array_equal(whole[:, ::2], before[:, ::2])


@every_dtype
def test_relu_and_its_mask_at_the_edges(dtype):
    tiny = np.finfo(dtype).tiny
    Z = np.array([-np.inf, -1, -tiny, -0.0, 0.0, tiny, 1, np.inf, np.nan], dtype)
    assert_array_equal(relu(Z), np.array([0, 0, 0, 0, 0, tiny, 1, np.inf, np.nan], dtype))
    assert_array_equal(relu_mask(Z), np.array([0, 0, 0, 0, 0, 1, 1, 1, 0], dtype))


@every_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_matmul_bias_shows_what_is_not_finite_in_its_row_alone(dtype, bad):
    X, W, b = arguments_of(REGISTRY[0], dtype, USUAL)
    expected = matmul_bias(X, W, b)
    X[5, 3] = bad
    out = matmul_bias(X, W, b)
    assert not np.isfinite(out[5]).any()
    assert_array_equal(np.delete(out, 5, axis=0), np.delete(expected, 5, axis=0))


X, W, b, G = (np.ones(shape, np.float32) for shape in ((4, 3), (3, 2), 2, (4, 2)))
REFUSED = {
    "X of integers": (lambda: matmul_bias(X.astype(int), W, b), TypeError, "X"),
    "X a list": (lambda: matmul_bias([[1.0]], W, b), TypeError, "X"),
    "X flat": (lambda: matmul_bias(X[0], W, b), ValueError, "X"),
    "X empty": (lambda: matmul_bias(X[:0], W, b), ValueError, "X"),
    "W of another dtype": (lambda: matmul_bias(X, W.astype(np.float64), b), TypeError, "W"),
    "W too long": (lambda: matmul_bias(X, X, b), ValueError, "W"),
    "b too long": (lambda: matmul_bias(X, W, np.ones(3, np.float32)), ValueError, "b"),
    "Z of half precision": (lambda: relu(X.astype(np.float16)), TypeError, "Z"),
    "A of integers": (lambda: relu_mask(X.astype(int)), TypeError, "A"),
    "G too short": (lambda: backward_update(X, G[:3], W, 0.1), ValueError, "G"),
    "G of another dtype": (lambda: backward_update(X, G.astype(np.float64), W, 0.1), TypeError, "G"),
    "W too wide": (lambda: backward_update(X, G, X, 0.1), ValueError, "W"),
    "scores a list": (lambda: kernels.softmax_nll([[0.0]], np.array([0])), TypeError, "scores"),
    "scores flat": (lambda: kernels.softmax_nll(X[0], np.array([0])), ValueError, "scores"),
    "y of floats": (lambda: kernels.softmax_nll(X, np.zeros(4)), TypeError, "y"),
    "y too short": (lambda: kernels.softmax_nll(X, np.zeros(3, int)), ValueError, "y"),
    "y too large": (lambda: kernels.softmax_nll(X, np.full(4, 3)), ValueError, "y"),
    "y negative": (lambda: kernels.softmax_nll(X, np.full(4, -1)), ValueError, "y"),
}


@pytest.mark.parametrize(("call", "error", "argument"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal_names_the_argument(call, error, argument):
    with pytest.raises(error, match=rf"^{argument} must "):
        call()


def test_a_read_only_weight_matrix_is_not_updated():
    fixed = W.copy()
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match=r"^W must be writeable"):
        backward_update(X, G, fixed, 0.1)
