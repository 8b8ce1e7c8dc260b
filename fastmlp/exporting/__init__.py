"""Trained models in formats that other libraries run: ONNX, and PyTorch's weights."""

from os import PathLike

from fastmlp.exporting.onnx import export_onnx
from fastmlp.exporting.torch import export_torch
from fastmlp.model_file import AnyModel, model_at

__all__ = ["KINDS", "export", "export_onnx", "export_torch"]

_WRITERS = {"onnx": export_onnx, "torch": export_torch}
KINDS = tuple(_WRITERS)


def export(model: AnyModel, path: str | PathLike[str], kind: str = "onnx") -> None:
    """Write a model, or the one at a path, to a file, whole or not at all, as ``export_onnx`` or ``export_torch`` does.

    Raises ValueError for another kind, OSError where the file cannot be written; what was there is replaced.
    """
    if kind not in _WRITERS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    _WRITERS[kind](model_at(model), path)
