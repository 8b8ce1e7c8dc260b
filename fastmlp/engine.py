"""A network in memory and the team that runs kernels on it: the one bridge from Python objects to ``kernels``."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext

import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels import activation, layout, program, team, update, zeros
from fastmlp.kernels.epoch import epoch
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.predict import predict
from fastmlp.kernels.step import Member, Network, Workspace
from fastmlp.kernels.update import Descent
from fastmlp.threads import useful_members

# A call into compiled code holds this much work for a member, a fraction of a second: Ctrl-C is heard in between
MULTIPLY_ADDS_PER_CALL = 4_000_000_000
PREDICT_ROWS = 64
NO_ORDER: NDArray[np.int64] = np.zeros(0, np.int64)

Parameters = Mapping[str, NDArray[np.floating]]
Ints = NDArray[np.int64]
Train = Callable[[Rows, Ints, Ints, NDArray[np.float64], Descent], float]


class Engine:
    """A network of ``sizes`` (D, hidden units ..., C), laid out for minibatches of ``batch_size`` and a team.

    The optimiser's rule is one of those in ``fastmlp.kernels.update``; ``threads`` is the most that it may use;
    ``skip_zeros`` lets training visit only what is not zero among the inputs, with the same result.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        batch_size: int,
        dtype: np.dtype[np.floating],
        rule: activation.Choice,
        threads: int,
        skip_zeros: bool = False,
    ) -> None:
        self.sizes, self.dtype, self.rule = sizes, np.dtype(dtype), rule
        self.batch_size, self.skip_zeros = batch_size, skip_zeros
        self.members = useful_members(sizes, batch_size, threads)
        self._threads = threads
        self._layout = layout.plan(sizes, batch_size, self.dtype, self.members)
        self._predicting = layout.plan(sizes, PREDICT_ROWS, self.dtype, self.members)
        self._idle: list[Workspace] = []  # of threads that have predicted and may do so again
        self._buffer = layout.aligned(update.SLOTS[rule] * self._layout.size, self.dtype)

    # ---- parameters ----

    @property
    def slots(self) -> NDArray[np.floating]:
        """The parameters and the optimiser's numbers for them, (slots, size), in the kernels' order."""
        slots: NDArray[np.floating] = self._buffer.reshape(-1, self._layout.size)
        return slots

    def write(self, parameters: Parameters, slot: int = 0) -> None:
        """Set the parameters (or a slot of the optimiser's) from plain arrays named W1, b1, W2 ..."""
        for l, layer in enumerate(self._layout.layers, 1):
            layout.pack(layer, self.slots[slot], parameters[f"W{l}"], parameters[f"b{l}"])

    def read(self, slot: int = 0) -> dict[str, NDArray[np.floating]]:
        """Return copies of the parameters (or of a slot of the optimiser's) as plain arrays W1, b1, W2 ..."""
        plain = {}
        for l, layer in enumerate(self._layout.layers, 1):
            plain[f"W{l}"], plain[f"b{l}"] = layout.unpack(layer, self.slots[slot])
        return plain

    def sum_of_squares(self) -> float:
        """Return the sum of all squared weights, biases left out, in an order that does not depend on threads."""
        weights = (array for name, array in self.read().items() if name.startswith("W"))
        return float(sum(np.square(W, dtype=np.float64).sum() for W in weights))

    def is_finite(self) -> bool:
        """Tell whether all parameters are finite."""
        return bool(np.isfinite(self.slots[0]).all())

    # ---- running ----

    def compile(self, rows: Rows) -> None:
        """Compile the kernels that this network needs, or load them from disk."""
        program.assemble(self._layout.layers, self.dtype, activation.RELU, self.rule, self.skip_zeros)
        program.assemble(self._predicting.layers, self.dtype, activation.RELU, self.rule, False)
        network = Network(self._layout.layers, self._buffer, self._layout.size)
        work = self._workspace(self._layout, 1, False)
        epoch(network, rows, NO_ORDER, NO_ORDER, np.zeros(0), self.batch_size, 0, 0, work, Member(0, 1), Descent(0.0))
        predict(network, rows, NO_ORDER, 0, 0, work, np.empty((0, self.sizes[-1]), self.dtype))

    def _workspace(self, plan: layout.Layout, members: int, skip_zeros: bool) -> Workspace:
        return Workspace(
            zeros.new_inputs(plan.batch_rows, plan.input_stride, members, self.dtype, skip_zeros),
            layout.aligned((plan.scratch,), self.dtype),
            layout.aligned_for_each(members, (max(1, plan.transposed),), self.dtype).reshape(-1),
            np.zeros(plan.batch_rows),
            team.new_team(members),
        )

    @contextmanager
    def trainer(self) -> Iterator[Train]:
        """Hold a team ready: yields ``train(rows, y, order, rates, descent)``.

        It trains on the rows in that order, ``rates`` holding the learning rate of each minibatch, and returns the sum
        of the rows' losses. An exception in the calling thread (KeyboardInterrupt) finds and leaves whole minibatches.
        """
        network = Network(self._layout.layers, self._buffer, self._layout.size)
        work = self._workspace(self._layout, self.members, self.skip_zeros)
        stride = self._rows_per_call()
        others = range(1, self.members)

        with ThreadPoolExecutor(self.members - 1, "fastmlp") if others else nullcontext() as pool:

            def train(rows: Rows, y: Ints, order: Ints, rates: NDArray[np.float64], descent: Descent) -> float:
                def call(member: int) -> float:
                    me = Member(member, self.members)
                    return float(epoch(network, rows, y, order, rates, self.batch_size, first, last, work, me, descent))

                total = 0.0
                for first in range(0, len(order), stride):
                    last = min(first + stride, len(order))
                    try:
                        calls = [pool.submit(call, member) for member in others] if pool else []
                        total += call(0)
                        wait(calls)
                    except BaseException:
                        team.abort(work.team)
                        raise
                return total

            yield train

    def _rows_per_call(self) -> int:
        multiply_adds = 3 * sum(a * b for a, b in itertools.pairwise(self.sizes))
        batches = self.members * MULTIPLY_ADDS_PER_CALL // (multiply_adds * self.batch_size)
        return max(1, batches) * self.batch_size

    def scores(self, rows: Rows, count: int) -> NDArray[np.floating]:
        """Return the scores (count, C) of the first rows."""
        out = np.empty((count, self.sizes[-1]), self.dtype)
        network = Network(self._predicting.layers, self._buffer, self._layout.size)

        def run(first: int, last: int) -> None:
            stride = self._rows_per_call()
            try:
                work = self._idle.pop()
            except IndexError:
                work = self._workspace(self._predicting, 1, False)
            for start in range(first, last, stride):
                predict(network, rows, NO_ORDER, start, min(start + stride, last), work, out)
            self._idle.append(work)

        members = min(self._threads, -(-count // (2 * PREDICT_ROWS)))
        if members == 1:
            run(0, count)
            return out
        bounds = [count * member // members for member in range(members + 1)]
        with ThreadPoolExecutor(members - 1, "fastmlp") as pool:
            others = [pool.submit(run, *bounds[member : member + 2]) for member in range(1, members)]
            run(*bounds[:2])
            for other in others:
                other.result()
        return out
