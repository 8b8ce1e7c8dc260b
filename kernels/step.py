"""One minibatch, or a part of one (kernels.parts), all phases, as one member of those who share its units runs it.

A member owns panels of every hidden layer: it computes those columns of the activations, of their gradients and of the
weights, so that its weights stay in its own cache. Who is done with that helps members who are behind (kernels.pieces).
Of the output layer a member owns the *rows* of the weights that belong to its units of the layer before, and a share of
the minibatch's rows of the scores. Whenever a phase reads what other members wrote, the team meets first.

Every sum runs over all its terms in one order, inside one tile: no result depends on the number of members.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.buffers import aligned_for_each
from fastmlp.kernels.dropout import Dropout
from fastmlp.kernels.gather import Rows, ask_for_rows, ask_for_targets
from fastmlp.kernels.inputs import Inputs, with_matrix
from fastmlp.kernels.jit import NOTHING, call, part
from fastmlp.kernels.layout import (
    Layout,
    all_of,
    biases_of,
    columns_of,
    columns_of_group,
    panel_of,
    share_of_rows,
    values,
    weights_of,
)
from fastmlp.kernels.pieces import next_piece, offer_pieces, own_panels
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.targets import Targets
from fastmlp.kernels.team import meet, new_team
from fastmlp.kernels.views import blocks_as_rows, blocks_at, matrix


class Network(NamedTuple):
    """A network: its LAYER and PANEL records, and its parameters, slots of ``size`` numbers."""

    layers: np.ndarray
    panels: np.ndarray
    parameters: np.ndarray
    size: int


def network_of(plan: Layout, parameters: np.ndarray) -> Network:
    """Return the network that is laid out so, with these parameters (slots * plan.size,)."""
    return Network(plan.layers, plan.panels, parameters, plan.size)


class Workspace(NamedTuple):
    """What a team works on: each member's minibatch, activations and gradients, and its own state."""

    inputs: Inputs
    scratch: np.ndarray
    transposed: np.ndarray  # members * numbers of a transposed panel
    losses: np.ndarray  # (B,) float64
    squares: np.ndarray  # of each unit its squared weights, summed up in some shares; (0,) if they are not asked for
    norms: np.ndarray  # of each unit, the squared gradients of its weights, then of all biases; (0,) likewise
    team: np.ndarray
    parts: int  # in how many a minibatch is trained (kernels.parts)


def new_workspace(
    plan: Layout, members: int, inputs: Inputs, squares: int = 0, norms: bool = False, parts: int = 1
) -> Workspace:
    """Return memory for a team to work in, with the given memory for its minibatches.

    plan: that of the parts of a minibatch, if it is trained in parts; squares: in how many shares squared weights are
    summed up, 0 where they are not asked for
    """
    dtype = inputs.X.dtype
    return Workspace(
        inputs,
        aligned_for_each(members if parts > 1 else 1, (plan.scratch,), dtype).reshape(-1),
        aligned_for_each(members, (max(1, plan.transposed),), dtype).reshape(-1),
        np.zeros(parts * plan.batch_rows),
        np.zeros(squares * plan.units, dtype),
        np.zeros(2 * plan.units if norms else 0, dtype),
        new_team(members),
        parts,
    )


def workspace_of_some(work: Workspace, members: int, some: int) -> Workspace:
    """Return what some of so many members work on alone: the memory of the first of them, and a team of their own.

    work: all members' Workspace, of whose arrays views are returned; 1 <= some <= members
    """
    inputs = Inputs(work.inputs.X[:some], work.inputs.visits[:some])
    scratch = work.scratch[: work.scratch.size // members * some] if work.parts > 1 else work.scratch
    transposed = work.transposed[: work.transposed.size // members * some]
    return work._replace(inputs=inputs, scratch=scratch, transposed=transposed, team=new_team(some))


class Feed(NamedTuple):
    """What is trained on: rows, their targets, an order of them, and the steps that take minibatches from it."""

    data: Rows
    targets: Targets
    order: np.ndarray
    steps: np.ndarray


@part
def activations_of(layer, work):
    """Return a layer's activations, in blocks; the output layer has none, but scores where their gradients will be."""
    return blocks_at(work.scratch, layer.activations, layer.blocks, layer.block_columns, layer.block_height)


@part
def gradients_of(layer, work):
    """Return the gradient (group_rows, stride) of a layer's weighted inputs, before that what is kept of these.

    That is the first group of panels. The next ones lie below, each with a gap after its rows: what a processor fetches
    ahead, past the end of what it reads, would otherwise be what another member is about to write.
    """
    return matrix(work.scratch, layer.gradients, layer.group_rows, layer.stride)


@part
def gradients_of_panel(layer, panel, work):
    """Return the same of a panel's group (group_rows, stride), in which the panel begins at ``panel.column``."""
    rows, columns = layer.group_rows, columns_of_group(layer)
    start = layer.gradients + panel.column // columns * (rows * layer.stride - columns)
    return matrix(work.scratch, start, rows, layer.stride)


@part
def inputs_of(l, network, batch, work):
    """Return what layer l works on, in blocks: the minibatch or the activations of the layer before."""
    return batch if l == 0 else with_matrix(batch, activations_of(network.layers[l - 1], work))


@part
def apply_panel(l, network, batch, work, p, rows):
    """Compute panel p of the columns, for a range of rows, of the activations of layer l."""
    layer, panel = network.layers[l], panel_of(network, network.layers[l], p)
    A, G = activations_of(layer, work), gradients_of_panel(layer, panel, work)
    inputs = inputs_of(l, network, batch, work)
    W, b = values(weights_of(network, layer, panel), 0), values(biases_of(network, panel), 0)
    call(panel.affine, NOTHING, NOTHING, inputs, W, b, A, G, panel.column, rows[0], rows[1], 0, layer.inputs)


@part
def apply_layer(l, network, batch, work, rows):
    """Compute all columns, for a range of rows, of the activations of layer l."""
    for p in range(network.layers[l].panels):
        apply_panel(l, network, batch, work, p, rows)


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
        drop_panel(l, panel_of(network, layer, p), layer.drop, activations_of(layer, work), rows, noise)


@part
def forward(network, batch, rows, work, member, noise):
    """Compute the activations of all hidden layers. False if the team was aborted."""
    for l in range(len(network.layers) - 1):
        layer = network.layers[l]
        piece = offer_pieces(layer, work.team, member)
        while True:
            piece = next_piece(layer, work.team, member, piece)
            if piece.panel < 0:
                break
            apply_panel(l, network, batch, work, piece.panel, share_of_rows(rows, piece.nth, layer.pieces))
        drop_own(l, network, rows, work, member, noise)
        if not meet(work.team, member.index, member.count):
            return False
    return True


@part
def head(network, batch, targets, order, start, rows, scale, work, member):
    """Compute this member's rows of the scores, their losses, and the gradient of ``scale`` * loss in their place."""
    l = len(network.layers) - 1
    layer = network.layers[l]
    Z = gradients_of(layer, work)
    first, last = share_of_rows(rows, member.index, member.count)
    ask_for_targets(targets, order, start + first, start + last, layer.units)
    if member.count > 1:
        blocks = blocks_as_rows(inputs_of(l, network, batch, work).X)
        ask_for_rows(blocks, first // BLOCK, (last + BLOCK - 1) // BLOCK, layer.inputs * BLOCK)
    apply_layer(l, network, batch, work, (first, last))
    call(layer.loss, Z, targets, order, start, first, last, layer.units, scale, work.losses)


@part
def sum_own_squares(network, work, member):
    """Sum up this member's squared weights, those of each unit on their own."""
    for layer in network.layers:
        first, last = own_panels(layer, member)
        for p in range(first, last):
            panel = panel_of(network, layer, p)
            W = values(weights_of(network, layer, panel), 0)
            call(panel.squares, NOTHING, W, work.squares, layer.first_unit + panel.column)


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
            ask_for_rows(G_next, start, start + rows, min(width, following.units))
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
def update_output(network, batch, rows, work, member, descent):
    """Apply the rule to this member's rows of the output layer's weights; the first member's are the biases."""
    l = len(network.layers) - 1
    layer = network.layers[l]
    if l == 0:
        inputs = share_of_rows(layer.inputs, member.index, member.count)
    else:
        before = network.layers[l - 1]
        inputs = columns_of(network, before, own_panels(before, member))
    for p in range(layer.panels):
        update_panel(layer, network, inputs_of(l, network, batch, work), work, rows, p, inputs, descent)
    if member.index == 0:
        update_layer_biases(layer, network, work, rows, all_of(layer.panels), descent)


@part
def update_hidden(l, network, batch, rows, work, member, descent):
    """Apply the rule to this member's panels of a hidden layer, and to pieces of those of members who are behind."""
    layer = network.layers[l]
    inputs = inputs_of(l, network, batch, work)
    update_layer_biases(layer, network, work, rows, own_panels(layer, member), descent)
    piece = offer_pieces(layer, work.team, member)
    while True:
        piece = next_piece(layer, work.team, member, piece)
        if piece.panel < 0:
            break
        some = share_of_rows(layer.inputs, piece.nth, layer.pieces)
        update_panel(layer, network, inputs, work, rows, piece.panel, some, descent)


@part
def backward(network, batch, rows, work, member, noise, descent):
    """Compute all gradients, the last layer's first, and apply the rule. False if the team was aborted.

    A layer is updated only after all members have sent its gradient further down: they read its weights for that. Those
    of the output layer that a member updates are the rows that only it has read. Before the first layer is updated all
    members meet once more: the next minibatch overwrites activations, or scores, that others may still be reading.
    With one hidden layer there is nothing to wait for.
    """
    output = len(network.layers) - 1
    for l in range(output, -1, -1):
        if l > 0:
            backprop_layer(l - 1, network, rows, work, member, noise)
        if l == output:
            update_output(network, batch, rows, work, member, descent)
        if output != 1 and not meet(work.team, member.index, member.count):
            return False
        if l < output:
            update_hidden(l, network, batch, rows, work, member, descent)
    return True
