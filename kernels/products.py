"""The products of a layer's inputs and weights, a panel at a time: with all inputs at once, or with half after half.

Members that share units would hand over all activations to one another, and weights that one updates and another
reads. Where products are in halves, a member multiplies what it has at hand, the activations of its own units, by its
own rows of the weights: first for others, their panels or rows of the scores, who then add what they have at hand. That
hands over products instead, of which a layer with fewer units than inputs has less, and no weights (section 3 of
Shoeybi et al., 2019, arXiv:1909.08053, shares layers of large networks so in turn).

A unit's sum is that of the halves' sums, then its bias: no result depends on the number of members.
"""

from fastmlp.kernels.jit import NOTHING, call, part
from fastmlp.kernels.layout import biases_of, panel_of, share, values, weights_of
from fastmlp.kernels.views import matrix, span
from fastmlp.kernels.workspace import activations_of, gradients_of_panel, inputs_of


@part
def inputs_of_half(layer, half):
    """Return the range of a layer's inputs in one half; the second has none where products are not in halves."""
    return half * layer.half, layer.half + half * (layer.inputs - layer.half)


@part
def half_of_units(l, network, panel):
    """Return the half of the units of layer l in which a panel begins, as halves of what the next layer works on."""
    return 1 if l + 1 < len(network.layers) and panel.column >= network.layers[l + 1].half else 0


@part
def own_activations(l, network, panel, work):
    """Return the activations of layer l, those of a panel's half of the units, in blocks."""
    return activations_of(network.layers[l], half_of_units(l, network, panel), work)


@part
def multiply_panel(l, network, batch, work, half, p, rows):
    """Compute panel p of layer l's products with half of its inputs, for a range of rows, in the gradient's place."""
    layer, panel = network.layers[l], panel_of(network, network.layers[l], p)
    W, G = values(weights_of(network, layer, panel), 0), gradients_of_panel(layer, panel, work)
    inputs, (begin, end) = inputs_of(l, network, batch, half, work), inputs_of_half(layer, half)
    call(panel.multiply, NOTHING, inputs, W, G, panel.column, rows[0], rows[1], begin, end)


@part
def apply_panel(l, network, batch, work, half, p, rows):
    """Compute panel p of the activations of layer l, for a range of rows.

    half: that of the inputs, 0 where products are not in halves; where they are, the product with the other must be
        where the gradient will be
    """
    layer, panel = network.layers[l], panel_of(network, network.layers[l], p)
    A, G = own_activations(l, network, panel, work), gradients_of_panel(layer, panel, work)
    inputs, (begin, end) = inputs_of(l, network, batch, half, work), inputs_of_half(layer, half)
    W, b = values(weights_of(network, layer, panel), 0), values(biases_of(network, panel), 0)
    call(panel.affine, NOTHING, NOTHING, inputs, W, b, A, G, panel.column, rows[0], rows[1], begin, end)


@part
def apply_layer(l, network, batch, work, half, rows):
    """Compute all columns of the activations of layer l, for a range of rows, likewise."""
    for p in range(network.layers[l].panels):
        apply_panel(l, network, batch, work, half, p, rows)


@part
def _sum_squares(layer, half, panel, network, squares):
    begin, end = inputs_of_half(layer, half)
    W = matrix(network.parameters, panel.weights + begin * panel.width, end - begin, panel.width)
    call(panel.squares, NOTHING, W, squares, layer.first_unit + panel.column)


@part
def sum_own_squares(network, work, member):
    """Sum up this member's squared weights, those of each unit, and of each half of the inputs, on their own."""
    output = network.layers[len(network.layers) - 1]
    units = output.first_unit + output.columns
    for layer in network.layers:
        # each half of all panels where members own halves of their rows
        first, last = share(layer.halves * layer.panels, member.index, member.count)
        for item in range(first, last):
            half, p = item // layer.panels, item % layer.panels
            _sum_squares(layer, half, panel_of(network, layer, p), network, span(work.squares, half * units, units))
            if layer.halves * units < work.squares.size:
                _sum_squares(layer, 1, panel_of(network, layer, p), network, span(work.squares, units, units))
