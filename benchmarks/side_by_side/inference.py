"""Probabilities from Python: one row at a time, and many rows at once."""

import numpy as np
from suite.work import MNIST_128

from .given import Given
from .predicting import PREDICTORS, predict_rows
from .process import Resident
from .race import Outcome, race
from .report import Section, several, table
from .systems import SYSTEMS

MANY = 10_000
STORED = "fastmlp uint8"
TOLERANCE = 1e-5
"""How far apart probabilities may lie."""


def run(given: Given) -> Section:
    section = Section("Predicting")
    names = given.systems(*PREDICTORS)
    head = [f"predict_proba, {MNIST_128.network}", *(SYSTEMS[name].heading for name in names[1:])]
    lines = [
        _row(section, "one row", names, given, 1, 1, 1e6, "us"),
        _row(section, f"{MANY:,} rows", names, given, MANY, given.threads, 1e3, "ms"),
    ]
    section.parts.append(table([head[0], "fastmlp", "fastmlp, uint8 rows", *head[1:]], lines))
    section.parts.append(
        f"{several(given.rounds).capitalize()}; the same weights in all, probabilities equal to {TOLERANCE:g}. Rows "
        "are scaled float32 of the system's own kind, but for uint8 rows, which fastmlp scales."
    )
    return section


def _row(section, title, names, given: Given, rows: int, threads: int, unit: float, sign: str) -> list[str]:
    systems = [Resident(name, predict_rows, threads, system=name, rows=rows) for name in names]
    systems.append(Resident(STORED, predict_rows, threads, system="fastmlp", rows=rows, stored=True))
    outcome = race(f"inference: {title}", systems, given, threads=threads)
    plural = "thread" if threads == 1 else "threads"
    cells = [f"{title}, {threads} {plural}" + section.note(outcome, title, _differences(outcome))]
    for name in ["fastmlp", STORED, *names[1:]]:
        time = f"{unit * outcome.median(name):.3g} {sign}" if outcome.took_part(name) else ""
        if time and name in names[1:] and outcome.took_part("fastmlp"):
            time = f"{outcome.ratio(name, 'fastmlp'):.2f}x ({time})"
        cells.append(time)
    return cells


def _differences(outcome: Outcome) -> str:
    """Return whose probabilities are not fastmlp's, or nothing."""
    found = {name: np.array(end["probabilities"]) for name, end in outcome.ends_of_systems.items()}
    if "fastmlp" not in found:
        return ""
    far = [name for name, P in found.items() if not np.abs(P - found["fastmlp"]).max() <= TOLERANCE]
    return f"probabilities of {', '.join(far)} differ from fastmlp's" if far else ""
