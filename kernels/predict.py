"""The scores of many rows, a block of rows at a time: memory stays bounded for any number of rows."""

from fastmlp.kernels.gather import Ahead
from fastmlp.kernels.inputs import inputs_for
from fastmlp.kernels.jit import NOTHING, call, kernel
from fastmlp.kernels.layout import whole_tiles
from fastmlp.kernels.step import Member, activations_of, apply_layer, forward


@kernel
def predict(network, data, order, first, last, work, out):
    """``out[i] = scores of row i`` for i from first to last; ``work`` is the caller's alone.

    network: Network, data: Rows, order: (0,) int64, work: Workspace, out: (N, C) compute dtype
    """
    alone = Member(0, 1)
    nothing = Ahead(data.data, data.row_bytes, order, 0, 0)
    l = len(network.layers) - 1
    layer = network.layers[l]
    batch = inputs_for(work.inputs, 0)
    Z = activations_of(layer, work)
    for start in range(first, last, work.losses.size):
        rows = min(work.losses.size, last - start)
        call(data.gather, NOTHING, data, order, start, rows, batch)
        forward(network, batch, rows, work, alone, nothing)
        apply_layer(l, network, batch, work, (0, layer.panels), 0, whole_tiles(rows), nothing)
        for i in range(rows):
            for c in range(layer.units):
                out[start + i, c] = Z[i, c]
