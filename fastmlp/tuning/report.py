"""The page of a search: the best over time, what mattered, where the good trials lie, and every trial's curve."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp import __version__
from fastmlp.command import command_of
from fastmlp.report.facts import command, headline_of
from fastmlp.report.figures import number, percent, plural, seconds
from fastmlp.report.frame import AxisTitle, figure
from fastmlp.report.line_chart import Lines, Series, line_chart
from fastmlp.report.markup import Markup, element
from fastmlp.report.parallel_chart import Coordinate, parallel_chart
from fastmlp.report.shell import page, section
from fastmlp.report.table import pairs_table, table

if TYPE_CHECKING:
    from fastmlp.tuning.running import TrialFigures
    from fastmlp.tuning.search import Tuning

MOST_ROWS = 200
_TRIAL, _BEST = range(2)  # colours


def write_search_report(path: str | PathLike[str], found: Tuning) -> None:
    """Write a search to a file: one HTML page that needs nothing else."""
    parts = [_headline(found), _progress(found), *_importances(found), _coordinates(found), _curves(found)]
    parts += [_table(found), command(command_of(found.config)), element("footer", f"fastmlp {__version__}")]
    Path(path).write_text(page(_title(found), *parts), encoding="utf-8", errors="backslashreplace", newline="\n")


def _title(found: Tuning) -> str:
    return f"Search: {str(found.config.data).rpartition('/')[2]}"


def _headline(found: Tuning) -> Markup:
    spent = sum(trial.seconds for trial in found.trials)
    pruned = sum(trial.state == "pruned" for trial in found.trials)
    figures = [
        (f"best validation {found.metric}", _written(found, found.best_value)),
        ("trials", f"{len(found.trials):,}"),
        *([("pruned", f"{pruned:,}")] if pruned else []),
        ("epochs", f"{sum(len(trial.values) for trial in found.trials):,}"),
        ("training, all trials", seconds(spent)),
    ]
    return headline_of(_title(found), "", figures)


def _progress(found: Tuning) -> Markup:
    """Return each trial's value and the best until then, in the order of their numbers."""
    best: list[float] = []
    for trial in found.trials:
        best.append(trial.value if not best else _better(found, best[-1], trial.value))
    x = [trial.number for trial in found.trials]
    series = [Series("best so far", best, _BEST), Series("trial", [trial.value for trial in found.trials], _TRIAL)]
    chart = line_chart(Lines(x, series, AxisTitle("trial", whole=True), _axis(found)))
    return section("Trials", figure("The best over time", f"{plural(len(x), 'trial')}", chart))


def _importances(found: Tuning) -> Iterable[Markup]:
    """Yield how much of the differences each option accounts for, where there are trials enough to tell."""
    from optuna.importance import get_param_importances

    if len(found.best_params) < 2 or sum(math.isfinite(trial.value) for trial in found.trials) < 4:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Optuna's, to who writes programs
            shares = get_param_importances(found.study)
    except (RuntimeError, ValueError):  # all trials alike
        return
    pairs = [(name, percent(share)) for name, share in shares.items()]
    note = "The share of the differences between trials that goes with each option (fANOVA; Hutter et al., 2014)."
    yield section("What mattered", pairs_table(pairs, "Importances of options"), note=note)


def _coordinates(found: Tuning) -> Markup:
    order = sorted(found.trials, key=lambda trial: trial.value, reverse=found.metric == "loss")
    ranks = {trial.number: rank / max(1, len(order) - 1) for rank, trial in enumerate(order)}
    names = [name for name in found.best_params if all(name in trial.params for trial in found.trials)]
    finite = [trial for trial in found.trials if math.isfinite(trial.value)]
    axes = [Coordinate(name, [trial.params[name] for trial in finite], is_log=True) for name in names]
    axes.append(Coordinate(found.metric, [trial.value for trial in finite]))
    about = f"Options of {plural(len(finite), 'trial')} and the {found.metric} that they reached"
    chart = parallel_chart(axes, [ranks[trial.number] for trial in finite], about)
    return section("Where the good trials lie", chart, note="A line for each trial: the better, the stronger.")


def _curves(found: Tuning) -> Markup:
    trials = sorted(found.trials, key=lambda trial: trial.value, reverse=found.metric != "loss")
    longest = max(len(trial.values) for trial in trials)
    series = [Series(f"trial {t.number}", t.values, _BEST if i == 0 else _TRIAL) for i, t in enumerate(trials)]
    lines = Lines(range(1, longest + 1), series, AxisTitle("epoch", whole=True), _axis(found), labelled=1)
    return section("Curves", figure(f"Validation {found.metric} by epoch", "every trial", line_chart(lines)))


def _table(found: Tuning) -> Markup:
    trials = sorted(found.trials, key=lambda trial: trial.value, reverse=found.metric != "loss")[:MOST_ROWS]
    columns = ["trial", found.metric, "state", "epochs", "time", *found.best_params]
    return section("The best trials", table(columns, [_row(found, trial) for trial in trials], "Trials, best first"))


def _row(found: Tuning, trial: TrialFigures) -> Sequence[str]:
    params = (trial.params.get(name, "") for name in found.best_params)
    written = (number(value) if isinstance(value, float) else str(value) for value in params)
    value = _written(found, trial.value)
    return [str(trial.number), value, trial.state, str(len(trial.values)), seconds(trial.seconds), *written]


def _axis(found: Tuning) -> AxisTitle:
    return AxisTitle(f"validation {found.metric}", as_percent=found.metric == "accuracy")


def _written(found: Tuning, value: float) -> str:
    return percent(value) if found.metric == "accuracy" else number(value)


def _better(found: Tuning, one: float, other: float) -> float:
    return min(one, other) if found.metric == "loss" else max(one, other)
