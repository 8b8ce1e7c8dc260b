"""Models as ONNX files, which run without fastmlp: from rows as they are stored to answers."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.exporting.graph import TEXT, Graph
from fastmlp.exporting.onnx_inputs import PREPARED, add_inputs
from fastmlp.files import write_whole
from fastmlp.kernels.activation import GELU_CUBE, GELU_RATE, LEAK
from fastmlp.model import Model

_ABOUT = "A missing number is NaN, a missing category the empty string."


def export_onnx(model: Model, path: str | PathLike[str]) -> None:
    """Write a model as an ONNX file, whole or not at all.

    Inputs: of a table one (N, 1) for each column, by its name: numbers are float64, NaN where missing; categories are
    strings, empty where missing (unless training had rows with empty text, which is a category then). Of rows without
    names "X" (N, D), unscaled: float32 for bytes and sparse rows, float64 for other arrays.
    Outputs: "label" (N,) and "probabilities" (N, C), or "value" (N,), float64; with an underscore behind a name that a
    column has. A column without a name is called "unnamed".

    Raises ImportError without onnx, ValueError for what ONNX cannot express, OSError where it cannot be written.
    """
    preparation = model.preparation
    graph = Graph(preparation.columns or ())
    scores = _add_network(graph, add_inputs(graph, preparation, model.sizes[0]), model)
    if model.task == "classify":
        _add_classes(graph, scores, model)
    else:
        _add_values(graph, scores, model)
    write_whole(Path(path), graph.to_bytes(_ABOUT))


def _add_network(graph: Graph, inputs: str, model: Model) -> str:
    """Add the layers, in the dtype of the parameters, and return the name of the scores (N, C)."""
    dtype = model.parameters["W1"].dtype
    a = inputs if dtype == PREPARED else graph.cast(inputs, dtype)
    if model.preparation.input_scale != 1:
        a = graph.add("Mul", a, graph.constant(np.array(model.preparation.input_scale, dtype)))
    layers = len(model.sizes) - 1
    for l in range(1, layers + 1):
        W, b = (graph.constant(model.parameters[f"{kind}{l}"]) for kind in "Wb")
        a = graph.add("Gemm", a, W, b)
        if l < layers:
            a = _add_activation(graph, a, model.activation, dtype)
    return a


def _add_activation(graph: Graph, z: str, activation: str, dtype: np.dtype[Any]) -> str:
    def number(value: float) -> str:
        return graph.constant(np.array(value, dtype))

    if activation == "identity":
        return z
    if activation == "leaky_relu":
        return graph.add("LeakyRelu", z, alpha=LEAK)
    if activation == "silu":  # of Sigmoid and Mul, ONNX Runtime up to 1.24 makes a node that it lacks in float64
        return graph.add("Div", z, graph.add("Add", graph.add("Exp", graph.add("Neg", z)), number(1)))
    if activation == "gelu":
        square = graph.add("Mul", graph.add("Mul", z, z), number(GELU_CUBE))
        inner = graph.add("Mul", graph.add("Mul", graph.add("Add", square, number(1)), z), number(GELU_RATE))
        return graph.add("Mul", graph.add("Mul", graph.add("Add", graph.add("Tanh", inner), number(1)), z), number(0.5))
    return graph.add({"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}[activation], z)


def _add_classes(graph: Graph, scores: str, model: Model) -> None:
    probabilities = graph.add("Softmax", scores, axis=1)
    labels = _labels(model)
    best = graph.add("ArgMax", probabilities, axis=1, keepdims=0)
    graph.output(graph.add("Gather", graph.constant(labels), best), "label", labels.dtype)
    graph.output(probabilities, "probabilities", model.parameters["W1"].dtype, len(labels))


def _labels(model: Model) -> NDArray[Any]:
    texts = any(isinstance(label, str) for label in model.labels)
    return np.array(model.labels, TEXT if texts else np.int64)


def _add_values(graph: Graph, scores: str, model: Model) -> None:
    """Bring the outputs to the target's units in float64: it may be a small difference of large numbers."""
    values = graph.add("Reshape", graph.cast(scores, np.float64), graph.constant(np.array([-1])))
    values = graph.add("Mul", values, graph.constant(np.array(model.scale, np.float64)))
    values = graph.add("Add", values, graph.constant(np.array(model.mean, np.float64)))
    graph.output(values, "value", np.float64)
