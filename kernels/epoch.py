"""All minibatches of an epoch, or some of them, in one call that every member of a team makes."""

from fastmlp.kernels.gather import Ahead
from fastmlp.kernels.jit import NOTHING, call, kernel, part
from fastmlp.kernels.step import backward, forward, head
from fastmlp.kernels.team import meet
from fastmlp.kernels.update import with_rate
from fastmlp.kernels.zeros import inputs_for


@part
def fetch(network, data, order, start, rows, batch):
    """Gather a minibatch, and mark what is not zero if zeros are skipped."""
    call(data.gather, NOTHING, data.data, data.columns, data.scale, order, start, 0, rows, batch.X)
    if network.layers[0].mark_nonzeros != 0:
        call(network.layers[0].mark_nonzeros, batch, rows)


@kernel
def epoch(network, data, y, order, rates, batch_size, first, last, work, member, descent):
    """Train on rows ``order[first:last]``, in minibatches of ``batch_size`` and a shorter one at the end.

    network: Network, data: Rows, y: (N,) int64 class numbers,
    order: int64 row numbers, of which minibatch k takes those from k * batch_size on; first: a multiple of batch_size,
    rates: (minibatches of the order,) the learning rate of each, work: Workspace, member: Member,
    descent: Descent, but for the rate

    Returns the sum of the rows' losses, each before its minibatch's update (meaningful for member 0 only). Every member
    gathers the whole minibatch for itself: converting a row is cheaper than fetching what another core has written.
    """
    total = 0.0
    batch = inputs_for(work.inputs, member.index)
    for start in range(first, last, batch_size):
        end = min(start + batch_size, last)
        rows = end - start
        fetch(network, data, order, start, rows, batch)
        ahead = Ahead(data.data, data.row_bytes, order, end, min(end + batch_size, last))
        if not forward(network, batch, rows, work, member, ahead):
            return total
        head(network, batch, y, order, start, rows, work, member, ahead)
        if not meet(work.team, member.index, member.count):
            return total
        if member.index == 0:
            for i in range(rows):
                total += work.losses[i]
        step = with_rate(descent, rates[start // batch_size], descent.decay)
        if not backward(network, batch, rows, work, member, step):
            return total
    return total
