"""Which compiled kernels a network runs: the addresses in its layers, for its dtype, activation and optimiser."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import from_dtype, typeof, types

from fastmlp.kernels.activation import IDENTITY
from fastmlp.kernels.clipping import apply_clipped, signature_to_clip
from fastmlp.kernels.dropout import drop
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
from fastmlp.kernels.update import (
    KEEP,
    Descent,
    apply_kept,
    sum_squares,
    update,
    update_biases,
    update_entries,
    update_nonzero,
)
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
    drops: bool  # whether there is dropout
    clips: bool  # whether gradients are clipped


def assemble(layers: np.ndarray, dtype, chosen: Program) -> None:
    """Compile or load the kernels of each layer and write their addresses into its record."""
    for l, layer in enumerate(layers):
        place = (l == 0, l == len(layers) - 1)
        for name, address in _addresses(np.dtype(dtype), chosen, int(layer["vectors"]), *place):
            layer[name] = address


@cache
def _addresses(dtype, chosen: Program, vectors: int, is_first: bool, is_output: bool) -> tuple[tuple[str, int], ...]:
    """Return the kernels of a layer with panels of so many vectors: found once, as small networks are made often."""
    M, P, I = matrix_type(dtype), _panel(dtype), inputs_type(dtype)
    final_rule, visiting = typeof(chosen.rule), chosen.visiting if is_first else EVERYTHING
    rule = typeof(KEEP) if chosen.clips else final_rule
    forward, backward, rows = _KERNELS[visiting]
    tile, block, row = (typeof(Shape(count, vectors)) for count in (rows, ROWS, 1))
    choice = typeof(IDENTITY if is_output else chosen.activation)
    found = {
        "affine": _affine_address(forward, tile, choice, dtype),
        "update": address_of(backward, (tile, rule, I, M, _INT, P, _INT, _INT, _INT, _DESCENT)),
        "update_biases": address_of(update_biases, (row, rule, M, _INT, P, _INT, _DESCENT)),
        "transpose": address_of(transpose_rows, (M, _INT, _INT, M, _INT)),
    }
    if is_output:
        targets = targets_type(dtype)
        arguments = (M, targets, _INTS, _INT, _INT, _INT, _INT, types.float64, _FLOATS)
        found["loss"] = address_of(LOSSES[chosen.loss], arguments)
    else:
        found["backprop"] = address_of(backprop, (block, choice, M, M, M, M, _INT, _INT, _INT, types.float64))
    if chosen.drops:
        found["drop"] = address_of(drop, (M, _INT, _INT, _INT, types.float64, types.float64, _INT))
    if chosen.clips and is_first:
        found["clip"] = address_of(apply_clipped, signature_to_clip(dtype))
    if chosen.clips:
        found["apply"] = address_of(apply_kept, (row, final_rule, P, types.float64, _DESCENT))
    if chosen.squares or chosen.clips:
        found["squares"] = address_of(sum_squares, (row, M, types.Array(M.dtype, 1, "C"), _INT))
    return tuple((found | _visits(visiting, row, rule, I, P)).items())


def _visits(visiting, row, rule, inputs, panel) -> dict[str, int]:
    """Return the kernels that a first layer runs before its products."""
    found = dict.fromkeys(("mark", "catch_up", "pass_step", "touch_all"), 0)
    if visiting is NONZEROS:
        found["mark"] = address_of(mark_nonzeros, (inputs, _INT, _INT))
    if visiting is ENTRIES:
        found["mark"] = address_of(link_columns, (inputs, _INT, _INT))
        found["touch_all"] = address_of(touch_all, (inputs,))
        found["pass_step"] = address_of(pass_step, (rule, inputs, _INT, _DESCENT))
        found["catch_up"] = address_of(catch_up, (row, rule, inputs, panel, _STEPS, _INT, _DESCENT))
    return found


def assemble_to_predict(layers: np.ndarray, dtype, activation: Choice, sparse: bool, rows: int) -> None:
    """Compile or load the kernels that scores take and write their addresses into the layers' records.

    sparse: whether rows are; rows: of the tiles, ROWS or 1
    """
    first, first_rows = (affine_entries, 1) if sparse else (affine_lean, rows)
    for l, layer in enumerate(layers):
        forward, tile_rows = (first, first_rows) if l == 0 else (affine, rows)
        tile = typeof(Shape(tile_rows, int(layer["vectors"])))
        is_output = l == len(layers) - 1
        layer["affine"] = _affine_address(forward, tile, typeof(IDENTITY if is_output else activation), np.dtype(dtype))


@cache
def _affine_address(forward, tile, choice, dtype) -> int:
    M, I = matrix_type(dtype), inputs_type(dtype)
    return address_of(forward, (tile, choice, I, M, M, M, M, _INT, _INT, _INT, _INT, _AHEAD))
