"""A minibatch in parts: each member trains on parts of the rows, with all units; then their gradients are added up.

Another way to share a minibatch is to share the units (kernels.step). Small deep networks would hand over more that
way, the activations of every layer instead of one gradient and the weights, and wait for one another at every layer.
Into how many parts a minibatch falls does not depend on the number of members: gradients are added up part by part.

No member helps another with its parts: it would read minibatch, activations and gradients, and the owner would have to
claim every line of them back before it can write the next. That gains 4% at best, and may cost far more (README).
"""

import math

import numpy as np
from numba import typeof, types

from fastmlp.kernels.inputs import new_matrices
from fastmlp.kernels.jit import NOTHING, call, kernel, part
from fastmlp.kernels.layout import biases_of, panel_of, plan, share, share_of_rows, weights_of
from fastmlp.kernels.pieces import Member
from fastmlp.kernels.rules import FIRST, KEPT, ROWS_OF_STEP, Descent, for_biases
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.step import Noise
from fastmlp.kernels.team import meet
from fastmlp.kernels.views import span
from fastmlp.kernels.workspace import Network, Workspace, network_of, new_workspace

ALONE = Member(0, 1)
_SEEDS = 4294967296.0  # seeds are below 2^32


@part
def own_parts(parts, member):
    """Return this member's range of a minibatch's parts; of one part, all members share the units."""
    return share(parts, member.index, member.count) if parts > 1 else (0, 1)


@part
def sharing_units(parts, member):
    """Return which member this is of those who share a part's units."""
    return ALONE if parts > 1 else Member(member.index, member.count)


@part
def sharing_weights(p, parts, member):
    """Return as which member to sum up squared weights: each part, or else each member, does a share of them."""
    return Member(p, parts) if parts > 1 else member


@part
def rows_of_part(p, parts, steps, step):
    """Return where in the order part p of a step's minibatch starts, and how many rows it has; none beyond the last."""
    if step == steps.shape[0]:
        return 0, 0
    start, rows = int(steps[step, FIRST]), int(steps[step, ROWS_OF_STEP])
    first, last = share_of_rows(rows, p, parts, BLOCK)
    return start + first, last - first


@part
def work_on_part(p, first, work, member):
    """Return what this member works on for part p, which starts with row ``first``: nothing of it is another's."""
    if work.parts == 1:
        return work
    scratch, transposed = work.scratch.size // member.count, work.transposed.size // member.count
    squares = work.squares.size // work.parts
    return Workspace(
        work.inputs,
        span(work.scratch, member.index * scratch, scratch),
        span(work.transposed, member.index * transposed, transposed),
        span(work.losses, first, work.losses.size - first),
        span(work.squares, p * squares, squares),
        work.norms,
        work.team,
        1,
    )


@part
def network_of_part(p, network):
    """Return the network with the place for this part's gradient as its second slot, if gradients are kept."""
    keeps = network.layers[0].apply_all != 0
    size = (KEPT + p) * network.size if keeps else network.size
    return Network(network.layers, network.panels, network.parameters, size)


@part
def noise_of_part(p, dropout, seed):
    """Return a step's dropout for part p, whose rows count from 0 as those of other parts do."""
    return Noise(dropout, (seed + p) % _SEEDS)


def signature_to_apply(dtype) -> tuple[types.Type, ...]:
    """Return the Numba types of the arguments of kernels that apply all gradients, in a network of this dtype."""
    smallest = plan((1, 1), 1, dtype, 1)
    network = network_of(smallest, np.zeros(smallest.size, dtype))
    work = new_workspace(smallest, 1, new_matrices(1, (1, 1), dtype), norms=True)
    return tuple(map(typeof, (network, work, ALONE, math.inf, Descent())))


@part
def _rows_before(end, numbers):
    """Return how many rows of a panel begin before this place in the parameters."""
    return min(max(0, (end - numbers.start + numbers.width - 1) // numbers.width), numbers.rows)


@part
def _apply_between(begin, end, panel, numbers, work, descent):
    """Apply the rule to the rows of a panel of numbers that begin in this range of the parameters."""
    first, last = _rows_before(begin, numbers), _rows_before(end, numbers)
    call(panel.apply, NOTHING, NOTHING, numbers, first, last, work.parts, 1.0, descent)


@kernel
def apply_parts(network, work, member, most, descent):
    """Apply the rule to the sum of all parts' gradients, for this member's share of the parameters.

    A share is all in one piece: what a processor fetches ahead, past the end of it, is what another member writes.
    Members must meet before anything reads the weights. Where the team was aborted, that meeting says so.

    most: does not matter; it does to ``clipping.apply_clipped``
    """
    if not meet(work.team, member.index, member.count):
        return
    begin, end = share(network.size, member.index, member.count)
    of_biases = for_biases(descent)
    for layer in network.layers:
        for p in range(layer.panels):
            panel = panel_of(network, layer, p)
            _apply_between(begin, end, panel, weights_of(network, layer, panel), work, descent)
            _apply_between(begin, end, panel, biases_of(network, panel), work, of_biases)
