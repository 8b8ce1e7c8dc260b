"""Whole fits of fastmlp's estimators and of scikit-learn's, of which they take the place: seconds and accuracy."""

from math import sqrt
from statistics import mean, stdev, variance

from suite.data import data_folder
from suite.fits import FITS, Fit

from .epochs import against
from .fitting import HOMES, fit_seeds
from .given import Given
from .process import Resident
from .race import Outcome, race
from .report import ABOUT_MEETINGS, Section, meeting_cell, meeting_head, several, table
from .systems import SYSTEMS

QUICK_FITS = ("small table", "tiny")
QUICK_SEEDS = 20
OVER_SEEDS = ("digits", "small table")
"""Fits whose mean accuracies over their seeds must agree within a standard deviation."""
ACCURACY_TOLERANCE = 0.015
"""How far apart test accuracies of the other fits may lie, beside what chance does to a mean of some fits."""


def run(given: Given) -> Section:
    section = Section("Estimators")
    fits = {name: FITS[name] for name in (QUICK_FITS if given.quick else FITS)}
    if "agaricus" in fits and data_folder("agaricus") is None:
        section.parts.append("agaricus was not found: its row is left out.")
        del fits["agaricus"]
    outcomes = {name: _measure(name, fit, given) for name, fit in fits.items()}
    others = given.systems("sklearn")[1:]
    headings = ["fastmlp", *(SYSTEMS[name].heading for name in others)]
    rows = [
        _row(section, name, outcome, others) + meeting_cell(outcome, given.threads)
        for name, outcome in outcomes.items()
    ]
    head = ["rows", "options", *headings, "goal", "epochs", "test accuracy", *meeting_head(given.threads)]
    section.parts.append(table(head, rows, left=2))
    section.parts.append(
        "Seconds of `MLPClassifier(...).fit(X, y)`, fastmlp's or scikit-learn's, with the same options, others at "
        f"their defaults; {several(given.rounds)}, of all fits where each has a random_state of its own. Where fits "
        f"end by the default rule, each by its own losses, epochs are the mean of each system's. {ABOUT_MEETINGS}"
    )
    head = ["test accuracy over random_state = 0 ... 9", *headings]
    rows = [_accuracy_row(outcomes[name], ["fastmlp", *others]) for name in OVER_SEEDS if name in outcomes]
    section.parts.append(table(head, rows))
    section.parts.append("Mean and standard deviation, all options at their defaults; of the same fits.")
    return section


def _measure(name: str, fit: Fit, given: Given) -> Outcome:
    """Let both fit with each seed. Turns are short: the floor, at both ends, does not see who else ran in between."""
    seeds = min(fit.seeds, QUICK_SEEDS) if given.quick else fit.seeds
    a_turn = min(seeds, fit.seeds_a_turn)
    systems = (
        Resident(system, fit_seeds, given.threads, system=system, fit=name, seeds=seeds, seeds_a_turn=a_turn)
        for system in given.systems(*HOMES)
    )
    return race(f"estimators: {name}", systems, given, rounds=given.rounds if seeds == 1 else seeds // a_turn)


def _row(section: Section, name: str, outcome: Outcome, others: list[str]) -> list[str]:
    fit, ends = FITS[name], outcome.ends_of_systems
    about = next(iter(ends.values()), {"data": name, "scores": []})
    fits = f"{len(about['scores']):,} fits" if len(about["scores"]) > 1 else ""
    means = [mean(end["scores"]) for end in ends.values()]
    return [
        about["data"] + section.note(outcome, name, _other_epochs(fit, ends), _disagreement(name, ends)),
        ", ".join(filter(None, [fit.about, fits])),
        f"{outcome.median('fastmlp'):.3g} s" if outcome.took_part("fastmlp") else "",
        *(against(outcome, other, "fastmlp") for other in others),
        f"{fit.goal:g}x" if fit.goal else "",
        " and ".join(dict.fromkeys(f"{mean(end['epochs']):g}" for end in ends.values())),
        f"{min(means):.1%} to {max(means):.1%}" if means else "",
    ]


def _accuracy_row(outcome: Outcome, systems: list[str]) -> list[str]:
    ends = outcome.ends_of_systems
    title = next((end["data"] for end in ends.values()), "")
    cells = [f"{mean(s):.2%} ± {stdev(s):.2%}" if (s := _scores(ends, name)) else "" for name in systems]
    return [title, *cells]


def _scores(ends: dict[str, dict], name: str) -> list[float]:
    return ends[name]["scores"] if name in ends else []


def _other_epochs(fit: Fit, ends: dict[str, dict]) -> str:
    """Return who did not train as many epochs as were asked for, or nothing."""
    wrong = [name for name, end in ends.items() if fit.epochs and set(end["epochs"]) != {fit.epochs}]
    return f"{' and '.join(wrong)} did not train {fit.epochs} epochs" if wrong else ""


def _disagreement(name: str, ends: dict[str, dict]) -> str:
    """Return what is wrong with the accuracies of the two, or nothing."""
    mine, theirs = _scores(ends, "fastmlp"), _scores(ends, "sklearn")
    if not mine or not theirs:
        return ""
    apart = abs(mean(mine) - mean(theirs))
    if name in OVER_SEEDS:
        spread = stdev(theirs)
        return f"accuracies {apart:.2%} apart, with a standard deviation of {spread:.2%}" if apart > spread else ""
    chance = 3 * sqrt(sum(variance(s) / len(s) for s in (mine, theirs) if len(s) > 1))
    return f"accuracies {apart:.1%} apart" if apart > ACCURACY_TOLERANCE + chance else ""
