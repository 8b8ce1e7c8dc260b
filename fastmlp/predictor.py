"""Scores and probabilities of rows, from parameters that an engine trains: safe to use from many threads at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.architecture import Architecture
from fastmlp.kernels import layout, program, sparse
from fastmlp.kernels.gather import NO_ORDER, Rows
from fastmlp.kernels.inputs import new_matrices
from fastmlp.kernels.jit import entry_of
from fastmlp.kernels.predict import predict
from fastmlp.kernels.workspace import Network, Workspace, network_of, new_workspace
from fastmlp.sharing import forward_multiply_adds
from fastmlp.threads import MULTIPLY_ADDS_PER_CALL

BLOCK_ROWS = 64
LEAST_ROWS_PER_THREAD = 2 * BLOCK_ROWS


@dataclass(frozen=True)
class _Way:
    """How one kind of rows is predicted: the network's kernels for it, and memory of threads that have done so."""

    sparse: bool
    plan: layout.Layout
    network: Network
    call: Any
    idle: list[Workspace] = field(default_factory=list)


class Predictor:
    """Predicts with a network whose parameters are the first slot of a buffer.

    members: the number that the buffer is laid out for; threads: the most to use
    """

    def __init__(self, architecture: Architecture, buffer: NDArray[np.floating], members: int, threads: int) -> None:
        self._activation, self._sizes = architecture.activation_choice, architecture.sizes
        self._buffer, self._dtype, self._members, self._threads = buffer, buffer.dtype, members, threads
        self._stride = max(1, MULTIPLY_ADDS_PER_CALL // forward_multiply_adds(self._sizes))
        self._ways: dict[tuple[bool, bool], _Way] = {}  # by whether rows are sparse, or only one

    def compile(self, rows: Rows, single: bool = False) -> None:
        """Compile the kernels that predicting many such rows takes, or a single one, or load them from disk."""
        self._way(rows, single)

    def outputs(self, rows: Rows, count: int, probabilities: bool) -> tuple[NDArray[np.floating], bool]:
        """Return the scores or probabilities (count, C) of the first rows, and whether dense rows were finite.

        Where they were not, the numbers mean nothing.
        """
        out = np.empty((count, self._sizes[-1]), self._dtype)
        way = self._way(rows, single=count == 1)
        if count < 2 * LEAST_ROWS_PER_THREAD or self._threads == 1:
            return out, self._run(way, rows, 0, count, probabilities, out)
        members = min(self._threads, count // LEAST_ROWS_PER_THREAD)
        bounds = [count * member // members for member in range(members + 1)]

        def run(member: int) -> bool:
            return self._run(way, rows, bounds[member], bounds[member + 1], probabilities, out)

        with ThreadPoolExecutor(members - 1, "fastmlp") as pool:
            others = [pool.submit(run, member) for member in range(1, members)]
            finite = run(0)
            return out, all([finite, *(other.result() for other in others)])

    def _run(
        self, way: _Way, rows: Rows, first: int, last: int, probabilities: bool, out: NDArray[np.floating]
    ) -> bool:
        try:
            work = way.idle.pop()
        except IndexError:
            work = self._new_work(way.plan, rows)
        finite = True
        while finite and first < last:
            end = min(first + self._stride, last)
            finite = way.call(way.network, rows, NO_ORDER, first, end, work, probabilities, out)
            first = end
        if not way.sparse:  # room for these entries need not be room for others
            way.idle.append(work)
        return finite

    def _way(self, rows: Rows, single: bool) -> _Way:
        sparse = rows.starts.size > 0
        key = sparse, single and not sparse
        try:
            return self._ways[key]
        except KeyError:
            way = self._ways[key] = self._new_way(rows, *key)
            return way

    def _new_way(self, rows: Rows, sparse: bool, single: bool) -> _Way:
        dtype = self._dtype
        plan = layout.plan(self._sizes, 1 if single else BLOCK_ROWS, dtype, self._members, single)
        program.assemble_to_predict(plan, dtype, self._activation, sparse, single)
        network = network_of(plan, self._buffer)
        nothing = np.empty((0, self._sizes[-1]), dtype)
        work = self._new_work(plan, rows)
        call = entry_of(predict, (network, rows, NO_ORDER, 0, 0, work, True, nothing))
        return _Way(sparse, plan, network, call)

    def _new_work(self, plan: layout.Layout, rows: Rows) -> Workspace:
        if rows.starts.size:
            entries = sparse.most_entries(rows, plan.batch_rows, repeated=False)
            return new_workspace(plan, 1, sparse.new_lists(1, plan.batch_rows, 0, entries, self._dtype))
        return new_workspace(plan, 1, new_matrices(1, (plan.batch_rows, plan.input_columns), self._dtype))
