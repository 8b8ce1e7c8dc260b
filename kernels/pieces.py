"""A member's work in a layer, in pieces; a member that is done with its own takes pieces of those who are behind.

Processors are not equally fast: some are small cores, some share a core with another thread, some are taken away for a
while by other programs. Where all members had the same to do, all would wait for the slowest. A member still owns its
panels, and does most of the work on them, so that their weights stay in its cache.

A piece is an item, such as a panel, and a share of the rows (of the minibatch, or of the panel's weights). All of a
member's items come with one share before any comes with the next, so that inputs stay in the second cache meanwhile.
Which member does a piece makes no difference to the result.
"""

from typing import NamedTuple

from fastmlp.kernels.jit import part
from fastmlp.kernels.layout import share
from fastmlp.kernels.team import await_taken, give_back, offer, take


class Member(NamedTuple):
    """One member of a team: its number, and how many there are."""

    index: int
    count: int


@part
def own_panels(layer, member):
    """Return this member's range of a hidden layer's panels."""
    return share(layer.panels, member.index, member.count)


class Piece(NamedTuple):
    """A piece of work: of the member so many places further on, its number there, an item, and a share of its rows.

    The rows are in ``layer.pieces`` shares. ``item`` is negative where there is no piece.
    """

    places: int
    number: int
    item: int
    nth: int


@part
def offer_pieces(layer, team, member):
    """Offer this member's pieces of a layer to the others as well, and return what comes before the first."""
    if layer.pieces > 1:
        offer(team, member.index)
    return Piece(0, -1, -1, 0)


@part
def next_piece(layer, items, team, member, done):
    """Return a piece to do after the one that is done: this member's own, then those of others who are behind.

    items: how many all members have together, in turn
    """
    shared, places, number = layer.pieces > 1, done.places, done.number + 1
    if shared and number > 0:
        give_back(team, (member.index + places) % member.count)
    while places < (member.count if shared else 1):
        owner = (member.index + places) % member.count
        first, last = share(items, owner, member.count)
        own = last - first
        count = own * layer.pieces
        if shared:
            # what an owner does last it has at hand: to fetch it would take longer
            number = take(team, member.index, owner, count - (places > 0))
        if 0 <= number < count:
            return Piece(places, number, first + number % own, number // own)
        places += 1
    return Piece(places, 0, -1, 0)


@part
def await_pieces(layer, team, member):
    """Wait until others are done with what they have taken of this member's pieces."""
    if layer.pieces > 1:
        await_taken(team, member.index)
