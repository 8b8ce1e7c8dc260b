"""The trials of a search as a person reads them: a table, best first, and a line for each as it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.tuning.running import TrialFigures

SHOWN = 10
"""How many trials a table holds."""

Rows = list[list[str]]


@dataclass
class Trials:
    """Those that have ended. total: how many there are to be; metric: what is searched for, None if not known yet."""

    total: int
    metric: str | None
    ended: list[TrialFigures] = field(default_factory=list)

    def add(self, figures: TrialFigures) -> str:
        """Add one, and return a line about it."""
        self.ended.append(figures)
        params = ", ".join(f"{name} {_short(value)}" for name, value in figures.params.items())
        state = "" if figures.state == "complete" else f" ({figures.state})"
        end = f"{figures.value:.4f} with {params}; {figures.seconds:.2f} s"
        return f"{len(self.ended)}/{self.total}: trial {figures.number}{state}: {end}"

    @property
    def headline(self) -> str:
        """How far the search is."""
        return f"{len(self.ended)} of {self.total} trials"

    def rows(self) -> Rows:
        """Return a table, its heads first, of the best trials, best first."""
        from fastmlp.tuning.running import names_of

        best = sorted(self.ended, key=lambda trial: trial.value, reverse=self.metric != "loss")[:SHOWN]
        names = names_of(best)
        heads = ["trial", self.metric or "value", "state", "seconds", *names]
        return [heads, *(_row(trial, names) for trial in best)]


def print_rows(rows: Rows) -> None:
    """Print a table on stdout, aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def _row(trial: TrialFigures, names: Sequence[str]) -> list[str]:
    values = [_short(trial.params.get(name, "")) for name in names]
    return [str(trial.number), f"{trial.value:.4f}", trial.state, f"{trial.seconds:.2f}", *values]


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
