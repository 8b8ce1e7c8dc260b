"""How the threads of a team share a minibatch: the units of each layer, or parts of the rows; and how many threads pay.

Two threads are compared to one. What they hand to one another depends on the way (``fastmlp.kernels.parts``): units
cost the activations and gradients between layers, and both gather all rows; parts cost the gradients and weights of all
layers. Which way is taken depends on the network, the batch size and the data, never on how many threads there will be:
a result must not either.
"""

import itertools
from typing import NamedTuple

# In multiply-adds that one of two threads might have done instead, twice over, as measured (benchmarks/README.md)
UNITS, NUMBER_OF_UNITS = 500_000, 120  # sharing units: of a minibatch, and of each number that is handed over
DEEPER = 100_000  # of each hidden layer but the first, at which all wait for one another
GATHERED = 25  # of each input, which threads that share units both gather
PARTS, NUMBER_OF_PARTS = 900_000, 38  # parts likewise; a member writes its numbers to lines of its own
ROW = 5_000  # work that a row is besides its products: its loss, and gathering it
LEAST_WORK = 150_000  # of a minibatch, for each thread

LEAST_PARTS, MOST_PARTS, ROWS_OF_PART = 2, 8, 128  # more parts are for more threads, and cost two a little


class Sharing(NamedTuple):
    """A way to share minibatches: in how many parts, one if units are shared, and among how many threads."""

    parts: int
    members: int

    @property
    def of_units(self) -> int:
        """Among how many threads a layer's units are shared."""
        return self.members if self.parts == 1 else 1


def forward_multiply_adds(sizes: tuple[int, ...]) -> int:
    """Return the multiply-adds that the scores of one row take in a network of ``sizes`` (D, hidden units ..., C)."""
    return sum(a * b for a, b in itertools.pairwise(sizes))


def multiply_adds(sizes: tuple[int, ...], batch_size: int, visited: float | None) -> int:
    """Return the multiply-adds of a minibatch, forward and back; arguments as for ``sharing_of``."""
    return 3 * batch_size * forward_multiply_adds(_visiting(sizes, visited))


def work_of(sizes: tuple[int, ...], batch_size: int, visited: float | None) -> int:
    """Return what a minibatch takes in multiply-adds, with what each row is besides its products."""
    return multiply_adds(sizes, batch_size, visited) + ROW * batch_size


def sharing_of(
    sizes: tuple[int, ...], batch_size: int, visited: float | None, limit: int, whole: bool = False
) -> Sharing:
    """Return how at most ``limit`` threads share the minibatches of a network of ``sizes`` (D, hidden units ..., C).

    visited: how many inputs of a row the first layer visits, None for all; whole: whether minibatches must stay whole
    """
    products = multiply_adds(sizes, batch_size, visited)
    parts = _parts_of(batch_size)
    by_units, by_parts = _cost_of_units(_visiting(sizes, visited), batch_size), _cost_of_parts(sizes, parts)
    if whole or by_units <= by_parts:
        parts, cost = 1, by_units
    else:
        limit, cost = min(limit, parts), by_parts
    if work_of(sizes, batch_size, visited) <= cost or products < 2 * LEAST_WORK:
        return Sharing(1, 1)
    return Sharing(parts, min(limit, products // LEAST_WORK))


def _visiting(sizes: tuple[int, ...], visited: float | None) -> tuple[int, ...]:
    return sizes if visited is None else (max(1, round(visited)), *sizes[1:])


def _parts_of(batch_size: int) -> int:
    """Return the largest power of two that leaves enough rows to each part, within bounds."""
    parts = LEAST_PARTS
    while parts < MOST_PARTS and batch_size >= 2 * parts * ROWS_OF_PART:
        parts *= 2
    return parts


def _cost_of_units(sizes: tuple[int, ...], batch_size: int) -> int:
    """Return what two threads lose by handing over each layer's activations, gradients and weights."""
    inputs, *hidden, outputs = sizes
    activations = sum(hidden[:-1]) + sum(hidden[-1:]) // 2  # the output layer is shared by rows
    gradients = sum(hidden[1:]) + outputs
    weights = sum(a * b for a, b in itertools.pairwise(sizes[1:]))
    handed_over = batch_size * (activations + gradients) + weights
    waiting = UNITS + DEEPER * max(0, len(hidden) - 1)
    return waiting + NUMBER_OF_UNITS * handed_over + GATHERED * batch_size * inputs


def _cost_of_parts(sizes: tuple[int, ...], parts: int) -> int:
    """Return what two threads lose by handing over the gradients of half of the parts, and all weights once."""
    parameters = forward_multiply_adds(sizes) + sum(sizes[1:])
    return PARTS + NUMBER_OF_PARTS * parameters * (parts + 2) // 2
