"""Probabilities of rows in every system, each in the way its own users would write it, in its own process.

Every function of PREDICTORS takes (work, X, threads) and returns (predict, array): ``predict()`` does the work once
and returns what the system itself returns, ``array`` makes NumPy's array of that. Each is given rows as it likes them.
"""

import time

import numpy as np
from suite.data import CLASSES, strokes
from suite.work import MNIST_128, Work

from .training import named, sklearn_model, torch_network

SCALE = np.float32(1 / 255)
TURN_SECONDS = 0.3
CHECKED_ROWS = 50


def predict_rows(turns, threads: int, system: str, rows: int, stored: bool = False) -> dict:
    """Predict the same rows as often as fills a turn; return probabilities of the first ones.

    stored: uint8 rows that are scaled on the way, where fastmlp alone takes them
    """
    X = np.ascontiguousarray(strokes(max(rows, CHECKED_ROWS))[0])
    X = X if stored else X * SCALE
    probabilities = _probabilities(system, X[:CHECKED_ROWS], threads)
    predict, _ = PREDICTORS[system](MNIST_128, X[:rows], threads)
    predict()
    began = time.perf_counter()
    predict()
    turns.units = max(1, round(TURN_SECONDS / (time.perf_counter() - began)))
    while turns():
        for _ in range(turns.units):
            predict()
    return {"probabilities": probabilities}


def _probabilities(system: str, X: np.ndarray, threads: int) -> list[list[float]]:
    predict, array = PREDICTORS[system](MNIST_128, X, threads)
    return np.asarray(array(predict()), np.float64).tolist()


def _fastmlp(work: Work, X, threads):
    from fastmlp import Trainer

    scale = float(SCALE) if X.dtype == np.uint8 else 1.0
    trainer = Trainer(**work.trainer_options(), input_scale=scale, threads=threads)
    trainer.parameters = named(work.start())
    return lambda: trainer.predict_proba(X), np.asarray


def _numpy(work: Work, X, threads):
    weights = work.start()

    def predict():
        A = X
        for W, b in weights[:-1]:
            A = A @ W
            A += b
            np.maximum(A, 0, out=A)
        W, b = weights[-1]
        Z = A @ W
        Z += b
        Z -= Z.max(axis=1, keepdims=True)
        np.exp(Z, out=Z)
        Z /= Z.sum(axis=1, keepdims=True)
        return Z

    return predict, np.asarray


def _sklearn(work: Work, X, threads):
    model = sklearn_model(work, np.resize(X, (work.batch_size, X.shape[1])), np.arange(CLASSES))
    return lambda: model.predict_proba(X), np.asarray


def _torch(work: Work, X, threads):
    import torch

    network, rows = torch_network(work, threads).eval(), torch.from_numpy(X)

    def predict():
        with torch.inference_mode():
            return network(rows).softmax(dim=1)

    return predict, lambda probabilities: probabilities.numpy()


def _onnxruntime(work: Work, X, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(_onnx_model(work), options, providers=["CPUExecutionProvider"])
    inputs = {"X": X}
    return lambda: session.run(None, inputs)[0], np.asarray


def _onnx_model(work: Work) -> bytes:
    """Return the network with its initial weights in ONNX's format."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, arrays, value = [], [], "X"
    for name, array in (weights := named(work.start())).items():
        arrays.append(numpy_helper.from_array(array, name))
    layers = len(weights) // 2
    for l in range(1, layers + 1):
        nodes.append(helper.make_node("Gemm", [value, f"W{l}", f"b{l}"], [f"Z{l}"]))
        last = l == layers
        value = "P" if last else f"A{l}"
        nodes.append(helper.make_node(*(("Softmax", [f"Z{l}"]) if last else ("Relu", [f"Z{l}"])), [value]))
    first, *_, classes = work.sizes
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, first])]
    outputs = [helper.make_tensor_value_info("P", TensorProto.FLOAT, [None, classes])]
    graph = helper.make_graph(nodes, "network", inputs, outputs, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    return model.SerializeToString()


def _jax(work: Work, X, threads):
    import jax
    from jax import numpy as jnp

    @jax.jit
    def probabilities(weights, rows):
        for W, b in weights[:-1]:
            rows = jax.nn.relu(rows @ W + b)
        W, b = weights[-1]
        return jax.nn.softmax(rows @ W + b)

    weights, rows = jax.tree.map(jnp.asarray, work.start()), jnp.asarray(X)
    return lambda: probabilities(weights, rows).block_until_ready(), np.asarray


PREDICTORS = {
    "fastmlp": _fastmlp,
    "numpy": _numpy,
    "sklearn": _sklearn,
    "torch": _torch,
    "jax": _jax,
    "onnxruntime": _onnxruntime,
}
