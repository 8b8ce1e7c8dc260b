"""A minibatch of which two members each take half of the first layer's inputs, in networks of one hidden layer.

The other ways to share a minibatch are by units (kernels.step) and by rows (kernels.parts). Where rows are long and
units few, members that share units all gather every row, for panels of one register. Here each gathers its half of the
columns, and multiplies by its rows of the weights, for all units; of half of the rows each then adds up both products,
and goes on with these rows to the gradients of the hidden layer. Its rows of the weights are its own to update.

The sum of a unit is that of the halves' sums, also where one member does both: no result depends on their number.
"""

import numpy as np
from numba import typeof, types

from fastmlp.kernels.gather import NO_ORDER, ROWS_TYPE, Selection, ask_for
from fastmlp.kernels.inputs import inputs_type, new_matrices, with_matrix
from fastmlp.kernels.jit import NOTHING, call, kernel, part
from fastmlp.kernels.layout import HALVES, all_of, biases_of, panel_of, plan, share, share_of_rows, values, weights_of
from fastmlp.kernels.pieces import Member
from fastmlp.kernels.products import inputs_of_half, sum_own_squares
from fastmlp.kernels.rules import DECAY, FIRST, ROWS_OF_STEP, SHARE, Descent
from fastmlp.kernels.step import Feed, head, loss_of, transpose_weights, update_layer_biases, update_panel
from fastmlp.kernels.targets import targets_type
from fastmlp.kernels.team import meet
from fastmlp.kernels.views import matrix
from fastmlp.kernels.workspace import activations_of, gradients_of, network_of, new_workspace


@part
def products_of(layer, work):
    """Return the products (2 group_rows, stride) of all rows with the first half of the inputs, then the second."""
    return matrix(work.scratch, layer.products, HALVES * layer.group_rows, layer.stride)


@part
def product_of(half, layer, work):
    """Return the products (group_rows, stride) with one half."""
    rows = layer.group_rows
    return matrix(work.scratch, layer.products + half * rows * layer.stride, rows, layer.stride)


@part
def no_biases(layer, work):
    """Return a row (1, stride) of zeros."""
    row = matrix(work.scratch, layer.products + HALVES * layer.group_rows * layer.stride, 1, layer.stride)
    for n in range(layer.stride):
        row[0, n] = 0.0
    return row


@part
def multiply_half(half, network, batch, rows, work):
    """Compute the products of all rows with half of the inputs; those with the first begin with the biases."""
    layer = network.layers[0]
    begin, end = inputs_of_half(layer, half)
    A, P = activations_of(layer, 0, work), product_of(half, layer, work)
    for p in range(layer.panels):
        panel = panel_of(network, layer, p)
        W = values(weights_of(network, layer, panel), 0)
        b = values(biases_of(network, panel), 0) if half == 0 else no_biases(layer, work)
        call(panel.multiply_half, NOTHING, NOTHING, batch, W, b, A, P, panel.column, 0, rows, begin, end)


@part
def add_products(network, rows, work):
    """Compute the activations of a range of rows from the products of both halves."""
    layer = network.layers[0]
    P, A, G = products_of(layer, work), activations_of(layer, 0, work), gradients_of(layer, work)
    for p in range(layer.panels):
        panel = panel_of(network, layer, p)
        call(panel.add_halves, NOTHING, NOTHING, P, A, G, panel.column, rows[0], rows[1])


@part
def backprop_rows(network, rows, work, member):
    """Compute a range of rows of the hidden layer's gradient from those of the scores."""
    layer, output = network.layers[0], network.layers[1]
    G, G_next, columns = gradients_of(layer, work), gradients_of(output, work), output.columns
    for p in range(layer.panels):
        panel = panel_of(network, layer, p)
        WT = transpose_weights(network, layer, output, panel, work, member)
        call(panel.backprop, NOTHING, NOTHING, G_next, WT, G, panel.column, rows[0], rows[1], output.units, columns)


@part
def update_half(half, network, batch, rows, work, descent):
    """Apply the rule to half of the rows of all weights, and to a layer's biases.

    Nobody waits before the next products: the biases of the hidden layer are whose products begin with them.
    """
    hidden, output = network.layers[0], network.layers[1]
    A, units = with_matrix(batch, activations_of(hidden, 0, work)), share_of_rows(output.inputs, half, HALVES)
    for p in range(output.panels):
        update_panel(output, network, A, work, rows, p, units, descent)
    layer = hidden if half == 0 else output
    update_layer_biases(layer, network, work, rows, all_of(layer.panels), descent)
    for p in range(hidden.panels):
        update_panel(hidden, network, batch, work, rows, p, inputs_of_half(hidden, half), descent)


@part
def ask_for_rows_of_others(M, rows, own, columns):
    """Ask for the rows of a matrix before and after one's own, which others have written."""
    ask_for(M, (0, own[0]), (0, columns))
    ask_for(M, (own[1], rows), (0, columns))


def signature_to_train(dtype) -> tuple[types.Type, ...]:
    """Return the Numba types of the arguments of ``train_halves``, in a network of this dtype."""
    smallest = plan((1, 1), 1, dtype, 1)
    network, steps = network_of(smallest, np.zeros(smallest.size, dtype)), np.zeros((1, 1))
    work = new_workspace(smallest, 1, new_matrices(1, (1, 1), dtype))
    feed = types.NamedTuple((ROWS_TYPE, targets_type(dtype), typeof(NO_ORDER), typeof(steps)), Feed)
    rest = map(typeof, (work, Member(0, 1), Descent()))
    return typeof(network), feed, typeof(steps), types.intp, types.intp, inputs_type(dtype), *rest


@kernel
def train_halves(network, feed, losses, step, then, batch, work, member, descent):
    """Train on one step's minibatch, and write its loss to ``losses[step, 0]``.

    then: where in the order the next minibatch begins; for the others see ``epoch.epoch``. Members need not meet after
    it: what one reads last, another writes only when both have met in the next. An aborted team's ends early.
    """
    layer = network.layers[0]
    start, rows = int(feed.steps[step, FIRST]), int(feed.steps[step, ROWS_OF_STEP])
    halves = share(HALVES, member.index, member.count)
    begin, _ = inputs_of_half(layer, halves[0])
    _, end = inputs_of_half(layer, halves[1] - 1)
    call(feed.data.gather, NOTHING, feed.data, Selection(feed.order, start, rows, then, begin, end), batch)
    if layer.mark != 0:
        call(layer.mark, batch, rows, step)
    for half in range(halves[0], halves[1]):
        multiply_half(half, network, batch, rows, work)
    if not meet(work.team, member.index, member.count):
        return
    own = share_of_rows(rows, member.index, member.count)
    if member.count > 1:
        ask_for(product_of(1 - member.index, layer, work), own, (0, layer.units))
    add_products(network, own, work)
    head(network, batch, feed.targets, feed.order, start, rows, feed.steps[step, SHARE], work, member)
    if work.squares.size:
        sum_own_squares(network, work, member)
    backprop_rows(network, own, work, member)
    if not meet(work.team, member.index, member.count):
        return
    if member.index == 0:
        losses[step, 0] = loss_of(work, rows, feed.steps[step, SHARE], feed.steps[step, DECAY])
    ask_for_rows_of_others(gradients_of(layer, work), rows, own, layer.units)
    for half in range(halves[0], halves[1]):
        update_half(half, network, batch, rows, work, descent)
