"""What more threads gain, and what skipping zeros gains: fastmlp with itself."""

from dataclasses import replace

from suite.work import Work, available_cpus

from .epochs import disagreement
from .given import Given
from .process import Resident
from .race import race
from .report import Section, several, table
from .training import train

COUNTS = (1, 2, 4, 8, 16)
WORKS = (
    Work((784, 32, 10), 32, dense=True),
    Work((784, 128, 10), 128, dense=True),
    Work((784, 512, 10), 128, dense=True),
    Work((784, 1024, 10), 256, dense=True),
    Work((784, 512, 256, 128, 10), 128, dense=True),
)


def run(given: Given) -> Section:
    section = Section("Threads, and zeros")
    counts = [threads for threads in COUNTS if threads <= available_cpus()]
    works = WORKS[:1] if given.quick else WORKS
    if len(counts) > 1:
        rows = [_threads_row(section, work, counts, given) for work in works]
        head = ["network, batch, rows without zeros", "1 thread", *(f"{threads} threads" for threads in counts[1:])]
        section.parts.append(table(head, rows))
    else:
        section.parts.append("This machine has one core.")
    rows = [_zeros_row(section, work, given) for work in works]
    section.parts.append(table(["network, batch", "no zeros", "zeros skipped", "their data"], rows))
    section.parts.append(
        f"Seconds of an epoch, {several(given.rounds)}; `1.90x (95%)` is 1.9 times as fast as one thread, 95% of what "
        "so many threads could gain. Below, rows of the same shape without zeros and with those of handwriting."
    )
    return section


def _threads_row(section: Section, work: Work, counts: list[int], given: Given) -> list[str]:
    systems = (Resident(str(threads), train, threads, system="fastmlp", work=work.name) for threads in counts)
    outcome = race(f"threads: {work.name}", systems, given, threads=max(counts))
    # the same seed gives the same bits, whatever the number of threads
    scores = [end["accuracy"] for name, end in outcome.ends.items() if name != "floor"]
    cells = [_label(work) + section.note(outcome, f"threads, {work.name}", disagreement(scores, 0.0))]
    for threads in map(str, counts):
        if not outcome.took_part(threads, "1"):
            cells.append("")
        elif threads == "1":
            cells.append(f"{outcome.median('1'):.3f} s")
        else:
            gain = outcome.ratio("1", threads)
            cells.append(f"{gain:.2f}x ({gain / int(threads):.0%})")
    return cells


def _zeros_row(section: Section, dense: Work, given: Given) -> list[str]:
    works = {"dense": dense, "zeros": replace(dense, dense=False)}
    systems = (Resident(name, train, given.threads, system="fastmlp", work=work.name) for name, work in works.items())
    outcome = race(f"zeros: {works['zeros'].name}", systems, given)
    label = _label(dense) + section.note(outcome, f"zeros, {dense.name}")
    if not outcome.took_part(*works):
        return [label, "", "", ""]
    gain = f"{outcome.ratio('dense', 'zeros'):.2f}x ({outcome.median('zeros'):.3f} s)"
    return [label, f"{outcome.median('dense'):.3f} s", gain, outcome.ends["zeros"]["data"]]


def _label(work: Work) -> str:
    return f"{work.network}, {work.batch_size}"
