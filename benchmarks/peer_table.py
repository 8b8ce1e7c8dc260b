"""Figures of a run as Markdown, and their place in the README."""

import platform
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from suite.work import Work, available_cpus

START, END = "<!-- peers -->", "<!-- /peers -->"
ACCURACY_TOLERANCE = 0.015
"""How far apart the test accuracies of systems that did the same work may lie."""
FREE_SHARE = 0.95
"""A loop that never waits gets this share of its cores, unless other programs run: they slow systems unequally."""


@dataclass(frozen=True)
class Round:
    """An epoch of each system: its seconds by name, and how many cores the floor, which never waits, was given."""

    seconds: dict[str, float]
    cores: float

    def disturbed(self, threads: int) -> bool:
        """Return whether other programs kept the processor busy."""
        return self.cores < FREE_SHARE * threads


@dataclass
class Row:
    """What was measured of one kind of work: rounds, test accuracies by system, peaks by dtype, who failed."""

    work: Work
    data: str
    rows: int
    rounds: list[Round] = field(default_factory=list)
    accuracy: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def seconds(self, peer: str) -> list[float]:
        """Return the seconds of a system's epochs, none where it took no part."""
        return [r.seconds[peer] for r in self.rounds if peer in r.seconds]

    def median(self, peer: str) -> float:
        return median(self.seconds(peer))

    def disagreement(self) -> str:
        """Return what is wrong with the accuracies, or nothing."""
        scores = self.accuracy.values()
        apart = max(scores) - min(scores) if scores else 0.0
        return f"test accuracies {apart:.1%} apart" if apart > ACCURACY_TOLERANCE else ""

    def disturbance(self, threads: int) -> str:
        """Return what is wrong with the times, or nothing."""
        return "other programs kept the processor busy" if any(r.disturbed(threads) for r in self.rounds) else ""

    def cells(self, titles: dict[str, str], threads: int) -> list[str]:
        mine, scores = self.median("fastmlp"), self.accuracy.values()
        others = [
            f"{self.median(peer) / mine:.2f}x ({self.median(peer):.3f} s)" if self.seconds(peer) else ""
            for peer in titles
        ]
        share = f"{self.median('floor') / mine:.0%}"
        learned = f"{min(scores):.1%} to {max(scores):.1%}" if scores else ""
        warnings = [f"**{doubt}**" for doubt in (self.disagreement(), self.disturbance(threads)) if doubt]
        return [
            ", ".join([self.work.network, str(self.work.batch_size), *self.work.extras, *warnings]),
            f"{mine:.3f} s",
            share,
            *others,
            learned,
        ]


def markdown(rows: list[Row], titles: dict[str, str], threads: int, rounds: int) -> str:
    """Return the table with the sentences that say what its figures mean. titles: heading of each peer's column."""
    head = ["network, batch", "fastmlp, an epoch", "share of the FMA peak", *titles.values(), "test accuracy"]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *(row.cells(titles, threads) for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{_setting(rows, threads)}\n\n{table}\n\n{_reading(rounds)}\n"


def _setting(rows: list[Row], threads: int) -> str:
    data = "; ".join(
        f"{columns} inputs{', dense' if dense else ''}: {count:,} rows, {name}"
        for columns, dense, count, name in dict.fromkeys((r.work.sizes[0], r.work.dense, r.rows, r.data) for r in rows)
    )
    plural = "thread" if threads == 1 else "threads"
    text = f"{cpu_model()}, {available_cpus()} cores, {threads} {plural}; {data}."
    peaks = {dtype: max(row.peaks[dtype] for row in rows) for dtype in rows[0].peaks}
    rates = " and ".join(f"{rate / 1e9:.0f} GFLOP/s in {dtype}" for dtype, rate in peaks.items())
    return f"{text} The peak of back-to-back fused multiply-adds: {rates}."


def _reading(rounds: int) -> str:
    return (
        "Each epoch visits all rows in a fresh random order: forward, loss, backward and an update with L2, from the "
        f"same initial weights. Medians of {rounds} rounds, in which the systems trained an epoch each in turn, "
        "compiled and warmed up before; `1.50x` is 1.5 times fastmlp's time. The share of the peak counts all "
        "multiplications of the network, those by zeros too, which fastmlp may skip. fastmlp gathers and scales its "
        "minibatches from rows as they are stored (uint8 for images); the others are given rows that are already "
        "scaled, which spares them that work."
    )


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


def check_readme(path: Path) -> None:
    """Raise ValueError where the README has no place for the table."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not -1 < text.find(START) < text.find(END):
        raise ValueError(f"{path.name} must hold the lines {START} and {END}: the table goes between them")


def write_readme(path: Path, table: str) -> None:
    """Replace what stands between the markers."""
    check_readme(path)
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(START, 1)
    path.write_text(f"{before}{START}\n{table}{END}{rest.split(END, 1)[1]}", encoding="utf-8")
