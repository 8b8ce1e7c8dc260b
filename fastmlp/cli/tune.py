"""``fastmlp tune``: search for options, show the trials, and say which are the best."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastmlp.cli.arguments import EPILOG, UsageError, add_config_options, add_output_options, arguments_of, new_parser
from fastmlp.cli.option_types import number, positive_integer
from fastmlp.command import command_of

if TYPE_CHECKING:
    from fastmlp.cli.progress import Progress
    from fastmlp.tuning.search import TrialFigures, Tuning

_DESCRIPTION = "Search for the options with which a network learns best, measured on validation rows."
SHOWN = 10
"""How many trials the table holds."""


def parse_tune(argv: Sequence[str], program: str) -> Namespace:
    """Parse the options of ``fastmlp tune``, under the names that fastmlp.tune has for them."""
    parser = new_parser(program, _DESCRIPTION, EPILOG)
    add_config_options(parser)
    add = parser.add_argument_group("search").add_argument
    add("--trials", type=positive_integer, metavar="N", help="how many to run (default: 10)")
    add("--sampler", choices=("random", "tpe", "grid"), help="how trials are chosen (default: random)")
    add("--prune", action="store_true", help="end trials early that are unlikely to become the best (Hyperband)")
    add(
        "--jobs",
        type=positive_integer,
        metavar="N",
        help="trials at a time, a thread each (default: the CPUs there are)",
    )
    add(
        "--time-budget",
        type=number("above 0", lambda value: value > 0),
        metavar="SECONDS",
        help="begin no trial after this time (default: no limit)",
    )
    add("--metric", choices=("accuracy", "r2", "loss"), help="what to search for (default: accuracy, of values r2)")
    add("--space", metavar="FILE", help="a TOML file of ranges and choices (default: rate, decay and L2 of the report)")
    add("--storage", metavar="URL", help="where to keep trials: journal:FILE, or SQLite, PostgreSQL, MySQL by its URL")
    add("--study", metavar="NAME", help="its name in the storage; one that is there is gone on with")
    add("--out", metavar="DIR", help="keep the trials, the best model and a report in a new folder")
    add("--overwrite", action="store_true", help="let --out replace an earlier search (default: refuse)")
    add_output_options(parser)
    return arguments_of(parser, argv, is_search=True)


def run_tune(arguments: Namespace, progress: Progress) -> int:
    """Search as the options say, and print what was found; return the exit code."""
    from fastmlp.cli.main import INTERRUPTED, OK
    from fastmlp.cli.report import print_json
    from fastmlp.tuning import tune

    options = arguments.options
    if "study" in options and "storage" not in options:
        raise UsageError("--study needs --storage")
    best: list[TrialFigures] = []

    def watch(figures: TrialFigures) -> None:
        best.append(figures)
        progress.message(_line(figures, options.get("trials", 10)))

    found = tune(**options, watch=watch, say=progress.message, progress=progress.downloading)
    if arguments.json:
        print_json(report_of(found))
    else:
        print_trials(found)
    return INTERRUPTED if found.interrupted else OK


def report_of(found: Tuning) -> dict[str, Any]:
    """Return the figures of a search, ready for JSON."""
    trials = [
        {"number": t.number, "params": dict(t.params), "value": t.value, "state": t.state, "seconds": t.seconds}
        for t in found.trials
    ]
    return {
        "best_params": dict(found.best_params),
        "best_value": found.best_value,
        "metric": found.metric,
        "trials": trials,
        "interrupted": found.interrupted,
    }


def print_trials(found: Tuning) -> None:
    """Print the best trials, best first, then the best configuration as a command."""
    sign = -1 if found.metric == "loss" else 1
    order = sorted(found.trials, key=lambda trial: -sign * trial.value)[:SHOWN]
    rows = [["trial", found.metric, "state", "seconds", *order[0].params]]
    for trial in order:
        values = [_short(value) for value in trial.params.values()]
        rows.append([str(trial.number), f"{trial.value:.4f}", trial.state, f"{trial.seconds:.2f}", *values])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    print(f"\n{command_of(found.config)}")


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _line(figures: TrialFigures, trials: int) -> str:
    params = ", ".join(f"{name} {_short(value)}" for name, value in figures.params.items())
    state = "" if figures.state == "complete" else f" ({figures.state})"
    return f"trial {figures.number + 1}/{trials}{state}: {figures.value:.4f} with {params}; {figures.seconds:.2f} s"
