"""How the threads of a team share a minibatch, and how many of them pay: by units, inputs, or parts of the rows.

What they hand to one another depends on the way (``fastmlp.kernels.parts``): units cost products, or activations, and
gradients between layers, and all gather all rows; halves of the inputs cost products and gradients of the only hidden
layer, between two threads; parts cost the gradients and weights of all layers, and no more threads than parts can work.
Where units are shared, products are in halves in layers that have no more units than inputs (``kernels.products``), and
a member's are whole panels, so that two members may have more to do, padding counted, than one has.
Which way is taken depends on the network, the batch size and the data, never on how many threads there will be, as a
result must not either. So small minibatches are shared as suits two threads, larger ones as suits two, four and eight.
"""

import itertools
import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fastmlp.kernels.layout import HALVES, ceil_div, lanes, panel_vectors
from fastmlp.kernels.shape import WORD

# In multiply-adds that one of two threads might have done instead, twice over, as measured (benchmarks/README.md)
UNITS, NUMBER_OF_UNITS = 150_000, 120  # sharing units: of a minibatch, and of each number of a row that is handed over
NUMBER_BETWEEN = 50  # of each product and gradient of a row that is, between hidden layers
WEIGHT_OF_UNITS = 25  # of each weight that is: they lie side by side
DEEPER = 50_000  # of each hidden layer but the first, at which all wait for one another
GATHERED, GATHERED_BYTE = 30, 8  # of each input, which threads that share units both gather
ROW_OF_HALVES, UNIT_OF_HALVES = 6_300, 320  # sharing inputs: of each row, and of each unit's product and gradient there
PARTS, NUMBER_OF_PARTS = 70_000, 65  # parts likewise; a member writes its numbers to lines of its own
CACHED, NUMBER_BEYOND = 400_000, 75  # of each number where weights and all gradients are more than a second cache holds
ROW = 5_000  # work that a row is besides its products: its loss, and gathering it
AT_PAR = 1.25  # of a minibatch's work, where two that lose so much together take as long as one
LEAST_WORK = 150_000  # of a minibatch, for each thread
WORTH_MORE = 8_000_000  # of a minibatch, for each thread, from which on sharing should suit more than two
FEWEST_INPUTS = HALVES * WORD  # to share: where zeros are skipped, each half is whole words of bits (kernels.zeros)

TEAMS = 2, 4, 8  # how many threads a way may have to suit; and in how many parts a minibatch may fall
ROWS_OF_PART = 32  # the fewest, where there are more than two parts


class Minibatch(NamedTuple):
    """What decides how minibatches are shared.

    sizes: of the network, (D, hidden units ..., C); rows: how many; dtype: of arithmetic; visited: how many inputs of a
    row the first layer visits, None for all; as_bytes: whether rows are bytes, and none is left out for being zero
    """

    sizes: tuple[int, ...]
    rows: int
    dtype: np.dtype[Any]
    visited: float | None = None
    as_bytes: bool = False

    @property
    def multiply_adds(self) -> int:
        """Those of a minibatch, forward and back."""
        return 3 * self.rows * forward_multiply_adds(self.visited_sizes)

    @property
    def work(self) -> int:
        """What a minibatch takes in multiply-adds, with what each row is besides its products."""
        return self.multiply_adds + ROW * self.rows

    @property
    def visited_sizes(self) -> tuple[int, ...]:
        """The network's sizes, as if it had no inputs but those that are visited."""
        return self.sizes if self.visited is None else (max(1, round(self.visited)), *self.sizes[1:])


class Way(NamedTuple):
    """A way to share minibatches: in how many parts, and among how many threads at most, 0 for any number."""

    parts: int
    most: int


UNITS_SHARED, INPUTS_SHARED = Way(1, 0), Way(1, HALVES)


class Sharing(NamedTuple):
    """A way to share minibatches: in how many parts, one if they stay whole, and among how many threads.

    halves: of each layer, whether its products are in halves: of the first, if inputs are shared instead of units
    """

    parts: int
    members: int
    halves: tuple[bool, ...]

    @property
    def of_units(self) -> int:
        """Among how many threads a layer's units are shared."""
        return self.members if self.parts == 1 and not self.halves[0] else 1

    @property
    def sums(self) -> int:
        """In how many sums squared weights are added up, whatever the number of threads."""
        return HALVES if any(self.halves) else self.parts


def forward_multiply_adds(sizes: tuple[int, ...]) -> int:
    """Return the multiply-adds that the scores of one row take in a network of ``sizes`` (D, hidden units ..., C)."""
    return sum(a * b for a, b in itertools.pairwise(sizes))


@lru_cache(maxsize=128)  # searches train the same network again and again
def sharing_of(minibatch: Minibatch, limit: int, whole: bool = False, halves: bool = False) -> Sharing:
    """Return how at most ``limit`` threads share minibatches.

    whole: whether they must stay whole; halves: whether two threads may share inputs

    Of all ways, that is taken for which the product of what it takes teams of several sizes is least.
    """
    sizes, products, work = minibatch.sizes, minibatch.multiply_adds, minibatch.work
    ways = {UNITS_SHARED: _cost_of_units(minibatch)}
    if halves and minibatch.visited is None and len(sizes) == 3 and sizes[0] >= FEWEST_INPUTS:
        ways[INPUTS_SHARED] = _cost_of_halves(minibatch)
    if not whole:
        ways |= {Way(parts, parts): _cost_of_parts(sizes, parts) for parts in _parts_of(minibatch.rows)}
    teams = _teams_for(work)
    way = min(ways, key=lambda way: math.prod(_work_of_one(work, way, ways[way], team) for team in teams))
    none = (False,) * (len(sizes) - 1)
    if AT_PAR * work <= ways[way] or products < 2 * LEAST_WORK:
        return Sharing(1, 1, none)
    members = min(limit, way.most or _most_to_share_units(minibatch) or limit, products // LEAST_WORK)
    if way == INPUTS_SHARED:
        return Sharing(1, members, (True, False))
    if way == UNITS_SHARED and not whole:
        return Sharing(1, members, (False, *(_is_in_halves(a, b) for a, b in itertools.pairwise(sizes[1:]))))
    return Sharing(way.parts, members, none)


def _most_to_share_units(minibatch: Minibatch) -> int:
    """Return how many threads may have a panel of their own in a hidden layer; 0, for any number, if there is none."""
    widest = max(minibatch.sizes[1:-1], default=0)
    return int(ceil_div(widest, lanes(minibatch.dtype)))


def _teams_for(work: int) -> list[int]:
    """Return the sizes of teams that a minibatch of so much work should suit: two, and more if it is worth it."""
    return [members for members in TEAMS if members == 2 or work >= members * WORTH_MORE]


def _work_of_one(work: int, way: Way, cost: int, members: int) -> float:
    """Return the multiply-adds that one of so many members does and loses, given what two lose together."""
    if way == UNITS_SHARED:  # what one of m members reads of the others is (m - 1) / m of all
        return (work + (members - 1) * cost) / members
    return work / min(members, way.most) + cost / 2


def _parts_of(batch_size: int) -> list[int]:
    """Return in how many parts a minibatch may fall: two, or more if that leaves enough rows to each."""
    return [parts for parts in TEAMS if parts == 2 or batch_size >= parts * ROWS_OF_PART]


def _is_in_halves(inputs: int, units: int) -> bool:
    """Tell whether products of a later layer are in halves, where units are shared; one unit has its own kernels."""
    return 1 < units <= inputs


def _cost_of_units(minibatch: Minibatch) -> int:
    """Return what two threads lose by handing over each layer's products, or activations and weights, and gradients."""
    inputs, *hidden, outputs = sizes = minibatch.visited_sizes
    between = list(itertools.pairwise(hidden))
    products = sum(b for a, b in between if _is_in_halves(a, b))
    # of the last hidden layer no activations are handed over, but two threads have narrower panels of it (measured)
    activations = sum(a for a, b in between if not _is_in_halves(a, b)) + sum(hidden[-1:]) // 2
    weights = sum(a * b for a, b in between if not _is_in_halves(a, b)) + sum(hidden[-1:]) * outputs
    of_scores = NUMBER_OF_UNITS * (activations + outputs)
    gathered = GATHERED_BYTE if minibatch.as_bytes else GATHERED
    of_rows = of_scores + NUMBER_BETWEEN * (products + sum(hidden[1:])) + gathered * inputs
    padding = 3 * sum(a * _padding_of_two(b, minibatch.dtype) for a, b in itertools.pairwise(sizes[:-1]))
    return UNITS + DEEPER * len(between) + minibatch.rows * (of_rows + padding) + WEIGHT_OF_UNITS * weights


def _padding_of_two(units: int, dtype: np.dtype[Any]) -> int:
    """Return how many units more two threads have in their panels than one has in its own."""
    one, two = (members * sum(panel_vectors(units, dtype, members)[0]) for members in (1, 2))
    return int(max(0, two - one) * lanes(dtype))


def _cost_of_halves(minibatch: Minibatch) -> int:
    """Return what two threads lose by handing over products and gradients of the hidden layer."""
    _, hidden, outputs = minibatch.sizes
    return UNITS + minibatch.rows * (ROW_OF_HALVES + UNIT_OF_HALVES * hidden + NUMBER_OF_UNITS * outputs)


def _cost_of_parts(sizes: tuple[int, ...], parts: int) -> int:
    """Return what two threads lose by handing over the gradients of half of the parts, and all weights once."""
    parameters = forward_multiply_adds(sizes) + sum(sizes[1:])
    of_number = NUMBER_OF_PARTS if parameters * (1 + parts) <= CACHED else NUMBER_BEYOND
    return PARTS + of_number * parameters * (parts + 2) // 2
