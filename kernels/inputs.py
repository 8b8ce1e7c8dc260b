"""What a layer works on: a matrix, and, for the first layer, what of it is worth visiting."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import types

from fastmlp.kernels.buffers import aligned_for_each
from fastmlp.kernels.jit import Choice, part
from fastmlp.kernels.layout import blocks_type, height_of_blocks, round_up
from fastmlp.kernels.shape import LINE_BYTES

EVERYTHING, NONZEROS, PAIRS, SINGLES, ENTRIES, SPLIT = map(
    Choice, ("everything", "nonzeros", "pairs", "singles", "entries", "split")
)
"""Which inputs a kernel of the first layer visits: all of them, those that are not zero, in groups of 4, in pairs or
each by itself (kernels.zeros), the entries of sparse rows, or all as bytes, the other side split (kernels.split)."""
ACTIVE = Choice("active")
"""Of a later layer: each by itself that is not zero, in minibatches where that pays, else all (kernels.active)."""


class Visiting(NamedTuple):
    """Which inputs a layer visits, forward and updating; entries, or all as bytes, in both."""

    forward: Choice
    update: Choice

    @property
    def leaves_out_zeros(self) -> bool:
        """Whether it has to be marked what is not zero."""
        return not {NONZEROS, PAIRS, SINGLES}.isdisjoint(self)


VISIT_ALL, VISIT_ENTRIES, VISIT_SPLIT, VISIT_ACTIVE = (
    Visiting(kind, kind) for kind in (EVERYTHING, ENTRIES, SPLIT, ACTIVE)
)


class Inputs(NamedTuple):
    """Inputs of a layer: X in blocks, and bytes in which a kind of visiting keeps what it visits.

    ``zeros`` keeps bits there, set where X is not zero. ``sparse`` keeps lists of entries, and in X, as a single row,
    their values. The operands of ``split`` are there, and nothing is in X. Whoever visits everything needs no bytes.
    """

    X: np.ndarray  # (blocks, columns, rows of a block)
    visits: np.ndarray  # (bytes,) uint8


def inputs_type(dtype) -> types.NamedTuple:
    """Return the Numba type of Inputs."""
    return types.NamedTuple((blocks_type(dtype), types.Array(types.uint8, 1, "C")), Inputs)


def new_inputs(members: int, shape: tuple[int, int], dtype, bytes_to_visit: Callable[[int, int], int]) -> Inputs:
    """Return memory for a minibatch for each member of a team: Inputs of arrays (members, ...).

    shape: whole blocks of rows, or one row, and columns
    bytes_to_visit: how many bytes a kind of visiting keeps for a matrix of so many rows and columns
    """
    rows, columns = shape
    height = height_of_blocks(rows)
    X = aligned_for_each(members, (rows // height, columns, height), dtype)
    visits = round_up(bytes_to_visit(X.shape[1] * height, columns), LINE_BYTES)
    return Inputs(X, aligned_for_each(members, (visits,), np.uint8))


def new_matrices(members: int, shape: tuple[int, int], dtype) -> Inputs:
    """Return memory for minibatches all of which is visited."""
    return new_inputs(members, shape, dtype, lambda rows, columns: 0)


@part
def inputs_for(inputs, member):
    """Return a member's own minibatch."""
    return Inputs(inputs.X[member], inputs.visits[member])


@part
def with_matrix(inputs, X):
    """Return the inputs with another matrix, all of which is visited."""
    return Inputs(X, inputs.visits)
