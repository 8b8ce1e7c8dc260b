"""The options of fastmlp-train. Imports nothing heavy: ``--help`` has to answer at once."""

import argparse
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from fastmlp import __version__
from fastmlp.cli.option_types import integer, name_or_deviation, number, positive_integer, widths_of_layers
from fastmlp.recipes import RECIPES

PROGRAM = "fastmlp-train"
DEFAULT_EPOCHS = 10
DEFAULT_MOMENTUM = 0.9

_DESCRIPTION = "Train a multilayer perceptron on images of digits, and report its accuracy on the test set."
_EPILOG = """\
results go to stdout, progress and errors to stderr
exit codes: 0 trained, 1 failure, 2 wrong usage, 3 the training diverged, 130 interrupted

environment:
  FASTMLP_DATA_DIR     folder of data sets; MNIST is looked for in its subfolder mnist
  FASTMLP_OFFLINE      set to 1, nothing is downloaded
  FASTMLP_NUM_THREADS  threads, where --threads is not given
  NO_COLOR             set to anything, no colours
"""

# Options of the command line that are keywords of Trainer, under Trainer's names.
TRAINER_KEYWORDS = (
    "hidden",
    "learning_rate",
    "learning_rate_decay",
    "l2",
    "batch_size",
    "epochs",
    "momentum",
    "nesterov",
    "sampling",
    "init",
    "dtype",
    "threads",
    "seed",
    "max_steps",
    "solver",
    "learning_rate_schedule",
)


class UsageError(Exception):
    """Options that do not make sense; the message is one line."""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse ``argv``, by default the process's own arguments; Trainer's options get Trainer's names.

    Raises UsageError for options that are wrong, SystemExit(0) after ``--help`` and ``--version``.
    """
    parser = _Parser(
        prog=PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a new option must not change what an old script's abbreviation means
    )
    parser.add_argument(
        "data",
        nargs="?",
        default="digits",
        metavar="DATA",
        help="digits (default: 1797 images of 8x8 pixels inside scikit-learn), mnist (downloaded once if not "
        "found, 11 MB), or a folder of four IDX files named as MNIST's",
    )
    parser.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        help="options that reach a goal fast, no rows set aside; any option given beside it wins: "
        + "; ".join(f"{name}: {recipe.about}" for name, recipe in RECIPES.items()).replace("%", "%%"),
    )
    _add_model_options(parser.add_argument_group("model"))
    _add_training_options(parser.add_argument_group("training"))
    _add_step_options(parser.add_argument_group("one step of training"))
    _add_machine_options(parser.add_argument_group("machine"))
    _add_output_options(parser)
    recipe = parser.parse_args(argv).recipe
    if recipe is not None:
        parser.set_defaults(**RECIPES[recipe].options, validation_fraction=0.0)
    return parser.parse_args(argv)


def trainer_keywords(arguments: argparse.Namespace, training_rows: int) -> dict[str, Any]:
    """Trainer's keywords as the options have them, ``input_scale`` apart.

    Without ``--epochs``, ``--steps`` alone says how long to train: as many epochs as those steps need.
    """
    keywords = {name: getattr(arguments, name) for name in TRAINER_KEYWORDS}
    if keywords["momentum"] is None:
        keywords["momentum"] = 0.0 if keywords["solver"] == "adam" else DEFAULT_MOMENTUM
    if keywords["epochs"] is None:
        steps = keywords["max_steps"]
        steps_per_epoch = math.ceil(training_rows / keywords["batch_size"])
        keywords["epochs"] = DEFAULT_EPOCHS if steps is None else math.ceil(steps / steps_per_epoch)
    return keywords


def _add_model_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--hidden",
        type=widths_of_layers,
        default=(128,),
        metavar="N[,N...]",
        help="units of each hidden layer, as in 128,64; none: softmax regression (default: 128)",
    )
    group.add_argument(
        "--init",
        type=name_or_deviation,
        default="he",
        metavar="HOW",
        help="first weights: he, or the standard deviation of normal weights (default: %(default)s)",
    )
    group.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        default="float32",
        help="of weights and arithmetic (default: %(default)s)",
    )


def _add_training_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--epochs",
        type=positive_integer,
        metavar="N",
        help=f"passes over the training rows (default: {DEFAULT_EPOCHS}, or what --steps needs)",
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
        default=64,
        metavar="ROWS",
        help="rows of a minibatch (default: %(default)s)",
    )
    add(
        "--sampling",
        choices=("shuffle", "choice"),
        default="shuffle",
        help="shuffle: every row once an epoch; choice: rows drawn with replacement (default: %(default)s)",
    )
    add(
        "--validation-fraction",
        type=number("of at least 0 and below 1", lambda value: 0 <= value < 1),
        default=0.1,
        metavar="SHARE",
        help="share of the training rows set aside to measure accuracy after each epoch; 0: none "
        "(default: %(default)s)",
    )
    add(
        "--seed",
        type=integer("of at least 0", 0),
        default=0,
        metavar="N",
        help="of first weights, order of rows and validation rows (default: %(default)s)",
    )


def _add_step_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--solver",
        choices=("sgd", "adam"),
        default="sgd",
        help="gradient descent with momentum, or Adam, for which --lr 0.001 is a good start (default: %(default)s)",
    )
    add(
        "--lr",
        dest="learning_rate",
        type=number("above 0", lambda value: value > 0),
        default=0.1,
        metavar="RATE",
        help="learning rate of the first epoch (default: %(default)s)",
    )
    add(
        "--lr-decay",
        dest="learning_rate_decay",
        type=number("above 0", lambda value: value > 0),
        default=0.85,
        metavar="FACTOR",
        help="multiplies the learning rate after each epoch (default: %(default)s)",
    )
    add(
        "--lr-schedule",
        dest="learning_rate_schedule",
        choices=("decay", "linear"),
        default="decay",
        help="decay: by --lr-decay; linear: falling with each minibatch, to 0 at the end (default: %(default)s)",
    )
    add(
        "--l2",
        type=number("of at least 0", lambda value: value >= 0),
        default=1e-5,
        metavar="WEIGHT",
        help="of the sum of squared weights in the loss (default: %(default)s)",
    )
    add(
        "--momentum",
        type=number("of at least 0 and below 1", lambda value: 0 <= value < 1),
        metavar="FACTOR",
        help=f"share of the last step that is kept in the next (default: {DEFAULT_MOMENTUM}, with Adam 0)",
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


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, nothing else")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more, and show tracebacks of errors")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
