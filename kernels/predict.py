"""Scores or probabilities of many rows, a block of rows at a time: memory stays bounded for any number of rows."""

import math

from fastmlp.kernels.gather import Selection
from fastmlp.kernels.inputs import inputs_for
from fastmlp.kernels.jit import NOTHING, call, entry, part
from fastmlp.kernels.layout import all_of
from fastmlp.kernels.products import apply_layer
from fastmlp.kernels.views import blocks_as_rows
from fastmlp.kernels.workspace import gradients_of


@part
def all_finite(X, rows, columns):
    """Tell whether the numbers of X, in blocks, are finite; what fills up the last block counts."""
    blocks, bad = blocks_as_rows(X), 0
    for block in range((rows + X.shape[2] - 1) // X.shape[2]):
        for n in range(columns * X.shape[2]):
            bad += 0 if abs(blocks[block, n]) < math.inf else 1
    return bad == 0


@entry
def predict(network, data, order, first, last, work, probabilities, out):
    """``out[i] = scores of row i``, or their softmax, for i from first to last; ``work`` is the caller's alone.

    network: Network, data: Rows, order: (0,) int64, work: Workspace, out: (N, C) compute dtype

    Returns whether all inputs of dense rows were finite; where they were not, what is in ``out`` means nothing.
    """
    outputs = len(network.layers) - 1
    finite = True
    batch = inputs_for(work.inputs, 0)
    block = work.losses.size
    for start in range(first, last, block):
        rows = min(block, last - start)
        call(data.gather, NOTHING, data, Selection(order, start, rows, start + rows, 0, data.inputs), batch)
        if data.starts.size == 0:
            finite &= all_finite(batch.X, rows, data.inputs)
        for l in range(len(network.layers)):
            apply_layer(l, network, batch, work, 0, all_of(rows))
        Z, classes = gradients_of(network.layers[outputs], work), network.layers[outputs].units
        if probabilities:
            call(network.layers[outputs].probabilities, NOTHING, Z, rows, classes)
        for i in range(rows):
            for c in range(classes):
                out[start + i, c] = Z[i, c]
    return finite
