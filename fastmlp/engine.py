"""A network in memory and the team that runs kernels on it: the one bridge from Python objects to ``kernels``."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp.architecture import Architecture
from fastmlp.compiling import compiled_epoch, epoch_compiled_aside
from fastmlp.crew import Crew
from fastmlp.kernels import layout, program, rules, sparse, team, zeros
from fastmlp.kernels.activation import padding_bias
from fastmlp.kernels.buffers import aligned
from fastmlp.kernels.dropout import NO_DROPOUT, Dropout
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.inputs import VISIT_ALL, VISIT_ENTRIES, VISIT_SPLIT, Inputs, Visiting, new_matrices
from fastmlp.kernels.jit import Choice
from fastmlp.kernels.patience import ENDLESS, Patience
from fastmlp.kernels.pieces import Member
from fastmlp.kernels.rules import Descent
from fastmlp.kernels.split import WAYS
from fastmlp.kernels.targets import Targets
from fastmlp.kernels.workspace import Workspace, network_of, new_workspace, workspace_of_some
from fastmlp.pace import halved, lent_pace
from fastmlp.predictor import Predictor
from fastmlp.sampling import compiled_shuffle
from fastmlp.sharing import Minibatch, sharing_of
from fastmlp.threads import MULTIPLY_ADDS_PER_CALL, MULTIPLY_ADDS_TO_TRY, training

# What Adam's step takes for a weight that it does not touch, and makes up for one by one, as multiply-adds (measured)
MISSED_ADAM_STEP = 50

Parameters = Mapping[str, NDArray[np.floating]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Train(Protocol):
    """What trains on minibatches that are steps in an order of rows, and returns the loss of each.

    patience: when to end before the last of them
    """

    def __call__(
        self, rows: Rows, targets: Targets, order: Ints, steps: Floats, descent: Descent, patience: Patience = ENDLESS
    ) -> Floats:
        """Train, and return the losses (minibatches,) of those that were trained on."""


@dataclass(frozen=True)
class Regime:
    """How a network is trained, apart from what differs from step to step.

    rule: the optimiser's, one of those in ``fastmlp.kernels.rules``; threads: the most to use; visiting: what of its
    inputs training visits (``fastmlp.kernels.inputs``); visited: how many of a row's, on average, None for all;
    as_bytes: whether rows are bytes, and none is left out for being zero;
    squares: whether losses hold the squares of weights; clip_norm: the most that the norm of a gradient may be. A step
    that visits entries looks at few weights, unless it clips: only then may squares be asked for.
    """

    batch_size: int
    rule: Choice
    threads: int
    visiting: Visiting = VISIT_ALL
    visited: float | None = None
    as_bytes: bool = False
    squares: bool = False
    dropout: Dropout = NO_DROPOUT
    clip_norm: float = math.inf

    @property
    def visits_entries(self) -> bool:
        """Whether sparse rows are trained on by their entries; else minibatches of them are gathered as dense ones."""
        return bool(self.visiting == VISIT_ENTRIES)

    @property
    def slots(self) -> int:
        """How many numbers the optimiser has for each weight, the weight among them."""
        return int(rules.SLOTS[self.rule])

    @property
    def clips(self) -> bool:
        """Whether gradients are clipped."""
        return self.clip_norm < math.inf


class Engine:
    """A network, laid out for the minibatches and the team that a regime of training asks for."""

    def __init__(
        self,
        architecture: Architecture,
        regime: Regime,
    ) -> None:
        self.architecture, self.regime = architecture, regime
        sizes, lists = architecture.sizes, regime.visits_entries
        minibatch = Minibatch(sizes, regime.batch_size, architecture.dtype, regime.visited, regime.as_bytes)
        # weights of sparse rows that are behind must have one owner, and those of the output layer have several
        most = 1 if lists and len(sizes) == 2 else regime.threads
        together = lists or regime.clips
        drops = regime.dropout != NO_DROPOUT
        self._sharing = sharing_of(minibatch, most, whole=together, halves=not (together or drops))
        self._work_of_a_step = minibatch.work
        if lists and regime.rule is rules.ADAM:
            self._work_of_a_step += MISSED_ADAM_STEP * sizes[0] * sizes[1]
        self._layout = self._planned()
        slots = rules.KEPT + self.parts if regime.clips or self.parts > 1 else regime.slots
        self._buffer = aligned((slots * self._layout.size,), self.dtype)
        self.predictor = Predictor(architecture, self._buffer, self._sharing.of_units, regime.threads)

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied and pickled as plain numbers: where kernels lie, and how panels do, another process finds out."""
        return _restored, (self.architecture, self.regime, [self.read(slot) for slot in range(len(self.slots))])

    @property
    def sizes(self) -> tuple[int, ...]:
        """(D, hidden units ..., C)."""
        return self.architecture.sizes

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Of parameters and arithmetic."""
        return self.architecture.dtype

    @property
    def members(self) -> int:
        """How many threads train, at most."""
        return self._sharing.members

    @property
    def parts(self) -> int:
        """In how many parts a minibatch is trained, one where threads share units."""
        return self._sharing.parts

    # ---- parameters ----

    @property
    def slots(self) -> NDArray[np.floating]:
        """The parameters and the optimiser's numbers for them, (slots, size), in the kernels' order."""
        slots: NDArray[np.floating] = self._buffer.reshape(-1, self._layout.size)
        return slots[: self.regime.slots]

    def write(self, parameters: Parameters, slot: int = 0) -> None:
        """Set the parameters (or a slot of the optimiser's) from plain arrays named W1, b1, W2 ..."""
        count, of_units = len(self._layout.layers), padding_bias(self.architecture.activation_choice)
        for l in range(1, count + 1):
            padding = of_units if slot == 0 and l < count else 0.0
            layout.pack(self._layout, l - 1, self.slots[slot], parameters[f"W{l}"], parameters[f"b{l}"], padding)

    def read(self, slot: int = 0) -> dict[str, NDArray[np.floating]]:
        """Return copies of the parameters (or of a slot of the optimiser's) as plain arrays W1, b1, W2 ..."""
        plain = {}
        for l in range(1, len(self._layout.layers) + 1):
            plain[f"W{l}"], plain[f"b{l}"] = layout.unpack(self._layout, l - 1, self.slots[slot])
        return plain

    def sum_of_squares(self) -> float:
        """Return the sum of all squared weights, biases left out, in an order that does not depend on threads."""
        layers = range(len(self._layout.layers))
        return float(sum(layout.squares_of_units(self._layout, l, self.slots[0]).sum() for l in layers))

    def is_finite(self) -> bool:
        """Tell whether all parameters are finite."""
        return bool(np.isfinite(self.slots[0]).all())

    # ---- running ----

    @property
    def chosen(self) -> program.Program:
        """What is chosen of the kernels."""
        design, regime = self.architecture, self.regime
        return program.Program(
            activation=design.activation_choice,
            loss=design.loss,
            rule=regime.rule,
            visiting=regime.visiting,
            squares=regime.squares,
            drops=regime.dropout != NO_DROPOUT,
            clips=regime.clips,
            parts=self.parts,
        )

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Compile the kernels that training needs, or load them from disk, after those that are asked for meanwhile."""
        with epoch_compiled_aside(self.dtype, self.regime.threads):
            yield
            self._layout = self._planned(self.chosen)
            compiled_shuffle()
        compiled_epoch(self.dtype)

    def compile(self) -> None:
        """Compile the kernels that training needs, or load them from disk."""
        with self.compiling():
            return

    @contextmanager
    def trainer(self, rows: Rows, repeated: bool = False) -> Iterator[Train]:
        """Hold a team ready to train on such rows: yields a ``Train``.

        It trains on the minibatches that ``steps`` (``fastmlp.steps``) makes of the rows in that order, in which rows
        may be repeated or not, and returns the loss of each. The rows may be others if they are dense. An exception in
        the calling thread (KeyboardInterrupt) finds and leaves whole minibatches.
        """
        network = network_of(self._layout, self._buffer)
        shortest, longest = map(self.steps_within, (MULTIPLY_ADDS_TO_TRY, MULTIPLY_ADDS_PER_CALL))
        if self.regime.visits_entries:
            shortest = longest  # what comes after a call rounds
        works, alike = self._works_to_train(rows, repeated), (self.architecture, self.regime)
        run, dropout, most = compiled_epoch(self.dtype), self.regime.dropout, self.regime.clip_norm

        def let_go() -> None:
            for work in works.values():
                team.abort(work.team)

        with training(), lent_pace(self.members, alike) as pace, Crew(self.members, let_go) as crew:

            def train(
                rows: Rows,
                targets: Targets,
                order: Ints,
                steps: Floats,
                descent: Descent,
                patience: Patience = ENDLESS,
            ) -> Floats:
                def run_some(some: slice, members: int, member: int) -> None:
                    me, own, own_losses, work = Member(member, members), steps[some], losses[some], works[members]
                    rest = descent, dropout, most, patience
                    run(network, rows, targets, order, own, own_losses, work, me, *rest)

                losses = np.zeros((len(steps), self.parts))
                for members, some in pace.portions(len(steps), shortest, longest, patience.minibatches):
                    crew.run(partial(run_some, some, members), members)
                    if patience.is_over:
                        break
                of_minibatches: Floats = losses[: patience.trained_of(len(steps))].sum(axis=1)
                return of_minibatches

            yield train

    def steps_within(self, multiply_adds: int) -> int:
        """Return how many minibatches, at least one, may go into one call so that each thread does about so much.

        After a call all weights of sparse inputs are brought up to date, which rounds: there it is so much in all,
        however many threads there are.
        """
        lists = self.regime.visits_entries
        steps = max(1, (1 if lists else self.members) * multiply_adds // self._work_of_a_step)
        return min(steps, sparse.MOST_STEPS) if lists else steps

    # ---- memory ----

    def _planned(self, chosen: program.Program | None = None) -> layout.Layout:
        rows = layout.rows_of_largest_part(self.regime.batch_size, self.parts)
        return _planned(self.sizes, rows, self.dtype, self._sharing.of_units, self._sharing.halves, chosen)

    def _works_to_train(self, rows: Rows, repeated: bool) -> dict[int, Workspace]:
        """Return what teams of all members, half of them and so on, one at a time, work on."""
        plan, members, regime = self._layout, self.members, self.regime
        if regime.visits_entries:
            entries = sparse.most_entries(rows, regime.batch_size, repeated)
            inputs = sparse.new_lists(members, plan.batch_rows, rows.inputs, entries, self.dtype)
        else:
            new = _new_minibatches(regime.visiting, self.dtype)
            inputs = new(members, (plan.batch_rows, plan.input_columns), self.dtype)
        squares = self._sharing.sums if regime.squares else 0
        work = new_workspace(plan, members, inputs, squares, regime.clips, self.parts)
        return {some: workspace_of_some(work, members, some) if some < members else work for some in halved(members)}


def _new_minibatches(visiting: Visiting, dtype: np.dtype[np.floating]) -> Callable[..., Inputs]:
    """Return what makes memory for dense minibatches of which so much is visited."""
    if visiting == VISIT_SPLIT:
        new: Callable[..., Inputs] = WAYS[dtype].new_tiles
    else:
        new = zeros.new_bits if visiting.leaves_out_zeros else new_matrices
    return new


@lru_cache(maxsize=128)
def _planned(
    sizes: tuple[int, ...],
    batch_size: int,
    dtype: np.dtype[np.floating],
    members: int,
    halves: tuple[bool, ...],
    chosen: program.Program | None = None,
) -> layout.Layout:
    """Return the layout of a network, with its kernels where they are chosen: found once for all that are alike."""
    plan = layout.plan(sizes, batch_size, dtype, members, halves=halves)
    if chosen is not None:
        program.assemble(plan, dtype, batch_size, chosen)
    return plan


def _restored(architecture: Architecture, regime: Regime, slots: list[Parameters]) -> Engine:
    engine = Engine(architecture, regime)
    for slot, numbers in enumerate(slots):
        engine.write(numbers, slot)
    return engine
