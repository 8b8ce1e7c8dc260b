"""How many threads of a team work: all, or half of them and so on down to one, where that is faster at the moment.

The threads of a team wait for one another several times a minibatch. Where other programs keep the processors busy, one
of them is often not running: two threads then take up to sixty times as long as one (benchmarks/README.md). Which
number is best can only be tried. It makes no difference to the result. A training may be shorter than a trial: the next
goes on with it if it is alike.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import ClassVar

# In seconds. Threads that join have to be woken, on a core that has been slowed down, and have nothing in its caches
WARM_UP, MEASURED = 0.005, 0.005
# What a trial has taken, so many times, passes before the next, or at most so many seconds: fewer while fewer work, as
# what keeps the others may end any time
PATIENCE, PATIENCE_OF_FEWER, LONGEST_WAIT = 200, 50, 60.0
LONGEST_PORTION = 0.1  # so soon a Ctrl-C is seen, and that others keep the processors busy
SUDDEN = 4.0  # as many times as long as before: reason enough for a trial at once
WORTH_LEAVING = 0.9  # of the time that more threads take, which may soon take less again


class Findings:
    """What the last trial in this process has found: fits that follow one another need not find out again."""

    halvings = 0  # of a team
    wait = 0.0  # seconds of training before the next trial
    paces: ClassVar[dict[Hashable, "Pace"]] = {}  # of the last training, by what is alike in the next


def halved(members: int) -> list[int]:
    """Return such a number of members and what is left of it as it is halved, down to one."""
    return [members >> halvings for halvings in range(members.bit_length())]


@contextmanager
def lent_pace(members: int, alike: Hashable) -> Iterator["Pace"]:
    """Lend a training of so many members the pace of the last one, if that was alike, else a new one."""
    pace = Findings.paces.pop(alike, None) or Pace(members)  # taken out: another thread may train meanwhile
    try:
        yield pace
    finally:
        Findings.paces = {alike: pace}


class Pace:
    """How long minibatches take a team of at most so many members, by how often it is halved.

    members: those numbers of members
    """

    def __init__(self, members: int) -> None:
        self.members = halved(members)
        self._taken = [_Taken() for _ in self.members]
        self._halvings = min(Findings.halvings, len(self.members) - 1)
        self._tried = self._halvings
        self._direction = 1  # in which the next is tried: the same as long as it helps
        self._last, self._warm_up = -1, 0.0  # halvings of the last portion; seconds so far, until those tell

    def portions(self, steps: int, shortest: int, longest: int, whole: int = 0) -> Iterator[tuple[int, slice]]:
        """Yield how many members are to train on which of so many minibatches, and time how long they take.

        shortest, longest: how many minibatches a portion has, during trials and else; the last may have fewer, and
            longest portions more where so many are known to take no longer than may be, unless both numbers are alike
        whole: of so many minibatches each portion has all or none, unless it is 0
        """
        first = 0
        while first < steps:
            halvings, count = (0, longest) if len(self.members) == 1 else self._next(shortest, longest)
            if count > shortest and self._taken[halvings].is_enough:
                count = max(count, int(LONGEST_PORTION / self._taken[halvings].each))
            if whole:
                count = -(-count // whole) * whole
            portion = slice(first, min(first + count, steps))
            began = perf_counter()
            yield self.members[halvings], portion
            self._note(halvings, portion.stop - first, perf_counter() - began)
            first = portion.stop

    def _next(self, shortest: int, longest: int) -> tuple[int, int]:
        """Return how often the team is halved next, and for how many minibatches."""
        is_due = Findings.wait <= 0
        if is_due and self._tried == self._halvings and self._taken[self._halvings].is_enough:
            self._begin_trial()
        return self._tried, shortest if is_due else longest

    def _begin_trial(self) -> None:
        if not 0 <= self._halvings + self._direction < len(self.members):
            self._direction = -self._direction
        self._tried = self._halvings + self._direction
        self._taken[self._tried] = _Taken()

    def _note(self, halvings: int, steps: int, seconds: float) -> None:
        """Note how long so many minibatches took, and what follows from it."""
        Findings.wait -= seconds
        if halvings != self._last:
            self._last, self._warm_up = halvings, 0.0
        if self._warm_up < WARM_UP:
            self._warm_up += seconds
            return
        taken = self._taken[halvings]
        if taken.is_enough and seconds > max(MEASURED, SUDDEN * steps * taken.each):
            Findings.wait = 0.0
        taken.add(steps, seconds)
        if self._tried != self._halvings and taken.is_enough:
            self._end_trial(taken)

    def _end_trial(self, taken: "_Taken") -> None:
        factor = WORTH_LEAVING if self._tried > self._halvings else 1.0
        if taken.each < factor * self._taken[self._halvings].each:
            self._halvings = self._tried
        else:
            self._direction = -self._direction
        self._tried = Findings.halvings = self._halvings
        patience = PATIENCE_OF_FEWER if self._halvings else PATIENCE
        Findings.wait = min(LONGEST_WAIT, patience * (self._warm_up + taken.seconds))


class _Taken:
    """How long minibatches took; what was long ago counts less and less."""

    def __init__(self) -> None:
        self.steps, self.seconds = 0.0, 0.0

    @property
    def is_enough(self) -> bool:
        """Whether that was long enough to tell."""
        return self.seconds >= MEASURED

    @property
    def each(self) -> float:
        """Seconds of a minibatch."""
        return self.seconds / self.steps

    def add(self, steps: int, seconds: float) -> None:
        """Add some more, that were the last."""
        past = 0.5 if self.is_enough else 1.0
        self.steps, self.seconds = past * self.steps + steps, past * self.seconds + seconds
