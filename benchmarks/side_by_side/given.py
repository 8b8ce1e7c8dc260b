"""What was asked for on the command line, as every section is told."""

from dataclasses import dataclass

from .systems import SYSTEMS

TRIES = 3
"""So many times as many rounds as asked for are run at most, in search of undisturbed ones."""


@dataclass(frozen=True)
class Given:
    """Threads for each system, timed rounds, the other systems to compare with, rows of the epochs to take."""

    threads: int
    rounds: int
    peers: tuple[str, ...]
    works: tuple[str, ...]
    quick: bool = False

    def systems(self, *able: str) -> list[str]:
        """Return fastmlp and those of the able that were asked for and are installed."""
        return ["fastmlp", *(name for name in able if name in self.peers and SYSTEMS[name].installed())]

    def tries(self, rounds: int) -> int:
        """Return how many rounds to run at most for so many that count."""
        return rounds if self.quick else rounds * TRIES
