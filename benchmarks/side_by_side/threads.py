"""What more threads gain, and what skipping zeros gains: fastmlp with itself."""

from dataclasses import replace

from suite.work import Work, available_cpus

from .epochs import disagreement
from .floor import keep_busy
from .given import Given
from .process import Resident
from .race import race
from .report import ABOUT_MEETINGS, Section, meeting_cell, meeting_head, several, table
from .training import AS_STORED, FLOATS, UNEVEN, label, train

COUNTS = (1, 2, 4, 8, 16)
WORKS = (
    Work((784, 32, 10), 32, dense=True),
    Work((784, 128, 10), 128, dense=True),
    Work((784, 512, 10), 128, dense=True),
    Work((784, 1024, 10), 256, dense=True),
    Work((784, 512, 256, 128, 10), 128, dense=True),
)
ON_FLOATS_TOO = WORKS[1], WORKS[3]
"""Trained a second time, on floats that are never multiplied as bytes."""


def run(given: Given) -> Section:
    section = Section("Threads, and zeros")
    counts = [threads for threads in COUNTS if threads <= available_cpus()]
    works = WORKS[:1] if given.quick else WORKS
    if len(counts) > 1:
        measured = [(work, AS_STORED) for work in works]
        measured += [(work, UNEVEN) for work in works if work in ON_FLOATS_TOO]
        rows = [_threads_row(section, work, kind, counts, given) for work, kind in measured]
        gains = [f"{threads} threads" for threads in counts[1:]]
        head = ["network, batch, rows without zeros", "1 thread", *gains, *meeting_head(counts[-1])]
        section.parts.append(table(head, rows))
    else:
        section.parts.append("This machine has one core.")
    rows = [_zeros_row(section, work, given) for work in works]
    section.parts.append(
        table(["network, batch", "no zeros", "zeros skipped", "zeros, and levels", "their data"], rows)
    )
    section.parts.append(
        f"Seconds of an epoch, {several(given.rounds)}; `1.80x (90%), peak 1.95x` is 1.8 times as fast as one thread, "
        "90% of what so many threads could gain, while multiply-adds back to back gained 1.95 times: processors run "
        f"slower, and some share a core, when all are busy. {ABOUT_MEETINGS} Uneven floats are rows each of which has "
        "a brightness of its own: they are never multiplied as bytes. Below, such rows of the same shape without zeros "
        "and with those of handwriting; and handwriting as it is: 0 to 255 times a unit, it may be multiplied as bytes."
    )
    return section


def _threads_row(section: Section, work: Work, kind: str, counts: list[int], given: Given) -> list[str]:
    arguments = {"system": "fastmlp", "work": work.name, "rows": kind}
    trained = [Resident(str(threads), train, threads, **arguments) for threads in counts]
    peaks = [Resident(_peak(threads), keep_busy, threads, work=work.name) for threads in counts]
    title = f"threads: {work.name}, {kind}"
    outcome = race(title, [*trained, *peaks], given, threads=max(counts), floor_work=work.name)
    # the same seed gives the same bits, whatever the number of threads
    scores = [outcome.ends[threads]["accuracy"] for threads in map(str, counts) if threads in outcome.ends]
    cells = [label(work, kind) + section.note(outcome, title, disagreement(scores, 0.0))]
    for threads in counts:
        if not outcome.took_part(str(threads), "1", _peak(threads), _peak(1)):
            cells.append("")
        elif threads == 1:
            cells.append(f"{outcome.median('1'):.3f} s")
        else:
            gain, most = outcome.ratio("1", str(threads)), outcome.ratio(_peak(1), _peak(threads))
            cells.append(f"{gain:.2f}x ({gain / threads:.0%}), peak {most:.2f}x")
    return cells + meeting_cell(outcome, counts[-1])


def _peak(threads: int) -> str:
    return f"peak of {threads}"


def _zeros_row(section: Section, dense: Work, given: Given) -> list[str]:
    zeros = replace(dense, dense=False)
    rows = {"dense": (dense, UNEVEN), "zeros": (zeros, UNEVEN), "levels": (zeros, FLOATS)}
    systems = (
        Resident(name, train, given.threads, system="fastmlp", work=work.name, rows=kind)
        for name, (work, kind) in rows.items()
    )
    outcome = race(f"zeros: {zeros.name}", systems, given)
    title = label(dense) + section.note(outcome, f"zeros, {dense.name}")
    if not outcome.took_part(*rows):
        return [title, "", "", "", ""]
    gains = (f"{outcome.ratio('dense', name):.2f}x ({outcome.median(name):.3f} s)" for name in ("zeros", "levels"))
    return [title, f"{outcome.median('dense'):.3f} s", *gains, outcome.ends["zeros"]["data"]]
