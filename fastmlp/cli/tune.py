"""``fastmlp tune``: search for options, show the trials, and say which are the best."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastmlp.cli.arguments import EPILOG, UsageError, add_config_options, add_output_options, arguments_of, new_parser
from fastmlp.cli.option_types import number, positive_integer
from fastmlp.cli.trials import Trials, print_rows
from fastmlp.command import command_of

if TYPE_CHECKING:
    from fastmlp.cli.progress import Progress
    from fastmlp.tuning.search import Tuning

_DESCRIPTION = "Search for the options with which a network learns best, measured on validation rows."


def parse_tune(argv: Sequence[str], program: str) -> Namespace:
    """Parse the options of ``fastmlp tune``, under the names that fastmlp.tune has for them."""
    parser = new_parser(program, _DESCRIPTION, EPILOG)
    add_config_options(parser)
    add = parser.add_argument_group("search").add_argument
    add("--trials", type=positive_integer, metavar="N", help="how many to run (default: 10)")
    add("--sampler", choices=("random", "tpe", "grid"), help="how trials are chosen (default: random)")
    add(
        "--prune",
        action="store_const",
        const="hyperband",
        help="end trials early that are unlikely to become the best",
    )
    pruners = ("hyperband", "median")
    add("--pruner", dest="prune", choices=pruners, help="how to tell which (default with --prune: hyperband)")
    add(
        "--jobs",
        type=positive_integer,
        metavar="N",
        help="trials at a time, a thread each (default: the CPUs there are)",
    )
    add("--dask", metavar="ADDRESS", help="run trials on a Dask cluster: its scheduler's address, or local: processes")
    add(
        "--time-budget",
        type=number("above 0", lambda value: value > 0),
        metavar="SECONDS",
        help="begin no trial after this time (default: no limit)",
    )
    add("--metric", choices=("accuracy", "r2", "loss"), help="what to search for (default: accuracy, of values r2)")
    add("--space", metavar="FILE", help="a TOML file of ranges and choices (default: rate, decay and L2 of the report)")
    add("--storage", metavar="URL", help="where to keep trials: journal:FILE, or SQLite, PostgreSQL, MySQL by its URL")
    add("--study", metavar="NAME", help="its name in the storage or --out; one that is there is gone on with")
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
    if "study" in options and not {"storage", "out"} & set(options):
        raise UsageError("--study needs --storage or --out")
    if "overwrite" in options and "out" not in options:
        raise UsageError("--overwrite needs --out")
    so_far = Trials(options.get("trials", 10), options.get("metric"))
    found = tune(
        **options,
        watch=lambda figures: progress.trial(so_far.add(figures), so_far),
        say=progress.message,
        progress=progress.downloading,
    )
    progress.close()
    if arguments.json:
        print_json(report_of(found))
    else:
        print_rows(Trials(len(found.trials), found.metric, list(found.trials)).rows())
        print(f"\n{command_of(found.config)}")
    return INTERRUPTED if found.interrupted else OK


def report_of(found: Tuning) -> dict[str, Any]:
    """Return the figures of a search, ready for JSON."""
    trials = [
        {"number": t.number, "params": dict(t.params), "value": t.value, "state": t.state, "seconds": t.seconds}
        for t in found.trials
    ]
    return {"best_params": dict(found.best_params), "best_value": found.best_value, "trials": trials}
