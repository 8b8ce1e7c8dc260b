"""The kernels on plain arrays: checked, of any shape, at full speed inside. For use, teaching and tests.

Dimensions: B rows, D inputs, H units, C classes. Arrays are float32 or float64, one dtype in a call.
"""

from collections.abc import Iterator

import numpy as np

from fastmlp.kernels import matmul, rules, update
from fastmlp.kernels import softmax_nll as softmax
from fastmlp.kernels.activation import OUTPUT, RELU, activate_row, slope_row
from fastmlp.kernels.buffers import aligned, in_blocks
from fastmlp.kernels.gather import NO_ORDER
from fastmlp.kernels.inputs import Inputs
from fastmlp.kernels.jit import entry
from fastmlp.kernels.layout import ROWS, Panel, lanes, panel_vectors, round_up, tile_shape
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.targets import labels_of


@entry
def _affine(shape, inputs, W, b, Z, j, last, depth):
    matmul.affine(shape, OUTPUT, inputs, W, b, inputs.X, Z, j, 0, last, 0, depth)


@entry
def _update(shape, inputs, G, j, panel, first, last, depth, descent):
    update.update(shape, rules.SGD, inputs, G, j, panel, first, last, depth, descent)


@entry
def _softmax_nll(Z, targets, order, start, first, last, classes, scale, losses):
    softmax.softmax_nll(Z, targets, order, start, first, last, classes, scale, losses)


def matmul_bias(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``X W + b`` (B, H) for X (B, D), W (D, H), b (H,).

    Raises TypeError for dtypes other than one of float32 and float64, ValueError for shapes that do not agree.
    """
    _check("X", X, (None, None))
    _check("W", W, (X.shape[1], None), X.dtype)
    _check("b", b, (W.shape[1],), X.dtype)
    padded, biases = _padded(X, ROWS, 1), b[None, :]
    inputs, panels = _inputs(padded), list(_panels(W))
    out = aligned((len(padded), sum(panel.shape[1] for _, _, panel in panels)), X.dtype)
    for tile, j, panel in panels:
        width = panel.shape[1]
        row = _padded(biases[:, j : j + width], 1, width)
        _affine(tile, inputs, panel, row, out, j, len(padded), X.shape[1])
    return out[: len(X), : W.shape[1]].copy()


def relu(Z: np.ndarray) -> np.ndarray:
    """Return ``max(Z, 0)`` of an array of any shape; NaN stays NaN. Raises TypeError for another dtype."""
    return _elementwise(activate_row, "Z", Z)


def relu_mask(A: np.ndarray) -> np.ndarray:
    """Return the derivative of ReLU: 1 where A > 0, else 0, in the dtype of A, an array of any shape."""
    return _elementwise(slope_row, "A", A)


def softmax_nll(scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean loss ``-log softmax(scores)[y]`` and its gradient (B, C), ``(softmax - onehot(y)) / B``.

    scores: (B, C); y: (B,) class numbers from 0 to C - 1. Nothing is clipped: the loss is exact however far apart the
    scores lie. Raises TypeError for dtypes, ValueError for shapes and for class numbers out of range.
    """
    _check("scores", scores, (None, None))
    labels = np.asarray(y)
    if labels.dtype.kind not in "ui":
        raise TypeError(f"y must be class numbers of an integer dtype, got {labels.dtype}")
    if labels.shape != scores.shape[:1]:
        raise ValueError(f"y must have shape ({len(scores)},), got {labels.shape}")
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise ValueError(f"y must lie from 0 to {scores.shape[1] - 1}, got {labels.min()} to {labels.max()}")
    gradient = _padded(scores, ROWS, lanes(scores.dtype))
    rows, classes = scores.shape
    losses = np.empty(rows)
    targets = labels_of(labels.astype(np.int64), scores.dtype)
    _softmax_nll(gradient, targets, NO_ORDER, 0, 0, rows, classes, 1 / rows, losses)
    return float(losses.mean()), gradient[:rows, :classes].copy()


def backward_update(X: np.ndarray, G: np.ndarray, W: np.ndarray, learning_rate: float, l2: float = 0.0) -> None:
    """Do a step of gradient descent in place: ``W -= learning_rate * (X^T G + 2 l2 W)``.

    X: (B, D) inputs of a layer, G: (B, H) gradient of its weighted inputs, W: (D, H), writeable. The gradient of W is
    never stored. Raises TypeError for dtypes, ValueError for shapes that do not agree and for a read-only W.
    """
    _check("X", X, (None, None))
    _check("G", G, (len(X), None), X.dtype)
    _check("W", W, (X.shape[1], G.shape[1]), X.dtype)
    if not W.flags.writeable:
        raise ValueError("W must be writeable: it is updated in place")
    panels = list(_panels(W))
    inputs, gradient = _inputs(_padded(X, 1, ROWS)), _padded(G, 1, sum(panel.shape[1] for _, _, panel in panels))
    descent = rules.Descent(float(learning_rate), 2.0 * l2)
    for tile, j, weights in panels:
        panel = Panel(weights.reshape(-1), 0, *weights.shape, weights.size)
        _update(tile, inputs, gradient, j, panel, 0, len(weights), len(X), descent)
        W[:, j : j + weights.shape[1]] = weights[: W.shape[0], : W.shape[1] - j]


def _check(name: str, array: np.ndarray, shape: tuple[int | None, ...], dtype=None) -> None:
    """Refuse an array that is not compiled for, or of a shape other than ``shape`` (None stands for any size)."""
    _check_dtype(name, array)
    if dtype is not None and array.dtype != dtype:
        raise TypeError(f"{name} must have the dtype of the other arrays, {dtype}, got {array.dtype}")
    if len(shape) != array.ndim or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")


def _check_dtype(name: str, array: np.ndarray) -> None:
    dtype = getattr(array, "dtype", None)
    if not isinstance(array, np.ndarray) or dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} must be an array of float32 or float64, got {dtype or type(array).__name__}")


def _padded(M: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return a C-ordered copy, its rows and columns filled up with zeros to whole multiples."""
    padded = aligned((round_up(M.shape[0], rows), round_up(M.shape[1], columns)), M.dtype)
    padded[: M.shape[0], : M.shape[1]] = M
    return padded


def _panels(W: np.ndarray) -> Iterator[tuple[Shape, int, np.ndarray]]:
    """Yield (shape of its tiles, first column, a padded copy) for each panel of weights."""
    j = 0
    of_group, _ = panel_vectors(W.shape[1], W.dtype, 1)
    for vectors in of_group:
        width = vectors * lanes(W.dtype)
        yield tile_shape(vectors), j, _padded(W[:, j : j + width], ROWS, width)
        j += width


def _inputs(X: np.ndarray) -> Inputs:
    """Return a matrix as the inputs of a layer, all of which is visited."""
    return Inputs(in_blocks(X), np.zeros(0, np.uint8))


def _elementwise(kernel, name: str, Z: np.ndarray) -> np.ndarray:
    _check_dtype(name, Z)
    row = _padded(Z.reshape(1, -1), 1, lanes(Z.dtype))
    out = np.empty_like(row)
    kernel(Shape(1, 1), RELU, row, out)
    return out[0, : Z.size].reshape(Z.shape)
