"""What a team works on: a network, and its activations, gradients and products in one buffer, the scratch."""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.buffers import aligned_for_each
from fastmlp.kernels.inputs import Inputs
from fastmlp.kernels.jit import Choice, part
from fastmlp.kernels.layout import Layout, columns_of_group
from fastmlp.kernels.team import new_team
from fastmlp.kernels.views import blocks_at, matrix, matrix_of

_BYTES = Choice("uint8")


class Network(NamedTuple):
    """A network: its LAYER and PANEL records, and its parameters, slots of ``size`` numbers."""

    layers: np.ndarray
    panels: np.ndarray
    parameters: np.ndarray
    size: int


def network_of(plan: Layout, parameters: np.ndarray) -> Network:
    """Return the network that is laid out so, with these parameters (slots * plan.size,)."""
    return Network(plan.layers, plan.panels, parameters, plan.size)


class Workspace(NamedTuple):
    """What a team works on: each member's minibatch, activations and gradients, and its own state."""

    inputs: Inputs
    scratch: np.ndarray
    transposed: np.ndarray  # members * numbers of a transposed panel
    losses: np.ndarray  # (B,) float64
    squares: np.ndarray  # of each unit its squared weights, summed up in some shares; (0,) if they are not asked for
    norms: np.ndarray  # of each unit, the squared gradients of its weights, then of all biases; (0,) likewise
    team: np.ndarray
    parts: int  # in how many a minibatch is trained (kernels.parts)


def new_workspace(
    plan: Layout, members: int, inputs: Inputs, squares: int = 0, norms: bool = False, parts: int = 1
) -> Workspace:
    """Return memory for a team to work in, with the given memory for its minibatches.

    plan: that of the parts of a minibatch, if it is trained in parts; squares: in how many shares squared weights are
    summed up, 0 where they are not asked for
    """
    dtype = inputs.X.dtype
    return Workspace(
        inputs,
        aligned_for_each(members if parts > 1 else 1, (plan.scratch,), dtype).reshape(-1),
        aligned_for_each(members, (max(1, plan.transposed),), dtype).reshape(-1),
        np.zeros(parts * plan.batch_rows),
        np.zeros(squares * plan.units, dtype),
        np.zeros(2 * plan.units if norms else 0, dtype),
        new_team(members),
        parts,
    )


def workspace_of_some(work: Workspace, members: int, some: int) -> Workspace:
    """Return what some of so many members work on alone: the memory of the first of them, and a team of their own.

    work: all members' Workspace, of whose arrays views are returned; 1 <= some <= members
    """
    inputs = Inputs(work.inputs.X[:some], work.inputs.visits[:some])
    scratch = work.scratch[: work.scratch.size // members * some] if work.parts > 1 else work.scratch
    transposed = work.transposed[: work.transposed.size // members * some]
    return work._replace(inputs=inputs, scratch=scratch, transposed=transposed, team=new_team(some))


@part
def activations_of(layer, half, work):
    """Return a layer's activations (blocks, block_columns, block_height), where one half of its units has them.

    The output layer has none.
    """
    start = layer.activations + half * layer.apart
    return blocks_at(work.scratch, start, layer.blocks, layer.block_columns, layer.block_height)


@part
def inputs_of(l, network, batch, half, work):
    """Return what layer l works on, in blocks, for half of its inputs: the minibatch, or activations and their bits."""
    if l == 0:
        return batch
    before = network.layers[l - 1]
    A = activations_of(before, half, work)
    return Inputs(A, matrix_of(_BYTES, work.scratch, (before.activations + A.size) * A.itemsize, 1, before.bits)[0])


@part
def gradients_of(layer, work):
    """Return the gradient (group_rows, stride) of a layer's weighted inputs, before that what is kept of these.

    That is the first group of panels. The next ones lie below, each with a gap after its rows: what a processor fetches
    ahead, past the end of what it reads, would otherwise be what another member is about to write.
    """
    return matrix(work.scratch, layer.gradients, layer.group_rows, layer.stride)


@part
def gradients_of_panel(layer, panel, work):
    """Return the same of a panel's group (group_rows, stride), in which the panel begins at ``panel.column``."""
    rows, columns = layer.group_rows, columns_of_group(layer)
    start = layer.gradients + panel.column // columns * (rows * layer.stride - columns)
    return matrix(work.scratch, start, rows, layer.stride)
