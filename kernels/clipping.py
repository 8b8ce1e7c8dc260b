"""Clipping: the gradients of a minibatch are shortened together until their norm is at most some number.

With g all gradients in a row: g * min(1, most / |g|) (Pascanu, Mikolov and Bengio, 2013, algorithm 1). The norm is
known only when all gradients are, so they are kept (KEEP, kernels.rules), and the rule is applied to what was kept.
This is a kernel of its own, reached by address: few trainings clip, and no other has to compile it (0.3 s of 7).
"""

import math

from fastmlp.kernels.jit import NOTHING, call, kernel
from fastmlp.kernels.layout import biases_of, panel_of, values, weights_of
from fastmlp.kernels.pieces import own_panels
from fastmlp.kernels.rules import KEPT, for_biases, with_decay
from fastmlp.kernels.team import meet


@kernel
def apply_clipped(network, work, member, most, descent):
    """Apply the rule to gradients that were kept, shortened together to a norm of at most ``most``.

    Members must meet before anything reads the weights. Where the team was aborted, that meeting says so.
    """
    if not meet(work.team, member.index, member.count):
        return
    units = work.norms.size // 2
    for layer in network.layers:
        first, last = own_panels(layer, member)
        for p in range(first, last):
            panel = panel_of(network, layer, p)
            j = layer.first_unit + panel.column
            call(panel.squares, NOTHING, values(weights_of(network, layer, panel), KEPT), work.norms, j)
            call(panel.squares, NOTHING, values(biases_of(network, panel), KEPT), work.norms, units + j)
    if not meet(work.team, member.index, member.count):
        return
    total = 0.0
    for square in work.norms:
        total += square
    norm = math.sqrt(total)
    factor = most / norm if norm > most else 1.0
    of_weights, of_biases = with_decay(descent, 0.0), for_biases(descent)
    for layer in network.layers:
        first, last = own_panels(layer, member)
        for p in range(first, last):
            panel = panel_of(network, layer, p)
            call(panel.apply, NOTHING, NOTHING, weights_of(network, layer, panel), 0, layer.rows, 1, factor, of_weights)
            call(panel.apply, NOTHING, NOTHING, biases_of(network, panel), 0, 1, 1, factor, of_biases)
