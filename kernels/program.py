"""Which compiled kernels a network runs: the addresses in its layers and panels, for its dtype, activation and rule."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import from_dtype, typeof, types

from fastmlp.kernels.activation import OUTPUT, RELU
from fastmlp.kernels.active import affine_active, backprop_active, mark_active, pays, update_active
from fastmlp.kernels.clipping import apply_clipped
from fastmlp.kernels.dropout import drop
from fastmlp.kernels.halves import signature_to_train, train_halves
from fastmlp.kernels.inputs import (
    ACTIVE,
    ENTRIES,
    EVERYTHING,
    NONZEROS,
    PAIRS,
    SINGLES,
    SPLIT,
    VISIT_ACTIVE,
    VISIT_ALL,
    VISIT_ENTRIES,
    VISIT_SPLIT,
    Visiting,
    inputs_type,
)
from fastmlp.kernels.jit import Choice, address_of
from fastmlp.kernels.layout import Layout, Panel, blocks_type, matrix_type, tile_shape
from fastmlp.kernels.lone import affine_lone, update_lone
from fastmlp.kernels.losses import logistic_nll, poisson_nll, squared_error
from fastmlp.kernels.matmul import (
    add_halves,
    affine,
    affine_entries,
    affine_lean,
    affine_nonzero,
    affine_onto,
    backprop,
    multiply,
    transpose_rows,
)
from fastmlp.kernels.parts import apply_parts, signature_to_apply
from fastmlp.kernels.rules import KEEP, KEEP_PART, Descent
from fastmlp.kernels.shape import Shape
from fastmlp.kernels.singles import affine_pairs, affine_singles, update_pairs, update_singles
from fastmlp.kernels.softmax_nll import ABREAST, probabilities, softmax_nll
from fastmlp.kernels.sparse import link_columns, touch_all
from fastmlp.kernels.split import WAYS
from fastmlp.kernels.targets import targets_type
from fastmlp.kernels.untouched import catch_up, make_up_panel, pass_step
from fastmlp.kernels.update import (
    apply_kept,
    is_large,
    sum_squares,
    update,
    update_biases,
    update_entries,
    update_large,
    update_nonzero,
)
from fastmlp.kernels.zeros import GROUP, mark_columns, mark_groups

_INT = types.intp
_INTS = types.Array(types.int64, 1, "C")
_FLOATS = types.Array(types.float64, 1, "C")
_STEPS = types.Array(types.float64, 2, "C")


def _panel(dtype):
    buffer = types.Array(from_dtype(np.dtype(dtype)), 1, "C")
    return types.NamedTuple((buffer, _INT, _INT, _INT, _INT), Panel)


_FORWARD = {
    EVERYTHING: affine,
    NONZEROS: affine_nonzero,
    PAIRS: affine_pairs,
    SINGLES: affine_singles,
    ACTIVE: affine_active,
    ENTRIES: affine_entries,
}
_UPDATE = {
    EVERYTHING: update,
    NONZEROS: update_nonzero,
    PAIRS: update_pairs,
    SINGLES: update_singles,
    ACTIVE: update_active,
    ENTRIES: update_entries,
}


def _tile_to_visit(kind: Choice, vectors: int):
    """Return the type of the shape of the tiles of a panel of so many vectors, whose inputs are visited so."""
    of_all = tile_shape(vectors)
    shapes = {EVERYTHING: of_all, ACTIVE: of_all, NONZEROS: Shape(GROUP, vectors), SPLIT: tile_shape(1)}
    return typeof(shapes.get(kind, Shape(1, vectors)))


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
    visiting: Visiting  # which inputs the first layer visits
    squares: bool  # whether to sum up squared weights for the loss
    drops: bool  # whether there is dropout
    clips: bool  # whether gradients are clipped
    parts: int  # in how many each minibatch is trained

    @property
    def keeps(self) -> bool:
        """Whether something is done to gradients before the rule is applied."""
        return self.clips or self.parts > 1


class _Place(NamedTuple):
    """Where in a network a layer is, and what it is there."""

    is_first: bool
    is_output: bool
    is_lone: bool  # for ``kernels.lone``: one unit and the padding of a register
    is_in_halves: bool  # whether its products are
    leaves_out: bool  # whether to leave out what of its inputs is zero (``kernels.active``)
    next_leaves_out: bool  # the same of the gradient that comes back from the next layer


def _place_of(plan: Layout, l: int, has_zeros: bool = False) -> _Place:
    """Return the place of layer l; has_zeros: whether activations have many."""
    layer, is_output = plan.layers[l], l == len(plan.layers) - 1
    leaves_out = has_zeros and l > 0 and not is_output and plan.layers[l - 1]["bits"] and pays(int(layer["inputs"]))
    next_leaves_out = has_zeros and l + 2 < len(plan.layers) and pays(int(plan.layers[l + 1]["units"]))
    # a panel is a whole tile of the next layer's inputs, and registers of two float64 are less than that
    is_lone = is_output and int(layer["units"]) == 1 and int(plan.panels_of(layer)["vectors"][0]) == 1
    return _Place(l == 0, is_output, is_lone, bool(layer["halves"] > 1), bool(leaves_out), next_leaves_out)


def assemble(plan: Layout, dtype, rows: int, chosen: Program) -> None:
    """Compile or load the kernels of a network, for minibatches of so many rows, and write their addresses down."""
    dtype = np.dtype(dtype)
    large = is_large(rows)
    for l, layer in enumerate(plan.layers):
        place = _place_of(plan, l, has_zeros=chosen.activation is RELU and not large)
        _write(_of_layer(dtype, chosen, place), layer)
        # a member drops out its own columns; entries are of all rows; for each piece, weights would be split again
        if chosen.drops or chosen.visiting == VISIT_ENTRIES or (place.is_first and chosen.visiting == VISIT_SPLIT):
            layer["pieces"] = 1
        for panel in plan.panels_of(layer):
            _write(_of_panel(dtype, chosen, int(panel["vectors"]), large, place), panel)


def _write(addresses: dict[str, int], record) -> None:
    for name, address in addresses.items():
        record[name] = address


@cache  # as are those of panels: small networks are made often
def _of_layer(dtype, chosen: Program, place: _Place) -> dict[str, int]:
    """Return the kernels that a layer runs for all of its panels."""
    M = matrix_type(dtype)
    found = {"transpose": address_of(transpose_rows, (M, _INT, _INT, M, _INT))}
    if place.is_output:
        arguments = (M, targets_type(dtype), _INTS, _INT, _INT, _INT, _INT, types.float64, _FLOATS)
        found["loss"] = address_of(LOSSES[chosen.loss], arguments)
    if chosen.drops:
        for name, kind in (("drop", blocks_type(dtype)), ("drop_gradients", M)):
            found[name] = address_of(drop, (kind, _INT, _INT, _INT, types.float64, types.float64, _INT))
    if chosen.keeps and place.is_first:
        found["apply_all"] = address_of(apply_clipped if chosen.clips else apply_parts, signature_to_apply(dtype))
    if place.is_first and place.is_in_halves:
        found["train"] = address_of(train_halves, signature_to_train(dtype))
    if place.leaves_out:
        found["mark_active"] = address_of(mark_active, (inputs_type(dtype), M, _INT, _INT))
    return found | (_to_visit(chosen, dtype) if place.is_first else {})


def _to_visit(chosen: Program, dtype) -> dict[str, int]:
    """Return the kernels that a first layer runs before its products."""
    inputs = inputs_type(dtype)
    if chosen.visiting.update is NONZEROS:
        return {"mark": address_of(mark_groups, (inputs, _INT, _INT))}
    if chosen.visiting.update in (PAIRS, SINGLES):
        return {"mark": address_of(mark_columns, (inputs, _INT, _INT))}
    if chosen.visiting == VISIT_ENTRIES:
        network, _, member, *_ = signature_to_apply(dtype)
        return {
            "mark": address_of(link_columns, (inputs, _INT, _INT)),
            "touch_all": address_of(touch_all, (inputs,)),
            "pass_step": address_of(pass_step, (_rule_of_tiles(chosen), inputs, _INT, _DESCENT)),
            "catch_up": address_of(catch_up, (inputs, network, _STEPS, _INT, member, _DESCENT)),
        }
    return {}


def _rule_of_tiles(chosen: Program):
    """Return the type of the rule that gradients in tiles are given to."""
    if chosen.parts > 1:
        return typeof(KEEP_PART)
    return typeof(KEEP if chosen.clips else chosen.rule)


def _visiting_of_panel(chosen: Program, vectors: int, place: _Place) -> Visiting:
    """Return which inputs a panel of so many vectors visits."""
    visiting = chosen.visiting if place.is_first else VISIT_ACTIVE if place.leaves_out else VISIT_ALL
    if vectors > 1:
        return visiting
    # a single sum would wait for itself at each visit
    return Visiting(*(EVERYTHING if kind in (PAIRS, SINGLES, ACTIVE) else kind for kind in visiting))


@cache
def _of_panel(dtype, chosen: Program, vectors: int, large: bool, place: _Place) -> dict[str, int]:
    """Return the kernels of a panel of so many vectors."""
    M, P, I = matrix_type(dtype), _panel(dtype), inputs_type(dtype)
    visiting, rule = _visiting_of_panel(chosen, vectors, place), _rule_of_tiles(chosen)
    if visiting == VISIT_SPLIT:
        forward, backward = WAYS[dtype].affine, WAYS[dtype].update
    else:
        forward, backward = _FORWARD[visiting.forward], _UPDATE[visiting.update]
    if place.is_lone and visiting == VISIT_ALL:
        forward, backward = affine_lone, update_lone
    elif large and visiting.update is EVERYTHING:
        backward = update_large
    if place.is_in_halves and not place.is_first:
        forward = affine_onto
    block, row = typeof(tile_shape(vectors)), typeof(Shape(1, vectors))
    choice = typeof(OUTPUT if place.is_output else chosen.activation)
    tile, tile_to_update = (_tile_to_visit(kind, vectors) for kind in visiting)
    found = {
        "affine": _affine_address(forward, tile, choice, dtype),
        "update": address_of(backward, (tile_to_update, rule, I, M, _INT, P, _INT, _INT, _INT, _DESCENT)),
        "update_biases": address_of(update_biases, (row, rule, M, _INT, P, _INT, _DESCENT)),
    }
    if place.is_in_halves and place.is_first:
        found["multiply_half"] = _affine_address(forward, tile, typeof(OUTPUT), dtype)
        found["add_halves"] = address_of(add_halves, (block, choice, M, blocks_type(dtype), M, _INT, _INT, _INT))
    elif place.is_in_halves:
        found["multiply"] = address_of(multiply, (tile, I, M, M, _INT, _INT, _INT, _INT, _INT))
    if not place.is_output:
        back = backprop_active if place.next_leaves_out and vectors > 1 else backprop
        found["backprop"] = address_of(back, (block, choice, M, M, M, _INT, _INT, _INT, _INT, _INT))
    if chosen.keeps:
        arguments = (row, typeof(chosen.rule), P, _INT, _INT, _INT, types.float64, _DESCENT)
        found["apply"] = address_of(apply_kept, arguments)
    if chosen.squares or chosen.clips:
        found["squares"] = address_of(sum_squares, (row, M, types.Array(M.dtype, 1, "C"), _INT))
    if visiting == VISIT_ENTRIES:
        found["make_up"] = address_of(make_up_panel, (row, rule, I, P, _STEPS, _INT, _DESCENT))
    return found


def assemble_to_predict(plan: Layout, dtype, activation: Choice, sparse: bool, single: bool) -> None:
    """Compile or load the kernels that scores take and write their addresses down.

    sparse: whether rows are; single: whether there is only one at a time
    """
    first, first_rows = (affine_entries, 1) if sparse else (affine_lean, GROUP)
    for l, layer in enumerate(plan.layers):
        place = _place_of(plan, l)
        forward = first if place.is_first else affine_lone if place.is_lone and not single else affine
        choice = typeof(OUTPUT if place.is_output else activation)
        for panel in plan.panels_of(layer):
            vectors = int(panel["vectors"])
            many = Shape(first_rows, vectors) if place.is_first else tile_shape(vectors)
            tile = typeof(Shape(1, vectors) if single else many)
            panel["affine"] = _affine_address(forward, tile, choice, np.dtype(dtype))
    rows = typeof(Shape(1 if single else ABREAST, 1))
    plan.layers[-1]["probabilities"] = address_of(probabilities, (rows, matrix_type(dtype), _INT, _INT))


@cache
def _affine_address(forward, tile, choice, dtype) -> int:
    M, A, I = matrix_type(dtype), blocks_type(dtype), inputs_type(dtype)
    return address_of(forward, (tile, choice, I, M, M, A, M, _INT, _INT, _INT, _INT, _INT))
