"""Seconds of an epoch, beside other systems and beside the peak of the processor."""

from suite.work import WORK, Work

from .floor import keep_busy
from .given import Given
from .process import Resident
from .race import FLOOR, Outcome, race
from .report import ABOUT_MEETINGS, Section, meeting_cell, meeting_head, several, table
from .systems import SYSTEMS
from .training import TRAINED, train

CACHED = "first cache"
ACCURACY_TOLERANCE = 0.015
"""How far apart the test accuracies of systems that did the same work may lie."""


def run(given: Given) -> Section:
    section = Section("An epoch of training")
    outcomes = {name: _measure(WORK[name], given) for name in given.works}
    complete = {WORK[name]: outcome for name, outcome in outcomes.items() if outcome.took_part(FLOOR, "fastmlp")}
    for name in outcomes.keys() - {work.name for work in complete}:
        section.note(outcomes[name], name)
    shared = {work: outcome for work, outcome in complete.items() if not work.dense}
    if complete:
        section.parts.append(_setting(complete))
    if shared:
        others = given.systems(*TRAINED)[1:]
        head = [
            "network, batch",
            "fastmlp",
            "of the peak",
            "of tiles in the first cache",
            *(SYSTEMS[name].heading for name in others),
        ]
        rows = [_row(section, work, outcome, others) for work, outcome in shared.items()]
        section.parts.append(table([*head, "test accuracy"], rows))
    if len(shared) < len(complete):
        rows = [
            _row(section, work, outcome, [])[:4] + meeting_cell(outcome, given.threads)
            for work, outcome in complete.items()
            if work.dense
        ]
        head = ["rows without zeros", "fastmlp", "of the peak", "of tiles in the first cache"]
        section.parts.append(table(head + meeting_head(given.threads), rows))
    section.parts.append(
        "Every epoch visits all rows in a fresh random order: forward, loss, backward and an update with L2, from the "
        f"same initial weights; {several(given.rounds)}. `1.50x` is 1.5 times fastmlp's time. The peak is that of "
        "back-to-back fused multiply-adds; a share of it is given where rows have no zeros, which fastmlp skips; it "
        "may be more than all where bytes are multiplied as such; "
        "beside it, the share of what a tile reaches whose operands stay in the first cache, in the same rounds. "
        "fastmlp gathers and scales rows as they are stored (uint8 for images); the others are given scaled floats. "
        + ABOUT_MEETINGS
    )
    return section


def _measure(work: Work, given: Given) -> Outcome:
    names = [name for name in given.systems(*TRAINED) if TRAINED[name].can(work)]
    systems = [Resident(name, train, given.threads, system=name, work=work.name) for name in names]
    if not work.has_zeros:
        systems.append(Resident(CACHED, keep_busy, given.threads, work=work.name, from_cache=True))
    return race(f"epochs: {work.name}", systems, given, floor_work=work.name)


def _row(section: Section, work: Work, outcome: Outcome, others: list[str]) -> list[str]:
    scores = [end["accuracy"] for end in outcome.ends.values() if "accuracy" in end]
    network = f"{work.network}, {work.batch_size}"
    extras = [extra for extra in work.extras if extra != "dense"]
    return [
        ", ".join([network, *extras]) + section.note(outcome, work.name, disagreement(scores, ACCURACY_TOLERANCE)),
        f"{outcome.median('fastmlp'):.3f} s",
        *(_share(outcome, name) for name in (FLOOR, CACHED)),
        *(against(outcome, name, "fastmlp") for name in others),
        f"{min(scores):.1%} to {max(scores):.1%}" if scores else "",
    ]


def _share(outcome: Outcome, name: str) -> str:
    """Return a cell that says what share of a rate fastmlp reaches, if rows had no zeros to skip."""
    measured = outcome.took_part(CACHED, name, "fastmlp")
    return f"{outcome.ratio(name, 'fastmlp'):.0%}" if measured else ""


def disagreement(scores: list[float], tolerance: float) -> str:
    """Return what is wrong with accuracies that should be about the same, or nothing."""
    apart = max(scores) - min(scores) if scores else 0.0
    return f"accuracies {apart:.1%} apart" if apart > tolerance else ""


def against(outcome: Outcome, name: str, other: str) -> str:
    """Return a cell that says how many times the other's time a system took, if it took part."""
    if not outcome.took_part(name, other):
        return ""
    return f"{outcome.ratio(name, other):.2f}x ({outcome.median(name):.3f} s)"


def _setting(complete: dict[Work, Outcome]) -> str:
    rates = [outcome.ends[FLOOR]["rates"] for outcome in complete.values() if FLOOR in outcome.ends]
    best = {dtype: max(rate[dtype] for rate in rates) for dtype in rates[0]} if rates else {}
    peak = " and ".join(f"{rate / 1e9:.0f} GFLOP/s in {dtype}" for dtype, rate in best.items())
    data = "; ".join(
        dict.fromkeys(
            f"{work.sizes[0]} inputs: {outcome.ends['fastmlp']['rows']:,} rows, {outcome.ends['fastmlp']['data']}"
            for work, outcome in complete.items()
            if "fastmlp" in outcome.ends
        )
    )
    return f"Peak: {peak}. {data}."
