"""An estimator's attributes and scikit-learn's arrays, as the engine takes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import inputs
from fastmlp.architecture import Architecture
from fastmlp.engine import Engine
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.targets import NO_WEIGHTS, Targets, labels_of, values_of

LOSSES = {"softmax": "softmax", "logistic": "logistic", "identity": "squared_error", "exp": "poisson"}
"""The loss that belongs to each ``out_activation_``."""

Estimator = Any


def architecture_of(estimator: Estimator, dtype: Any) -> Architecture:
    """Return the network that an estimator's coefficients are of."""
    coefs = estimator.coefs_
    sizes = (coefs[0].shape[0], *(W.shape[1] for W in coefs))
    return Architecture(sizes, np.dtype(dtype), estimator.activation, LOSSES[estimator.out_activation_])


def parameters_of(estimator: Estimator) -> dict[str, NDArray[Any]]:
    """Return an estimator's coefficients as the engine names them."""
    parameters = {f"W{l}": W for l, W in enumerate(estimator.coefs_, 1)}
    return parameters | {f"b{l}": b for l, b in enumerate(estimator.intercepts_, 1)}


def coefficients_of(parameters: Mapping[str, NDArray[Any]]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Return an engine's parameters as ``coefs_`` and ``intercepts_``."""
    layers = range(1, len(parameters) // 2 + 1)
    return [parameters[f"W{l}"] for l in layers], [parameters[f"b{l}"] for l in layers]


def as_matrix(X: Any, dtype: Any) -> Any:
    """Return a matrix, dense or sparse, of finite numbers as kernels read it; what they cannot is converted."""
    return inputs.check_matrix(X, np.dtype(dtype), columns=X.shape[1])


def as_rows(X: Any, dtype: Any) -> Rows:
    """Describe a matrix, dense or sparse, of finite numbers, to predict from."""
    return inputs.rows_of_matrix(as_matrix(X, dtype), 1.0, dtype)


def as_targets(estimator: Estimator, y: NDArray[Any], sample_weight: Any, dtype: Any) -> Targets:
    """Describe scikit-learn's targets (N, C): one-hot or indicators of classes, or numbers."""
    weights = NO_WEIGHTS if sample_weight is None else np.ascontiguousarray(sample_weight, np.float64)
    smoothing = float(estimator.label_smoothing)
    if estimator.out_activation_ == "softmax":
        return labels_of(np.asarray(y).argmax(axis=1), dtype, weights, smoothing)
    values = np.asarray(y, dtype)
    return values_of(values * (1 - smoothing) + smoothing / 2 if smoothing else values, dtype, weights)


def load_parameters(estimator: Estimator, engine: Engine) -> None:
    """Write an estimator's coefficients into an engine."""
    engine.write(parameters_of(estimator))


def store_parameters(estimator: Estimator, engine: Engine) -> None:
    """Set an estimator's coefficients to an engine's."""
    estimator.coefs_, estimator.intercepts_ = coefficients_of(engine.read())
