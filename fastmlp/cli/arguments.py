"""The options of ``fastmlp train``. Imports nothing heavy: ``--help`` has to answer at once.

Options have the names that ``fastmlp.train`` knows, and only those that are given come out: their defaults are its.
"""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from fastmlp import __version__
from fastmlp.cli.option_types import integer, name_or_deviation, number, positive_integer, widths_of_layers
from fastmlp.config import Config, default_of
from fastmlp.options import ACTIVATIONS
from fastmlp.recipes import RECIPES

PROGRAM = "fastmlp-train"

_DESCRIPTION = "Train a multilayer perceptron on a table or on images, and report how good it is on the test rows."
EPILOG = """\
results go to stdout, progress and errors to stderr
exit codes: 0 trained, 1 failure, 2 wrong usage, 3 the training diverged, 130 interrupted

environment:
  FASTMLP_DATA_DIR     folder of data sets; MNIST is looked for in its subfolder mnist
  FASTMLP_OFFLINE      set to 1, nothing is downloaded
  FASTMLP_NUM_THREADS  threads, where --threads is not given
  NO_COLOR             set to anything, no colours
"""

_OUTPUT_OPTIONS = ("json", "quiet", "verbose")


class UsageError(Exception):
    """Options that do not make sense; the message is one line."""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def parse(argv: Sequence[str] | None = None, program: str = PROGRAM) -> argparse.Namespace:
    """Parse ``argv``, by default the process's own arguments: ``options`` for fastmlp.train, and how to show things.

    Raises UsageError for options that are wrong, SystemExit(0) after ``--help`` and ``--version``.
    """
    parser = new_parser(program, _DESCRIPTION, EPILOG)
    add_config_options(parser)
    _add_ends_options(parser.add_argument_group("when to end"))
    _add_machine_options(parser.add_argument_group("machine"))
    _add_files_options(parser.add_argument_group("files"))
    add_output_options(parser)
    return arguments_of(parser, argv)


def arguments_of(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, is_search: bool = False
) -> argparse.Namespace:
    """Parse: ``options`` for a function of the library, and how to show things; is_search: for one that searches."""
    parser.set_defaults(**dict.fromkeys(_OUTPUT_OPTIONS, False))
    given = vars(parser.parse_args(argv))
    shown = argparse.Namespace(**{name: given.pop(name) for name in _OUTPUT_OPTIONS})
    shown.options = _options_of(given, is_search)
    return shown


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how to train, whichever verb trains."""
    _add_data_options(parser)
    _add_model_options(parser.add_argument_group("model"))
    _add_training_options(parser.add_argument_group("training"))
    _add_step_options(parser.add_argument_group("one step of training"))


def new_parser(program: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """Return a parser whose errors are one line, and which leaves out what is not given."""
    return _Parser(
        prog=program,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a new option must not change what an old script's abbreviation means
        argument_default=argparse.SUPPRESS,
    )


def _options_of(given: dict[str, Any], is_search: bool) -> dict[str, Any]:
    """Return what is given, over a recipe's options, over those of a file."""
    options: dict[str, Any] = {}
    if "config" in given:
        options |= _options_in(given.pop("config"))
    if "recipe" in given:
        recipe = RECIPES[given.pop("recipe")]
        options |= {**recipe.options, "validation_fraction": recipe.validation_fraction}
        options |= recipe.search if is_search else {}
    return options | given


def _options_in(path: str) -> dict[str, Any]:
    from fastmlp.config import from_toml

    try:
        with open(path, encoding="utf-8") as file:
            return from_toml(file.read(), path)
    except OSError as error:
        raise UsageError(f"--config: {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"--config: {error}") from error


def _default(name: str) -> str:
    """Return the default of an option, that for images first where it differs for tables."""
    images, tables = (_as_given(default_of(name, is_images)) for is_images in (True, False))
    return images if images == tables else f"{images}; tables: {tables}"


def _as_given(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        nargs="?",
        metavar="DATA",
        help="a file (CSV, TSV, Parquet, Arrow, NPZ, NPY, svmlight), a folder of four IDX files named as MNIST's, "
        "digits (default: 1797 images of 8x8 pixels inside scikit-learn), mnist or fashion-mnist (downloaded once if "
        "not found)",
    )
    parser.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        help="options that reach a goal; any option given beside it wins: "
        + "; ".join(f"{name}: {recipe.about}" for name, recipe in RECIPES.items()).replace("%", "%%"),
    )
    add = parser.add_argument_group("data").add_argument
    add("--target", metavar="NAME", help="the column to predict (default: the last)")
    add("--task", choices=("classify", "regress"), help="what to predict (default: by what the target holds)")
    add("--test", metavar="DATA", help="rows to test on, with the same columns (default: a share of DATA)")
    add("--validation", metavar="DATA", help="rows to measure on after each epoch (default: a share of DATA)")
    add("--drop", action="append", metavar="NAME", help="a column to leave out; may be given several times")
    add("--weight", metavar="NAME", help="a column that says how much each row counts")
    share = number("of at least 0 and below 1", lambda value: 0 <= value < 1)
    add(
        "--test-fraction",
        type=share,
        metavar="SHARE",
        help=f"share of the rows set aside for the test, where none come with them (default: {Config.test_fraction})",
    )
    add(
        "--validation-fraction",
        type=share,
        metavar="SHARE",
        help="share of the training rows set aside to measure on after each epoch; 0: none "
        f"(default: {Config.validation_fraction})",
    )


def _add_model_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--hidden",
        type=widths_of_layers,
        metavar="N[,N...]",
        help=f"units of each hidden layer, as in 128,64; none: a linear model (default: {_default('hidden')})",
    )
    group.add_argument(
        "--init",
        type=name_or_deviation,
        metavar="HOW",
        help=f"first weights: he, or the standard deviation of normal weights (default: {_default('init')})",
    )
    group.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        help=f"of weights and arithmetic (default: {_default('dtype')})",
    )
    group.add_argument(
        "--activation",
        choices=ACTIVATIONS,
        help=f"of the hidden layers (default: {_default('activation')})",
    )


def _add_training_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--epochs",
        type=positive_integer,
        metavar="N",
        help=f"passes over the training rows (default: {_default('epochs')}, or what --steps needs)",
    )
    add(
        "--steps",
        dest="max_steps",
        type=positive_integer,
        metavar="N",
        help="stop after N minibatches (default: no limit)",
    )
    add(
        "--batch-size",
        type=positive_integer,
        metavar="ROWS",
        help=f"rows of a minibatch (default: {_default('batch_size')})",
    )
    add(
        "--sampling",
        choices=("shuffle", "choice"),
        help=f"shuffle: every row once an epoch; choice: rows drawn with replacement (default: {_default('sampling')})",
    )
    add(
        "--seed",
        type=integer("of at least 0", 0),
        metavar="N",
        help=f"of first weights, order of rows and rows set aside (default: {_default('seed')})",
    )


def _add_ends_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--patience",
        type=positive_integer,
        metavar="N",
        help="end after N epochs without a better validation figure (default: never)",
    )
    add(
        "--time-budget",
        type=number("above 0", lambda value: value > 0),
        metavar="SECONDS",
        help="end with the epoch in which this time is over (default: no limit)",
    )


def _add_step_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--solver",
        choices=("sgd", "adam"),
        help=f"gradient descent with momentum, or Adam (default: {_default('solver')})",
    )
    add(
        "--lr",
        dest="learning_rate",
        type=number("above 0", lambda value: value > 0),
        metavar="RATE",
        help=f"learning rate of the first epoch (default: {_default('learning_rate')}; other solvers have others)",
    )
    add(
        "--lr-decay",
        dest="learning_rate_decay",
        type=number("above 0", lambda value: value > 0),
        metavar="FACTOR",
        help="multiplies the learning rate after each epoch, with --lr-schedule decay "
        f"(default: {_default('learning_rate_decay')})",
    )
    add(
        "--lr-schedule",
        dest="learning_rate_schedule",
        choices=("decay", "linear"),
        help="decay: by --lr-decay; linear: falling with each minibatch, to 0 at the end "
        f"(default: {_default('learning_rate_schedule')})",
    )
    add(
        "--l2",
        type=number("of at least 0", lambda value: value >= 0),
        metavar="WEIGHT",
        help=f"of the sum of squared weights in the loss (default: {_default('l2')})",
    )
    add(
        "--momentum",
        type=number("of at least 0 and below 1", lambda value: 0 <= value < 1),
        metavar="FACTOR",
        help="share of the last step that is kept in the next "
        f"(default: {default_of('momentum', is_images=True):g}, with Adam 0)",
    )
    add(
        "--nesterov",
        action="store_true",
        help="Nesterov's momentum instead of the classical one (default: off)",
    )


def _add_machine_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--threads",
        type=positive_integer,
        metavar="N",
        help="threads to train with; results do not depend on it (default: the CPUs this process may use)",
    )
    group.add_argument(
        "--stream",
        action=argparse.BooleanOptionalAction,
        help="leave the rows of a table or an NPY file on the disk (default: where they may not fit into memory)",
    )


def _add_files_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--out", metavar="DIR", help="keep configuration, history, best and last model and a report in a new folder")
    add("--overwrite", action="store_true", help="let --out replace an earlier run (default: refuse)")
    add("--resume", metavar="DIR", help="go on with the run in this folder where it was cut off")
    add(
        "--log", action="append", choices=("jsonl", "tensorboard", "mlflow"), help="write each epoch's figures to a log"
    )
    add("--plot", metavar="FILE", help="draw the learning curves as a picture, .png or .svg for example")
    add("--config", metavar="FILE", help="take options from a config.toml; those given beside it win")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add what verbs with figures have: JSON, and how much they say."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, nothing else")
    add_talk_options(parser)


def add_talk_options(parser: argparse.ArgumentParser) -> None:
    """Add what every verb has: how much it says."""
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more, and show tracebacks of errors")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
