"""Rounds: the systems take a turn each, the floor one at either end, and rounds in which other programs ran are redone.

Where there are several threads, they have a turn to meet as well.

A system is a ``process.Resident``, a ``process.Newborn`` or a ``process.Command``: they have the same methods.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .floor import keep_busy
from .given import Given
from .meetings import keep_meeting
from .process import Failed, Resident

FREE_SHARE = 0.95
"""A loop that never waits gets this share of its cores, unless other programs run: they slow systems unequally."""
IDLE_CORES = 0.02
"""A system that uses more than this out of turn would slow the others: it is reported."""
FLOOR, MEETING = "floor", "meeting"
"""Who has turns beside the systems."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Round:
    """A turn of each system: its figures by name, and the share of its cores that the floor was given."""

    turns: dict[str, dict[str, float]]
    share: float

    @property
    def disturbed(self) -> bool:
        """Return whether other programs kept the processor busy."""
        return self.share < FREE_SHARE


@dataclass
class Outcome:
    """The rounds that count, what each system said at its end, and how systems failed."""

    rounds: list[Round] = field(default_factory=list)
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def values(self, name: str, figure: str = "seconds") -> list[float]:
        """Return a figure of each of a system's turns, none where it took no part."""
        return [r.turns[name][figure] for r in self.rounds if name in r.turns]

    def took_part(self, *names: str) -> bool:
        return all(self.values(name) for name in names)

    def median(self, name: str, figure: str = "seconds") -> float:
        return median(self.values(name, figure))

    def ratio(self, name: str, other: str) -> float:
        """Return how many times the other's time the first one takes."""
        return self.median(name) / self.median(other)

    @property
    def ends_of_systems(self) -> dict[str, dict[str, Any]]:
        """Return what each system said at its end."""
        return {name: end for name, end in self.ends.items() if name not in (FLOOR, MEETING)}

    @property
    def disturbed(self) -> bool:
        """Return whether other programs kept the processor busy in one of the rounds."""
        return any(r.disturbed for r in self.rounds)


def race(
    title: str,
    systems: Iterable[Any],
    given: Given,
    *,
    threads: int | None = None,
    rounds: int | None = None,
    warm_up: bool = True,
    floor_work: str | None = None,
) -> Outcome:
    """Let the systems take a turn each to compile and warm up, then in turn, round by round.

    Rounds in which other programs ran are repeated, up to TRIES times as many; those that had most of the processor
    count. threads: of the floor, as many as any system uses; floor_work: whose multiply-adds it does
    """
    threads, rounds = threads or given.threads, rounds or given.rounds
    say(title)
    beside = [Resident(FLOOR, keep_busy, threads, work=floor_work)]
    if threads > 1:
        beside.append(Resident(MEETING, keep_meeting, threads))
    team = _Team([*beside, *systems], threads)
    seen: list[Round] = []
    outcome = Outcome(failed=team.failed)
    try:
        team.let_each("wait_until_ready")
        if warm_up:
            for name, turn in team.let_each("turn").items():
                say(f"  {name:12} {_duration(turn['seconds'])}: the first turn, to warm up")
        while len(seen) < given.tries(rounds) and sum(not r.disturbed for r in seen) < rounds:
            seen.append(team.round())
        outcome.rounds = sorted(seen, key=lambda r: r.share)[-rounds:]
        outcome.ends = team.let_each("finish")
    finally:
        team.kill()
    for name, end in outcome.ends.items():
        _report(outcome, name, end)
    return outcome


class _Team:
    """The systems that still answer."""

    def __init__(self, systems: list[Any], threads: int):
        self.failed: dict[str, str] = {}
        self._threads = threads
        self._systems = {system.name: system for system in systems}

    def let_each(self, act: str) -> dict[str, dict]:
        """Return what each answers to a method, by name; one that fails is left out from now on."""
        answers = {}
        for name, system in list(self._systems.items()):
            method: Callable[[], dict] = getattr(system, act)
            try:
                answers[name] = method()
            except Failed as error:
                say(f"  {name} failed: {error}")
                self.failed[name] = str(error)
                self._systems.pop(name).kill()
        return answers

    def round(self) -> Round:
        """Let each take its turn, and the floor once more: both of its times tell whether the processor was free."""
        turns = self.let_each("turn")
        cores = [turns[FLOOR]["cores"], self._systems[FLOOR].turn()["cores"]] if FLOOR in turns else [0.0]
        return Round(turns, min(cores) / self._threads)

    def kill(self) -> None:
        for system in self._systems.values():
            system.kill()


def _report(outcome: Outcome, name: str, end: dict) -> None:
    seconds = outcome.values(name)
    least, middle, most = (_duration(value) for value in (min(seconds), outcome.median(name), max(seconds)))
    say(f"  {name:12} {middle}, from {least.strip()} to {most.strip()}")
    if (cores := end.get("cores_out_of_turn", 0.0)) > IDLE_CORES:
        say(f"  {name:12} used {cores:.0%} of a core while others were timed")


def _duration(seconds: float) -> str:
    return f"{seconds:7.3f} s" if seconds > 0.01 else f"{1e6 * seconds:7.1f} us"
