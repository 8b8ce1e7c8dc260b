"""Plain parameters: a dict of arrays W1 (D, H), b1 (H,), W2 ..., the form in which users see them."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.options import Options


def initial_parameters(
    sizes: tuple[int, ...], init: str | float, random: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Return normal weights and zero biases for layers of ``sizes``.

    init : "he" for a variance of 2 / inputs (He et al., 2015, section 2.2), or the standard deviation itself
    """
    parameters = {}
    for l, (inputs, units) in enumerate(itertools.pairwise(sizes), 1):
        deviation = math.sqrt(2 / inputs) if isinstance(init, str) else init
        parameters[f"W{l}"] = deviation * random.standard_normal((inputs, units))
        parameters[f"b{l}"] = np.zeros(units)
    return parameters


def sizes_of(parameters: Mapping[str, NDArray[Any]]) -> tuple[int, ...]:
    """Return the sizes (D, hidden units ..., C) of the layers that parameters belong to."""
    weights = [parameters[f"W{l}"] for l in range(1, len(parameters) // 2 + 1)]
    return (weights[0].shape[0], *(W.shape[1] for W in weights))


def _checked_array(name: str, values: ArrayLike, dtype: str) -> NDArray[Any]:
    """Return a copy in the dtype. Raises TypeError for what is not real numbers, ValueError for what is not finite."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"parameters[{name!r}] must be an array: {error}") from None
    if array.dtype.kind not in "buif":
        raise TypeError(f"parameters[{name!r}] must hold real numbers, got dtype {array.dtype}")
    if not (np.abs(array) <= np.finfo(dtype).max).all():
        raise ValueError(f"parameters[{name!r}] must be finite in {dtype}")
    return array.astype(dtype)


def check_parameters(parameters: Mapping[str, ArrayLike], options: Options) -> dict[str, NDArray[Any]]:
    """Return copies in the options' dtype. Raises ValueError for names, shapes or values that do not fit."""
    layers = len(options.hidden) + 1
    expected = [f"{kind}{l}" for l in range(1, layers + 1) for kind in "Wb"]
    if not isinstance(parameters, Mapping) or sorted(parameters) != sorted(expected):
        got = sorted(parameters) if isinstance(parameters, Mapping) else type(parameters).__name__
        raise ValueError(f"parameters must be a dict with the names {', '.join(expected)}, got {got}")
    arrays = {name: _checked_array(name, parameters[name], options.dtype) for name in expected}
    inputs = None
    for l in range(1, layers + 1):
        W, b = arrays[f"W{l}"], arrays[f"b{l}"]
        if W.ndim != 2 or 0 in W.shape or b.shape != W.shape[1:] or inputs not in (None, W.shape[0]):
            before = "inputs" if inputs is None else inputs
            raise ValueError(f"W{l} must have shape ({before}, units) and b{l} (units,), got {W.shape} and {b.shape}")
        if l < layers and W.shape[1] != options.hidden[l - 1]:
            raise ValueError(f"W{l} must have {options.hidden[l - 1]} units as in hidden, got {W.shape[1]}")
        inputs = W.shape[1]
    return arrays
