"""Many minibatches, as an epoch has, in one call that every member of a team makes."""

import math

from fastmlp.kernels.gather import Ahead
from fastmlp.kernels.inputs import inputs_for
from fastmlp.kernels.jit import NOTHING, call, entry, part
from fastmlp.kernels.layout import weights_of
from fastmlp.kernels.rules import DECAY, FIRST, ROWS_OF_STEP, SEED, SHARE, step_of
from fastmlp.kernels.step import Noise, backward, forward, head, own_panels
from fastmlp.kernels.subnormals import flush_subnormals, restore
from fastmlp.kernels.team import meet


@part
def fetch(network, data, order, start, rows, batch, step, noise):
    """Gather a minibatch, and mark what its first layer should visit unless that is everything."""
    call(data.gather, NOTHING, data, order, start, rows, batch)
    if noise.dropout.inputs > 0.0:  # of sparse rows there is one row of entries
        dense = data.starts.size == 0
        width = data.inputs if dense else batch.X.shape[1]
        call(network.layers[0].drop, batch.X, rows if dense else 1, 0, width, noise.dropout.inputs, noise.seed, 0)
    if network.layers[0].mark != 0:
        call(network.layers[0].mark, batch, rows, step)


@part
def catch_up_own(network, batch, steps, step, member, descent):
    """Bring this member's weights of the columns that are touched up to date, where they may be behind."""
    layer = network.layers[0]
    if layer.catch_up == 0:
        return
    first, last = own_panels(layer, member)
    for p in range(first, last):
        W = weights_of(layer, p, network.parameters, network.size)
        call(layer.catch_up, NOTHING, NOTHING, batch, W, steps, step, descent)


@part
def pass_by(network, batch, step, descent):
    """Let a step pass for the weights that it did not touch."""
    if network.layers[0].pass_step != 0:
        call(network.layers[0].pass_step, NOTHING, batch, step, descent)


@part
def finish(network, batch, steps, member, descent):
    """Bring all of this member's weights up to date."""
    if network.layers[0].touch_all != 0:
        call(network.layers[0].touch_all, batch)
        catch_up_own(network, batch, steps, steps.shape[0], member, descent)


@part
def rows_of(steps, step):
    """Return the range of the order that a step's rows are; none beyond the last step."""
    if step == steps.shape[0]:
        return 0, 0
    first = int(steps[step, FIRST])
    return first, first + int(steps[step, ROWS_OF_STEP])


@part
def loss_of(work, rows, share, decay):
    """Return a minibatch's loss, from what all members have left in their workspace."""
    losses, squares = 0.0, 0.0
    for i in range(rows):
        losses += work.losses[i]
    for unit in range(work.squares.size):
        squares += work.squares[unit]
    return share * losses + 0.5 * decay * squares


@part
def train_steps(network, data, targets, order, steps, losses, work, member, descent, dropout, most):
    """Train on minibatches, one for each step, as long as no member gives up; arguments as for ``epoch``."""
    batch = inputs_for(work.inputs, member.index)
    for step in range(steps.shape[0]):
        start, end = rows_of(steps, step)
        rows = end - start
        noise = Noise(dropout, steps[step, SEED])
        fetch(network, data, order, start, rows, batch, step, noise)
        catch_up_own(network, batch, steps, step, member, descent)
        soon, soon_end = rows_of(steps, step + 1)
        ahead = Ahead(data.data, data.row_bytes, order, soon, soon_end)
        if not forward(network, batch, rows, work, member, noise, ahead):
            return
        head(network, batch, targets, order, start, rows, steps[step, SHARE], work, member, ahead)
        if not meet(work.team, member.index, member.count):
            return
        if member.index == 0:
            losses[step] = loss_of(work, rows, steps[step, SHARE], steps[step, DECAY])
        now = step_of(descent, steps, step)
        if not backward(network, batch, rows, work, member, noise, now):
            return
        if most < math.inf:
            call(network.layers[0].clip, network, work, member, most, now)
            if not meet(work.team, member.index, member.count):
                return
        pass_by(network, batch, step, now)
    finish(network, batch, steps, member, descent)


@entry
def epoch(network, data, targets, order, steps, losses, work, member, descent, dropout, most):
    """Train on minibatches of the rows in some order; their losses, each before its update, are written to ``losses``.

    network: Network, data: Rows, targets: Targets, order: int64 row numbers, steps: (minibatches, COLUMNS) float64
    (kernels.rules), losses: (minibatches,) float64, work: Workspace, member: Member, descent: Descent, what all steps
    have in common, dropout: Dropout, most: the norm that gradients are clipped to, infinite where they are not

    A loss is that of the rows and, where squares are asked for, decay / 2 * sum W^2. Every member gathers the whole
    minibatch for itself: converting a row is cheaper than fetching what another core has written.
    """
    before = flush_subnormals()
    train_steps(network, data, targets, order, steps, losses, work, member, descent, dropout, most)
    restore(before)
