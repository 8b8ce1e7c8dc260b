"""Models on disk: one safetensors file each, whose metadata hold everything else as JSON. Nothing in it can run.

Tensors are the parameters, ``preparation`` (bytes that skops has written and reads back without running code from
them), and in a checkpoint ``slot1/W1`` ..., what the optimiser keeps. The JSON holds a SHA-256 of all that.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import __version__
from fastmlp.errors import ModelError
from fastmlp.files import replacing
from fastmlp.history import History
from fastmlp.model import Model
from fastmlp.options import ACTIVATIONS, DTYPES, TASKS, number
from fastmlp.preparation import Preparation
from fastmlp.preparation_file import refuse_unfitting, transformer_from_bytes, transformer_to_bytes
from fastmlp.state import TrainingState

FORMAT = 1
FILE_NAME = "model.safetensors"
_KEY = "fastmlp"
_PREPARATION = "preparation"
_NAMES = rf"(slot\d+/)?[Wb]\d+|{_PREPARATION}"

Arrays = dict[str, NDArray[Any]]
AnyModel = Model | str | PathLike[str]
"""A model, or the path of one."""


def save(model: Model, path: str | PathLike[str], state: TrainingState | None = None) -> None:
    """Write a model to a file, whole or not at all; with a state it is a checkpoint to go on training from.

    Raises OSError where it cannot be written; what was there is replaced.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays, facts = _taken_apart(model)
    if state is not None:
        for slot, numbers in enumerate(state.slots[1:], 1):
            arrays |= {f"slot{slot}/{name}": array for name, array in numbers.items()}
        facts["state"] = {
            "slots": len(state.slots),
            "random": dict(state.random),
            "steps": state.steps,
            "history": asdict(state.history),
        }
    facts["sha256"] = _digest(arrays, facts)
    with replacing(Path(path), SafetensorError) as temporary:
        save_file(arrays, temporary, {_KEY: json.dumps(facts)})


def load(path: str | PathLike[str]) -> Model:
    """Read a model from its file, or from a folder that holds ``model.safetensors``; no code in it is run.

    Raises ModelError, which names what is wrong, for anything but a whole and unaltered model.
    """
    return load_checkpoint(path)[0]


def model_at(model: AnyModel) -> Model:
    """Return a model that is given, or is at a path."""
    return model if isinstance(model, Model) else load(model)


def load_checkpoint(path: str | PathLike[str]) -> tuple[Model, TrainingState | None]:
    """Read a model as ``load`` does, and the state to go on training from, where the file is a checkpoint."""
    file = _file_at(Path(path))
    arrays, facts = _read(file)
    try:
        return _put_together(arrays, facts), _state_of(arrays, facts)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(f"{file} is not a valid model: {_reason(error)}") from error


def _file_at(path: Path) -> Path:
    file = path / FILE_NAME if path.is_dir() else path
    if not file.exists():
        best = path / "best" / FILE_NAME
        if best.exists():  # a run folder
            return best
        raise ModelError(
            f"{path} is no model: there is no such file" if file == path else f"{path} holds no {FILE_NAME}"
        )
    return file


def _read(file: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return arrays and facts of a file, once they are what was written."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            text = (opened.metadata() or {}).get(_KEY)
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, AttributeError, OSError) as error:
        raise ModelError(f"{file} is not a whole model file: {_reason(error)}") from error
    if text is None:
        raise ModelError(f"{file} is a safetensors file, but not one of fastmlp's models")
    try:
        facts = json.loads(text)
        version = facts["format"]
        if version == FORMAT and facts.pop("sha256") != _digest(arrays, facts):
            raise ModelError(f"{file} has been altered or damaged: its SHA-256 is not the one it was written with")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{file} is not a valid model: its metadata cannot be read") from error
    if version != FORMAT:
        raise ModelError(
            f"{file} was written by fastmlp {facts.get('version', '?')} in format {version}; this is fastmlp "
            f"{__version__}, which reads format {FORMAT}: upgrade fastmlp"
        )
    return arrays, facts


def _taken_apart(model: Model) -> tuple[Arrays, dict[str, Any]]:
    preparation = model.preparation
    arrays = {name: np.ascontiguousarray(array) for name, array in model.parameters.items()}
    if preparation.transformer is not None:
        arrays[_PREPARATION] = np.frombuffer(transformer_to_bytes(preparation.transformer), np.uint8)
    facts = {
        "format": FORMAT,
        "version": __version__,
        "task": model.task,
        "activation": model.activation,
        "dtype": str(model.parameters["W1"].dtype),
        "sizes": list(model.sizes),
        "input_scale": preparation.input_scale,
        "stored": preparation.stored,
        "columns": None if preparation.columns is None else list(preparation.columns.items()),
        "labels": list(model.labels),
        "target": model.target,
        "mean": model.mean,
        "scale": model.scale,
        "about": dict(model.about),
    }
    return arrays, facts


def _put_together(arrays: Arrays, facts: Mapping[str, Any]) -> Model:
    sizes = _sizes(facts["sizes"])
    dtype = _one_of("dtype", facts["dtype"], DTYPES)
    task = _one_of("task", facts["task"], TASKS)
    parameters = _layers(arrays, "", sizes, dtype)
    labels = _labels(facts["labels"])
    outputs = len(labels) if task == "classify" else 1
    if sizes[-1] != outputs:
        raise ValueError(f"{sizes[-1]} outputs do not fit {outputs} labels")
    unknown = [name for name in arrays if not re.fullmatch(_NAMES, name)]
    if unknown:
        raise ValueError(f"it holds arrays that are no part of a model: {', '.join(unknown)}")
    return Model(
        parameters,
        _preparation(arrays, facts, sizes[0]),
        task,
        _one_of("activation", facts["activation"], ACTIVATIONS),
        labels,
        facts["target"],
        _finite("mean", facts["mean"]),
        _finite("scale", facts["scale"]),
        dict(facts["about"]),
    )


def _preparation(arrays: Arrays, facts: Mapping[str, Any], inputs: int) -> Preparation:
    columns = None if facts["columns"] is None else {str(name): bool(kind) for name, kind in facts["columns"]}
    content = arrays.get(_PREPARATION)
    transformer = None if content is None else transformer_from_bytes(content.tobytes())
    preparation = Preparation(columns, facts["stored"], transformer, _finite("input_scale", facts["input_scale"]))
    refuse_unfitting(preparation, inputs)
    return preparation


def _sizes(sizes: Any) -> list[int]:
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(f"sizes must be of inputs, hidden layers and outputs, got {sizes!r}")
    return sizes


def _labels(labels: Any) -> tuple[int | str, ...]:
    if not all(isinstance(label, int | str) for label in labels) or len(set(labels)) < len(labels):
        raise ValueError("labels must be different texts or whole numbers")
    return tuple(labels)


def _state_of(arrays: Arrays, facts: Mapping[str, Any]) -> TrainingState | None:
    found = facts.get("state")
    if found is None:
        return None
    slots = tuple(
        _layers(arrays, f"slot{slot}/" if slot else "", facts["sizes"], facts["dtype"])
        for slot in range(found["slots"])
    )
    return TrainingState(slots, found["random"], found["steps"], History(**found["history"]))


def _layers(arrays: Arrays, prefix: str, sizes: list[int], dtype: str) -> Arrays:
    """Return W1, b1, W2 ... of these sizes. Raises ValueError where they are others."""
    layers = {}
    for l, (inputs, units) in enumerate(pairwise(sizes), 1):
        for name, shape in ((f"W{l}", (inputs, units)), (f"b{l}", (units,))):
            array = arrays[prefix + name]
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(
                    f"{prefix}{name} must be {dtype} of shape {shape}, got {array.dtype} of shape {array.shape}"
                )
            layers[name] = array
    return layers


def _digest(arrays: Arrays, facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return str(value)


def _finite(name: str, value: Any) -> float:
    number(name, value)
    return float(value)


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
