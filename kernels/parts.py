"""A minibatch in parts: each member trains on parts of the rows, with all units; then their gradients are added up.

The other way to share a minibatch is to share the units (kernels.step). Small deep networks would hand over more that
way, the activations of every layer instead of one gradient and the weights, and wait for one another at every layer.
Into how many parts a minibatch falls does not depend on the number of members: gradients are added up part by part.

The hidden layers' gradients of each member's last part are found at last, a panel at a time, as a member that is done
with its own goes on with those of members who are behind.
"""

import math

import numpy as np
from numba import typeof, types

from fastmlp.kernels.inputs import inputs_for, new_matrices
from fastmlp.kernels.jit import NOTHING, call, kernel, part
from fastmlp.kernels.layout import biases_of, panel_of, plan, share, share_of_rows, weights_of
from fastmlp.kernels.pieces import Member
from fastmlp.kernels.rules import COLUMNS, FIRST, KEPT, ROWS_OF_STEP, Descent, for_biases, with_decay
from fastmlp.kernels.step import Network, Noise, Workspace, network_of, new_workspace, update_hidden_panel
from fastmlp.kernels.team import give_back, gives_up, meet, offer, take, wait_a_little
from fastmlp.kernels.views import span

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
def rows_of_part(p, parts, steps, step):
    """Return where in the order part p of a step's minibatch starts, and how many rows it has; none beyond the last."""
    if step == steps.shape[0]:
        return 0, 0
    start, rows = int(steps[step, FIRST]), int(steps[step, ROWS_OF_STEP])
    first, last = share_of_rows(rows, p, parts)
    return start + first, min(last, rows) - first


@part
def work_on_part(p, first, work, member):
    """Return what this member works on for part p, which starts with row ``first``: nothing of it is another's."""
    if work.parts == 1:
        return work
    scratch, transposed = work.scratch.size // member.count, work.transposed.size // member.count
    return Workspace(
        work.inputs,
        span(work.scratch, member.index * scratch, scratch),
        span(work.transposed, member.index * transposed, transposed),
        span(work.losses, first, work.losses.size - first),
        span(work.squares, 0, work.squares.size if p == 0 else 0),  # once for all parts
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


@part
def descent_of_part(parts, descent):
    """Return the step for a part: where gradients are added up, weights decay only then."""
    return with_decay(descent, 0.0 if parts > 1 else descent.decay)


def signature_to_apply(dtype) -> tuple[types.Type, ...]:
    """Return the Numba types of the arguments of kernels that apply all gradients, in a network of this dtype."""
    smallest = plan((1, 1), 1, dtype, 1)
    network = network_of(smallest, np.zeros(smallest.size, dtype))
    work = new_workspace(smallest, 1, new_matrices(1, (1, 1), dtype), norms=True)
    return tuple(map(typeof, (network, work, ALONE, np.zeros((1, COLUMNS)), 0, math.inf, Descent())))


@part
def _apply_own(panel, numbers, work, member, descent):
    first, last = share(numbers.rows, member.index, member.count)
    call(panel.apply, NOTHING, NOTHING, numbers, first, last, work.parts, 1.0, descent)


@part
def is_left_for_later(p, parts, member):
    """Tell whether the hidden layers' gradients of part p are found in ``apply_parts``."""
    return parts > 1 and p == own_parts(parts, member)[1] - 1


@part
def _find_what_is_left(network, work, owner, steps, step, member, descent):
    """Find what is left of an owner's gradients, unless others do. False if the owner is not yet so far."""
    panels = network.layers[len(network.layers) - 1].first_panel
    p = own_parts(work.parts, owner)[1] - 1
    _, rows = rows_of_part(p, work.parts, steps, step)
    own, batch = network_of_part(p, network), inputs_for(work.inputs, owner.index)
    mine = work_on_part(p, 0, work, owner)
    while True:
        number = take(work.team, member.index, owner.index, panels)
        if number < 0 or number >= panels:
            return number >= 0
        update_hidden_panel(number, own, batch, rows, mine, descent)
        give_back(work.team, owner.index)


@part
def _find_together(network, work, member, steps, step, descent):
    """Find what is left of all members' gradients, one's own first."""
    offer(work.team, member.index)
    all_found, spins = False, 0
    while not (all_found or gives_up(work.team)):
        all_found = True
        for places in range(member.count):
            owner = Member((member.index + places) % member.count, member.count)
            all_found &= _find_what_is_left(network, work, owner, steps, step, member, descent)
        spins += 1
        wait_a_little(spins)


@kernel
def apply_parts(network, work, member, steps, step, most, descent):
    """Apply the rule to the sum of all parts' gradients, for this member's share of the weights.

    Members must meet before anything reads the weights. Where the team was aborted, that meeting says so.

    most: does not matter; it does to ``clipping.apply_clipped``
    """
    _find_together(network, work, member, steps, step, descent_of_part(work.parts, descent))
    if not meet(work.team, member.index, member.count):
        return
    of_biases = for_biases(descent)
    for layer in network.layers:
        for p in range(layer.panels):
            panel = panel_of(network, layer, p)
            _apply_own(panel, weights_of(network, layer, panel), work, member, descent)
            _apply_own(panel, biases_of(network, panel), work, member, of_biases)
