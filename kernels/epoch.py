"""All minibatches of an epoch, or some of them, in one call that every member of a team makes."""

from fastmlp.kernels.gather import Ahead
from fastmlp.kernels.jit import NOTHING, call, kernel, part
from fastmlp.kernels.layout import share
from fastmlp.kernels.step import backward, forward, head
from fastmlp.kernels.team import meet


@part
def gather_share(data, order, start, rows, out, member):
    """Gather this member's rows of a minibatch."""
    first, last = share(rows, member.index, member.count)
    call(data.gather, NOTHING, data.data, data.columns, data.scale, order, start, first, last, out)


@kernel
def epoch(network, data, y, order, batch_size, first, last, work, member, descent):
    """Train on rows ``order[first:last]``, in minibatches of ``batch_size`` and a shorter one at the end.

    network: Network, data: Rows, y: (N,) int64 class numbers,
    order: int64 row numbers, work: Workspace, member: Member, descent: Descent

    Returns the sum of the rows' losses, each before its minibatch's update (meaningful for member 0 only). While a
    minibatch is in its last phases the next one is gathered into the other half of ``work.inputs``.
    """
    total = 0.0
    gather_share(data, order, first, min(batch_size, last - first), work.inputs[0], member)
    if not meet(work.team, member.index, member.count):
        return total
    half = 0
    for start in range(first, last, batch_size):
        rows = min(batch_size, last - start)
        X = work.inputs[half]
        following = min(batch_size, last - start - rows)
        mine = share(following, member.index, member.count)
        ahead = Ahead(data.data, data.row_bytes, order, start + rows + mine[0], start + rows + mine[1])
        if not forward(network, X, rows, work, member, ahead):
            return total
        head(network, X, y, order, start, rows, work, member, ahead)
        half = 1 - half
        gather_share(data, order, start + rows, following, work.inputs[half], member)
        if not meet(work.team, member.index, member.count):
            return total
        if member.index == 0:
            for i in range(rows):
                total += work.losses[i]
        if not backward(network, X, rows, work, member, descent):
            return total
    return total
