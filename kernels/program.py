"""Which compiled kernels a network runs: the addresses in its layers, for its dtype, activation and optimiser."""

from typing import NamedTuple

import numpy as np
from numba import from_dtype, typeof, types

from fastmlp.kernels.activation import IDENTITY
from fastmlp.kernels.gather import Ahead
from fastmlp.kernels.inputs import ENTRIES, EVERYTHING, NONZEROS, inputs_type
from fastmlp.kernels.jit import Choice, address_of
from fastmlp.kernels.layout import ROWS, Panel, matrix_type
from fastmlp.kernels.losses import logistic_nll, poisson_nll, squared_error
from fastmlp.kernels.matmul import affine, affine_entries, affine_lean, affine_nonzero, backprop, transpose_rows
from fastmlp.kernels.softmax_nll import softmax_nll
from fastmlp.kernels.sparse import link_columns, touch_all
from fastmlp.kernels.targets import targets_type
from fastmlp.kernels.tile import Shape
from fastmlp.kernels.untouched import catch_up, pass_step
from fastmlp.kernels.update import Descent, sum_squares, update, update_biases, update_entries, update_nonzero
from fastmlp.kernels.zeros import mark_nonzeros

_INT = types.intp
_INTS = types.Array(types.int64, 1, "C")
_FLOATS = types.Array(types.float64, 1, "C")
_STEPS = types.Array(types.float64, 2, "C")


def _panel(dtype):
    buffer = types.Array(from_dtype(np.dtype(dtype)), 1, "C")
    return types.NamedTuple((buffer, _INT, _INT, _INT, _INT), Panel)


# what a kind of visiting the inputs takes: forward, update, the rows of their tiles
_KERNELS = {
    EVERYTHING: (affine, update, ROWS),
    NONZEROS: (affine_nonzero, update_nonzero, ROWS),
    ENTRIES: (affine_entries, update_entries, 1),
}
_AHEAD = types.NamedTuple((types.Array(types.uint8, 1, "C", readonly=True), _INT, _INTS, _INT, _INT), Ahead)
_DESCENT = types.NamedUniTuple(types.float64, len(Descent._fields), Descent)


LOSSES = {
    "softmax": softmax_nll,
    "logistic": logistic_nll,
    "squared_error": squared_error,
    "poisson": poisson_nll,
}


class Program(NamedTuple):
    """What is chosen of the kernels that train a network."""

    activation: Choice
    loss: str  # one of LOSSES
    rule: Choice
    visiting: Choice  # what the first layer visits of its inputs (kernels.inputs)
    squares: bool  # whether to sum up squared weights for the loss


def assemble(layers: np.ndarray, dtype, chosen: Program) -> None:
    """Compile or load the kernels of each layer and write their addresses into its record."""
    activation, rule, visiting = chosen.activation, chosen.rule, chosen.visiting
    M, P, I = matrix_type(dtype), _panel(dtype), inputs_type(dtype)
    rows_and_targets = (M, targets_type(dtype), _INTS, _INT, _INT, _INT, _INT, types.float64, _FLOATS)
    layers["loss"] = address_of(LOSSES[chosen.loss], rows_and_targets)
    layers["transpose"] = address_of(transpose_rows, (M, _INT, _INT, M, _INT))
    for l, layer in enumerate(layers):
        forward, backward, rows = _KERNELS[visiting if l == 0 else EVERYTHING]
        tile, row = (typeof(Shape(count, int(layer["vectors"]))) for count in (rows, 1))
        is_output = l == len(layers) - 1
        choice = typeof(IDENTITY if is_output else activation)
        layer["affine"] = _affine_address(forward, tile, choice, dtype)
        if not is_output:
            block = typeof(Shape(ROWS, int(layer["vectors"])))
            layer["backprop"] = address_of(backprop, (block, choice, M, M, M, M, _INT, _INT, _INT))
        layer["update"] = address_of(backward, (tile, typeof(rule), I, M, _INT, P, _INT, _INT, _INT, _DESCENT))
        layer["update_biases"] = address_of(update_biases, (row, typeof(rule), M, _INT, P, _INT, _DESCENT))
        if chosen.squares:
            layer["squares"] = address_of(sum_squares, (row, M, types.Array(M.dtype, 1, "C"), _INT))
    _assemble_visits(layers[0], I, P, rule, visiting)


def assemble_to_predict(layers: np.ndarray, dtype, activation: Choice, sparse: bool, rows: int) -> None:
    """Compile or load the kernels that scores take and write their addresses into the layers' records.

    sparse: whether rows are; rows: of the tiles, ROWS or 1
    """
    first, first_rows = (affine_entries, 1) if sparse else (affine_lean, rows)
    for l, layer in enumerate(layers):
        forward, tile_rows = (first, first_rows) if l == 0 else (affine, rows)
        tile = typeof(Shape(tile_rows, int(layer["vectors"])))
        is_output = l == len(layers) - 1
        layer["affine"] = _affine_address(forward, tile, typeof(IDENTITY if is_output else activation), dtype)


def _affine_address(forward, tile, choice, dtype) -> int:
    M, I = matrix_type(dtype), inputs_type(dtype)
    return address_of(forward, (tile, choice, I, M, M, M, M, _INT, _INT, _INT, _INT, _AHEAD))


def _assemble_visits(first, inputs, panel, rule, visiting):
    """Write the addresses of what the first layer does before its products."""
    first["mark"] = first["catch_up"] = first["pass_step"] = first["touch_all"] = 0
    if visiting is NONZEROS:
        first["mark"] = address_of(mark_nonzeros, (inputs, _INT, _INT))
    if visiting is ENTRIES:
        first["mark"] = address_of(link_columns, (inputs, _INT, _INT))
        first["touch_all"] = address_of(touch_all, (inputs,))
        first["pass_step"] = address_of(pass_step, (typeof(rule), inputs, _INT, _DESCENT))
        row = typeof(Shape(1, int(first["vectors"])))
        first["catch_up"] = address_of(catch_up, (row, typeof(rule), inputs, panel, _STEPS, _INT, _DESCENT))
