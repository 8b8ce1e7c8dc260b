"""Many minibatches, as an epoch has, in one call that every member of a team makes."""

from fastmlp.kernels.gather import Selection
from fastmlp.kernels.inputs import inputs_for
from fastmlp.kernels.jit import NOTHING, call, entry, part
from fastmlp.kernels.parts import (
    network_of_part,
    noise_of_part,
    own_parts,
    rows_of_part,
    sharing_units,
    sharing_weights,
    work_on_part,
)
from fastmlp.kernels.patience import BEST, WAITED, ends_epoch, is_progress, keep_count, loss_of_epoch
from fastmlp.kernels.products import sum_own_squares
from fastmlp.kernels.rules import DECAY, FIRST, SEED, SHARE, step_of
from fastmlp.kernels.step import Feed, backward, forward, head, loss_of
from fastmlp.kernels.subnormals import flush_subnormals, restore
from fastmlp.kernels.team import gives_up, meet


@part
def fetch(network, data, selection, batch, step, noise):
    """Gather a minibatch, and mark what its first layer should visit unless that is everything."""
    rows = selection.count
    call(data.gather, NOTHING, data, selection, batch)
    if noise.dropout.inputs > 0.0:
        lists = network.layers[0].touch_all != 0  # then the minibatch is one row of entries
        width = batch.X.shape[1] if lists else data.inputs
        call(network.layers[0].drop, batch.X, 1 if lists else rows, 0, width, noise.dropout.inputs, noise.seed, 0)
    if network.layers[0].mark != 0:
        call(network.layers[0].mark, batch, rows, step)


@part
def catch_up(network, batch, steps, step, member, descent):
    """Bring this member's weights of the columns that are touched up to date, where they may be behind."""
    if network.layers[0].catch_up != 0:
        call(network.layers[0].catch_up, batch, network, steps, step, member, descent)


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
        catch_up(network, batch, steps, steps.shape[0], member, descent)


@part
def train_part(p, step, network, feed, losses, batch, work, member, now, dropout):
    """Train on part p of a step's minibatch. False if the team was aborted."""
    data, targets, order, steps = feed
    then, _ = rows_of_part(p, work.parts, steps, step + 1)
    if network.layers[0].train != 0:
        call(network.layers[0].train, network, feed, losses, step, then, batch, work, member, now)
        return not gives_up(work.team)
    start, rows = rows_of_part(p, work.parts, steps, step)
    own, me = network_of_part(p, network), sharing_units(work.parts, member)
    mine = work_on_part(p, start - int(steps[step, FIRST]), work, member)
    noise = noise_of_part(p, dropout, steps[step, SEED])
    fetch(own, data, Selection(order, start, rows, then, 0, data.inputs), batch, step, noise)
    catch_up(own, batch, steps, step, me, now)
    if not forward(own, batch, rows, mine, me, noise):
        return False
    if not head(own, batch, targets, order, start, rows, steps[step, SHARE], mine, me):
        return False
    if mine.squares.size:
        sum_own_squares(own, mine, sharing_weights(p, work.parts, member))
    if not meet(work.team, me.index, me.count):
        return False
    if me.index == 0:
        losses[step, p] = loss_of(mine, rows, steps[step, SHARE], steps[step, DECAY])
    return backward(own, batch, rows, mine, me, noise, now)


@entry
def epoch(network, data, targets, order, steps, losses, work, member, descent, dropout, most, patience):
    """Train on minibatches of the rows in some order; their losses, each before its update, are written to ``losses``.

    network: Network, data: Rows, targets: Targets, order: int64 row numbers, steps: (minibatches, COLUMNS) float64
    (kernels.rules), losses: (minibatches, parts) float64, work: Workspace, member: Member, descent: Descent, what all
    steps have in common, dropout: Dropout, most: the norm that gradients are clipped to, infinite where they are not,
    patience: Patience, when to end before the last minibatch

    A minibatch's loss, that of its rows and, where squares are asked for, decay / 2 * sum W^2, is the sum of its
    parts'. Members that share a part's units each gather all its rows: converting a row is cheaper than fetching what
    another core has written.
    """
    before, feed = flush_subnormals(), Feed(data, targets, order, steps)
    batch = inputs_for(work.inputs, member.index)
    first, last = own_parts(work.parts, member)
    all_met, done, best, waited = True, 0, patience.counts[BEST], patience.counts[WAITED]
    for step in range(steps.shape[0]):
        now = step_of(descent, steps, step)
        for p in range(first, last):
            all_met = all_met and train_part(p, step, network, feed, losses, batch, work, member, now, dropout)
        if all_met and network.layers[0].apply_all != 0:
            call(network.layers[0].apply_all, network, work, member, most, now)
            all_met = meet(work.team, member.index, member.count)
        if not all_met:
            break
        pass_by(network, batch, step, now)
        done = step + 1
        if ends_epoch(patience, done):
            all_met = meet(work.team, member.index, member.count)  # all losses are there
            if not all_met:
                break
            loss = loss_of_epoch(patience, losses, steps, done)
            waited = 0.0 if is_progress(patience, best, loss) else waited + 1.0
            best = min(best, loss)
            if waited > patience.most:
                break
    if all_met:
        finish(network, batch, steps, member, descent)
    if member.index == 0:
        keep_count(patience, best, waited, done)
    restore(before)
