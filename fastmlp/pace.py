"""How many threads of a team work: all, or half of them and so on down to one, where that is faster at the moment.

The threads of a team wait for one another several times a minibatch. Where other programs keep the processors busy, one
of them is often not running: two threads then take up to forty times as long as one (benchmarks/README.md). Which
number is best can only be tried. It makes no difference to the result.
"""

from collections.abc import Iterator
from time import perf_counter

# Between trials a team trains for so many times what the last one took, and at most for so many seconds
PATIENCE, LONGEST_WAIT = 200, 30.0


class Findings:
    """What the last trial in this process has found: fits that follow one another need not find out again."""

    halvings = 0  # of a team
    wait = 0.0  # seconds of training before the next trial


class Pace:
    """How long minibatches take a team of at most so many members, by how often it is halved.

    members: those numbers of members; least: how many minibatches tell how long one takes
    """

    def __init__(self, members: int, least: int) -> None:
        self.members = [members >> halvings for halvings in range(members.bit_length())]
        self._taken = [_Taken() for _ in self.members]
        self._least = least
        self._halvings = min(Findings.halvings, len(self.members) - 1)
        self._tried = self._halvings
        self._direction = 1  # in which the next is tried: the same as long as it helps

    def portions(self, steps: int, shortest: int, longest: int) -> Iterator[tuple[int, slice]]:
        """Yield how many members are to train on which of so many minibatches, and time how long they take.

        shortest, longest: how many minibatches a portion may have; the last may have fewer
        """
        first = 0
        while first < steps:
            halvings, is_settled = self._next()
            portion = slice(first, min(first + (longest if is_settled else shortest), steps))
            began = perf_counter()
            yield self.members[halvings], portion
            self._note(halvings, portion.stop - first, perf_counter() - began)
            first = portion.stop

    def _next(self) -> tuple[int, bool]:
        """Return how often the team is halved next, and whether that is settled: no trial is due."""
        if len(self.members) == 1:
            return 0, True
        is_due = Findings.wait <= 0
        if is_due and self._tried == self._halvings and self._taken[self._halvings].steps >= self._least:
            self._tried = self._neighbour()
            self._taken[self._tried] = _Taken()
        return self._tried, not is_due

    def _neighbour(self) -> int:
        """Return what to try: half as many members, or twice as many."""
        if not 0 <= self._halvings + self._direction < len(self.members):
            self._direction = -self._direction
        return self._halvings + self._direction

    def _note(self, halvings: int, steps: int, seconds: float) -> None:
        taken = self._taken[halvings]
        if taken.steps >= self._least:  # what was long ago counts less and less
            taken.steps, taken.seconds = taken.steps / 2, taken.seconds / 2
        taken.steps, taken.seconds = taken.steps + steps, taken.seconds + seconds
        Findings.wait -= seconds
        if self._tried != self._halvings and taken.steps >= self._least:
            self._end_trial(taken)

    def _end_trial(self, taken: "_Taken") -> None:
        if taken.each < self._taken[self._halvings].each:
            self._halvings = self._tried
        else:
            self._direction = -self._direction
        self._tried = Findings.halvings = self._halvings
        Findings.wait = min(LONGEST_WAIT, PATIENCE * taken.seconds)


class _Taken:
    """How long minibatches took."""

    steps, seconds = 0.0, 0.0

    @property
    def each(self) -> float:
        return self.seconds / self.steps
