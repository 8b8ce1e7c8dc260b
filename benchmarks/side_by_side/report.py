"""Figures of a run as Markdown: what a section hands in, and the tables they are made of."""

import platform
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .race import MEETING, Outcome

BUSY = "other programs kept the processor busy"
ABOUT_MEETINGS = (
    "How long threads take to meet that do nothing else tells how far apart a host had put their cores in these "
    "rounds: what they hand to one another takes as much longer."
)


@dataclass
class Section:
    """A heading, paragraphs and tables below it, and what is wrong with them.

    wrong: systems failed, or did not do the same work; disturbed: other programs ran
    """

    title: str
    parts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    disturbed: bool = False

    def note(self, outcome: Outcome, where: str = "", *wrong: str) -> str:
        """Take down who failed, what else is wrong and whether other programs ran; return it for a cell, or nothing."""
        doubts = [f"{name} failed: {reason}" for name, reason in outcome.failed.items()]
        doubts += [doubt for doubt in wrong if doubt]
        self.wrong += [f"{where}: {doubt}" if where else doubt for doubt in doubts]
        self.disturbed |= outcome.disturbed
        return "".join(f", **{doubt}**" for doubt in doubts + [BUSY] * outcome.disturbed)

    def markdown(self) -> str:
        return "\n\n".join([f"### {self.title}", *self.parts]) + "\n"


def table(head: list[str], rows: list[list[str]], left: int = 1) -> str:
    """Return a table whose first columns are set left, the others right."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *rows])


def meeting_head(threads: int) -> list[str]:
    """Return the heading of what ``meeting_cell`` returns, in a list; an empty one for a thread that is alone."""
    return [f"{threads} threads meet"] if threads > 1 else []


def meeting_cell(outcome: Outcome, threads: int) -> list[str]:
    """Return how long so many threads took to meet in the same rounds."""
    cell = f"{1e9 * outcome.median(MEETING):.0f} ns" if outcome.took_part(MEETING) else ""
    return [cell] if threads > 1 else []


def several(rounds: int) -> str:
    """Return how many rounds, in words of a sentence."""
    return "one round" if rounds == 1 else f"medians of {rounds} rounds"


def cpu_model() -> str:
    """Return the processor's own name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()
