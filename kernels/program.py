"""Which compiled kernels a network runs: the addresses in its layers, for its dtype, activation and optimiser."""

import numpy as np
from numba import from_dtype, typeof, types

from fastmlp.kernels.activation import IDENTITY
from fastmlp.kernels.gather import Ahead
from fastmlp.kernels.jit import Choice, address_of
from fastmlp.kernels.layout import ROWS, Panel, matrix_type
from fastmlp.kernels.matmul import affine, affine_nonzero, backprop, transpose_rows
from fastmlp.kernels.softmax_nll import softmax_nll
from fastmlp.kernels.tile import Shape
from fastmlp.kernels.update import Descent, update, update_biases, update_nonzero
from fastmlp.kernels.zeros import inputs_type, mark_nonzeros

_INT = types.intp
_INTS = types.Array(types.int64, 1, "C")
_LOSSES = types.Array(types.float64, 1, "C")


def _panel(dtype):
    buffer = types.Array(from_dtype(np.dtype(dtype)), 1, "C")
    return types.NamedTuple((buffer, _INT, _INT, _INT, _INT), Panel)


_AHEAD = types.NamedTuple((types.Array(types.uint8, 1, "C", readonly=True), _INT, _INTS, _INT, _INT), Ahead)
_DESCENT = types.NamedUniTuple(types.float64, len(Descent._fields), Descent)


def assemble(layers: np.ndarray, dtype, activation: Choice, rule: Choice, skip_zeros: bool) -> None:
    """Compile or load the kernels of each layer and write their addresses into its record.

    skip_zeros: let the first layer visit only what is not zero among its inputs
    """
    layers["softmax_nll"] = address_of(
        softmax_nll, (matrix_type(dtype), _INTS, _INTS, _INT, _INT, _INT, _INT, types.float64, _LOSSES)
    )
    layers["transpose"] = address_of(transpose_rows, (matrix_type(dtype), _INT, _INT, matrix_type(dtype), _INT))
    M, P, I = matrix_type(dtype), _panel(dtype), inputs_type(dtype)
    layers["mark_nonzeros"] = address_of(mark_nonzeros, (I, _INT)) if skip_zeros else 0
    for l, layer in enumerate(layers):
        tile, row = typeof(Shape(ROWS, int(layer["vectors"]))), typeof(Shape(1, int(layer["vectors"])))
        is_output = l == len(layers) - 1
        choice = typeof(IDENTITY if is_output else activation)
        forward, backward = (affine_nonzero, update_nonzero) if skip_zeros and l == 0 else (affine, update)
        layer["affine"] = address_of(forward, (tile, choice, I, M, M, M, _INT, _INT, _INT, _INT, _AHEAD))
        if not is_output:
            layer["backprop"] = address_of(backprop, (tile, choice, M, M, M, M, _INT, _INT, _INT))
        layer["update"] = address_of(backward, (tile, typeof(rule), I, M, _INT, P, _INT, _INT, _INT, _DESCENT))
        layer["update_biases"] = address_of(update_biases, (row, typeof(rule), M, _INT, P, _INT, _DESCENT))
