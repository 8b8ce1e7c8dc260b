"""Models as weights of PyTorch, in a safetensors file; writing it needs no PyTorch."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.exporting.standardising import is_scaler, standardising_of
from fastmlp.files import write_whole
from fastmlp.model import Model
from fastmlp.preparation import Preparation

LARGEST_OFFSET = 10
"""Means beyond so many standard deviations are not folded: the probabilities would be off by more than 1e-5."""

Arrays = dict[str, NDArray[Any]]


def export_torch(model: Model, path: str | PathLike[str]) -> None:
    """Write a model's float32 state dict for ``torch.nn.Sequential(Linear, activation, Linear, ..., Linear)``.

    Its outputs are scores, whose softmax are the probabilities, or a value in the target's units. "gelu" is
    ``GELU(approximate="tanh")``, "silu" ``SiLU``, "leaky_relu" ``LeakyReLU(0.01)``. The file's metadata hold
    "activation", "task", "labels" (JSON) and "inputs": "stored" where the network takes rows as they are stored, their
    scaling being folded into the first layer; "prepared" where it takes ``model.preparation.inputs_of(rows)``, as of
    tables, of arrays in which numbers were missing, and of numbers far from 0. "input_names" (JSON) are a table's.

    Raises OSError where it cannot be written.
    """
    from safetensors.numpy import save

    scaling = _scaling(model.preparation, model.sizes[0])
    about = {
        "format": "pt",
        "activation": model.activation,
        "task": model.task,
        "labels": json.dumps(list(model.labels)),
        "inputs": "prepared" if scaling is None else "stored",
        "input_names": json.dumps(model.preparation.names),
    }
    write_whole(Path(path), save(_state_dict(_folded(model, scaling)), about))


def _scaling(preparation: Preparation, width: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return (factors, shifts) with inputs = rows * factors + shifts; None where the preparation is no such thing."""
    transformer = preparation.transformer
    if preparation.columns is not None:
        return None
    if transformer is None:
        return np.ones(width), np.zeros(width)
    if is_scaler(transformer):
        return 1 / transformer.scale_, np.zeros(width)
    learnt = standardising_of(transformer)
    if len(learnt.indicators) or (np.abs(learnt.mean) > LARGEST_OFFSET * learnt.scale).any():
        return None
    return 1 / learnt.scale, -learnt.mean / learnt.scale


def _folded(model: Model, scaling: tuple[NDArray[Any], NDArray[Any]] | None) -> Arrays:
    """Return the parameters, in float64, of the network that scales its inputs and its value itself."""
    arrays = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    arrays["W1"] *= model.preparation.input_scale
    if scaling is not None:
        factors, shifts = scaling
        arrays["b1"] += shifts @ arrays["W1"]
        arrays["W1"] *= factors[:, None]
    if model.task == "regress":
        last = len(model.sizes) - 1
        arrays[f"W{last}"] *= model.scale
        arrays[f"b{last}"] = arrays[f"b{last}"] * model.scale + model.mean
    return arrays


def _state_dict(arrays: Arrays) -> Arrays:
    """Return the parameters as Sequential names and lays them out: every other of its modules is an activation."""
    found = {}
    for l in range(1, len(arrays) // 2 + 1):
        found[f"{2 * l - 2}.weight"] = np.ascontiguousarray(arrays[f"W{l}"].T, np.float32)
        found[f"{2 * l - 2}.bias"] = arrays[f"b{l}"].astype(np.float32)
    return found
