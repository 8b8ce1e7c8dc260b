"""One minibatch, or a part of one (kernels.parts), all phases, as one member of those who share its units runs it.

A member owns panels of every hidden layer, columns of the activations and of their gradients. Of the first layer's
weights it owns the same columns, of every other's the *rows* that belong to its units of the layer before, so that its
weights stay in its own cache; and a share of the minibatch's rows of the scores. Who is done helps members who are
behind (kernels.pieces). Whenever a phase reads what other members wrote, the team meets first.

Every sum runs over all its terms in one order, inside one tile: no result depends on the number of members.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.dropout import Dropout
from fastmlp.kernels.gather import Rows, ask_for, ask_for_targets
from fastmlp.kernels.jit import NOTHING, call, part
from fastmlp.kernels.layout import (
    HALVES,
    biases_of,
    columns_of_group,
    panel_of,
    share_of_rows,
    values,
    weights_of,
)
from fastmlp.kernels.pieces import Member, await_pieces, next_piece, offer_pieces, own_panels
from fastmlp.kernels.products import apply_layer, apply_panel, half_of_units, multiply_panel, own_activations
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.targets import Targets
from fastmlp.kernels.team import meet
from fastmlp.kernels.views import blocks_as_rows, matrix
from fastmlp.kernels.workspace import gradients_of, gradients_of_panel, inputs_of


class Feed(NamedTuple):
    """What is trained on: rows, their targets, an order of them, and the steps that take minibatches from it."""

    data: Rows
    targets: Targets
    order: np.ndarray
    steps: np.ndarray


class Noise(NamedTuple):
    """A step's dropout."""

    dropout: Dropout
    seed: float


@part
def drop_panel(l, panel, drop, M, rows, noise):
    """Drop out some of a panel's columns of a hidden layer's activations, or the same of their gradients.

    drop: the address of the kernel
    """
    if noise.dropout.hidden > 0.0:
        call(drop, M, rows, panel.column, panel.width, noise.dropout.hidden, noise.seed, l + 1)


@part
def drop_own(l, network, rows, work, member, noise):
    """Drop out some of this member's columns of a hidden layer's activations."""
    layer = network.layers[l]
    first, last = own_panels(layer, member)
    for p in range(first, last):
        panel = panel_of(network, layer, p)
        drop_panel(l, panel, layer.drop, own_activations(l, network, panel, work), rows, noise)


@part
def multiply_for_others(l, network, batch, rows, work, member):
    """Compute products of layer l with what this member has at hand, for panels of the other half of the units."""
    layer = network.layers[l]
    piece = offer_pieces(layer, work.team, member)
    while True:
        piece = next_piece(layer, layer.panels, work.team, member, piece)
        if piece.item < 0:
            break
        p = (piece.item + layer.panels // HALVES) % layer.panels
        far = 1 - panel_of(network, layer, p).near
        multiply_panel(l, network, batch, work, far, p, share_of_rows(rows, piece.nth, layer.pieces))


@part
def forward(network, batch, rows, work, member, noise):
    """Compute the activations of all hidden layers. False if the team was aborted."""
    for l in range(len(network.layers) - 1):
        layer = network.layers[l]
        if layer.halves > 1:
            multiply_for_others(l, network, batch, rows, work, member)
            if not meet(work.team, member.index, member.count):
                return False
        if layer.mark_active != 0:
            inputs, kept = inputs_of(l, network, batch, 0, work), gradients_of(network.layers[l - 1], work)
            call(layer.mark_active, inputs, kept, rows, layer.rows)
        piece = offer_pieces(layer, work.team, member)
        while True:
            piece = next_piece(layer, layer.panels, work.team, member, piece)
            if piece.item < 0:
                break
            near, some = panel_of(network, layer, piece.item).near, share_of_rows(rows, piece.nth, layer.pieces)
            apply_panel(l, network, batch, work, near, piece.item, some)
        drop_own(l, network, rows, work, member, noise)
        if not meet(work.team, member.index, member.count):
            return False
    return True


@part
def near_half(member):
    """Return the half of the inputs of the output layer that this member has at hand, or begins with."""
    return member.index * HALVES // member.count


@part
def multiply_scores(l, network, batch, rows, work, member):
    """Compute products of the output layer with what is not at hand to another member, for its rows."""
    other = Member((member.index + member.count // HALVES) % member.count, member.count)
    some = share_of_rows(rows, other.index, other.count)
    for p in range(network.layers[l].panels):
        multiply_panel(l, network, batch, work, 1 - near_half(other), p, some)


@part
def head(network, batch, targets, order, start, rows, scale, work, member):
    """Compute this member's rows of the scores, their losses, and the gradient of ``scale`` * loss in their place.

    False if the team was aborted.
    """
    l = len(network.layers) - 1
    layer = network.layers[l]
    Z = gradients_of(layer, work)
    first, last = share_of_rows(rows, member.index, member.count)
    ask_for_targets(targets, order, start + first, start + last, layer.units)
    near = 0
    if layer.halves > 1:
        near = near_half(member)
        multiply_scores(l, network, batch, rows, work, member)
        if not meet(work.team, member.index, member.count):
            return False
    elif member.count > 1:
        blocks = blocks_as_rows(inputs_of(l, network, batch, 0, work).X)
        ask_for(blocks, (first // BLOCK, (last + BLOCK - 1) // BLOCK), (0, layer.inputs * BLOCK))
    apply_layer(l, network, batch, work, near, (first, last))
    call(layer.loss, Z, targets, order, start, first, last, layer.units, scale, work.losses)
    return True


@part
def loss_of(work, rows, share, decay):
    """Return the loss of a part of a minibatch, from what all members have left in their workspace."""
    losses, squares = 0.0, 0.0
    for i in range(rows):
        losses += work.losses[i]
    for unit in range(work.squares.size):
        squares += work.squares[unit]
    return share * losses + 0.5 * decay * squares


@part
def transpose_weights(network, layer, following, panel, work, member):
    """Return the transpose (following.columns, width) of the weights that lead on from a panel, in own memory."""
    width = panel.width
    WT = matrix(work.transposed, member.index * work.transposed.size // member.count, following.columns, width)
    for q in range(following.panels):
        other = panel_of(network, following, q)
        call(layer.transpose, values(weights_of(network, following, other), 0), panel.column, width, WT, other.column)
    return WT


@part
def backprop_layer(l, network, rows, work, member, noise):
    """Compute this member's columns of the gradient of layer l from the gradient of the layer after it."""
    layer, following = network.layers[l], network.layers[l + 1]
    G_next, width = gradients_of(following, work), columns_of_group(following)
    first, last = own_panels(layer, member)
    if member.count > 1:
        for group in range(following.groups):
            start = group * following.group_rows
            ask_for(G_next, (start, start + rows), (0, min(width, following.units)))
    for p in range(first, last):
        panel = panel_of(network, layer, p)
        G = gradients_of_panel(layer, panel, work)
        WT = transpose_weights(network, layer, following, panel, work, member)
        call(panel.backprop, NOTHING, NOTHING, G_next, WT, G, panel.column, 0, rows, following.units, width)
        drop_panel(l, panel, layer.drop_gradients, G, rows, noise)


@part
def update_panel(layer, network, inputs, work, rows, p, some, descent):
    """Apply the rule to panel p of a layer's weights, for some of its inputs."""
    panel = panel_of(network, layer, p)
    W, G = weights_of(network, layer, panel), gradients_of_panel(layer, panel, work)
    call(panel.update, NOTHING, NOTHING, inputs, G, panel.column, W, some[0], some[1], rows, descent)


@part
def update_layer_biases(layer, network, work, rows, panels, descent):
    """Apply the rule to the biases of some panels of a layer."""
    for p in range(panels[0], panels[1]):
        panel = panel_of(network, layer, p)
        b, G = biases_of(network, panel), gradients_of_panel(layer, panel, work)
        call(panel.update_biases, NOTHING, NOTHING, G, panel.column, b, rows, descent)


@part
def update_rows(l, network, batch, rows, work, member, descent):
    """Apply the rule to this member's rows of a layer's weights, and to pieces of those of members who are behind.

    They are those of its units of the layer before, which are all that it has multiplied the gradient by.
    """
    layer, before = network.layers[l], network.layers[l - 1]
    update_layer_biases(layer, network, work, rows, own_panels(layer, member), descent)
    piece = offer_pieces(layer, work.team, member)
    while True:
        piece = next_piece(layer, before.panels, work.team, member, piece)
        if piece.item < 0:
            break
        panel = panel_of(network, before, piece.item)
        inputs = inputs_of(l, network, batch, half_of_units(l - 1, network, panel), work)
        first, last = share_of_rows(panel.width, piece.nth, layer.pieces)
        for p in range(layer.panels):
            update_panel(layer, network, inputs, work, rows, p, (panel.column + first, panel.column + last), descent)
    await_pieces(layer, work.team, member)


@part
def update_columns(network, batch, rows, work, member, descent):
    """Apply the rule to this member's panels of the first layer, and to pieces of those of members who are behind."""
    layer = network.layers[0]
    update_layer_biases(layer, network, work, rows, own_panels(layer, member), descent)
    piece = offer_pieces(layer, work.team, member)
    while True:
        piece = next_piece(layer, layer.panels, work.team, member, piece)
        if piece.item < 0:
            break
        some = share_of_rows(layer.inputs, piece.nth, layer.pieces)
        update_panel(layer, network, batch, work, rows, piece.item, some, descent)


@part
def update_only_layer(network, batch, rows, work, member, descent):
    """Apply the rule to this member's rows of the weights of a network without hidden layers."""
    layer = network.layers[0]
    update_layer_biases(layer, network, work, rows, own_panels(layer, member), descent)
    for p in range(layer.panels):
        some = share_of_rows(layer.inputs, member.index, member.count)
        update_panel(layer, network, batch, work, rows, p, some, descent)


@part
def backward(network, batch, rows, work, member, noise, descent):
    """Compute all gradients, the last layer's first, and apply the rule. False if the team was aborted.

    A member reads other members' gradients of each layer after the first, and no weights or activations but its own. So
    nothing waits for the update of a layer, nor the next minibatch for that of the first: it overwrites activations
    of one's own. In a network without hidden layers it would overwrite scores that others are still reading.
    """
    output = len(network.layers) - 1
    if output == 0:
        update_only_layer(network, batch, rows, work, member, descent)
        return meet(work.team, member.index, member.count)
    for l in range(output, 0, -1):
        backprop_layer(l - 1, network, rows, work, member, noise)
        update_rows(l, network, batch, rows, work, member, descent)
        if l > 1 and not meet(work.team, member.index, member.count):
            return False
    update_columns(network, batch, rows, work, member, descent)
    return True
