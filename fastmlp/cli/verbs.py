"""``fastmlp VERB``: one command for all that fastmlp does from a shell."""

import argparse
import sys
from collections.abc import Sequence

from fastmlp import __version__
from fastmlp.cli.main import FAILURE, INTERRUPTED, OK, USAGE, train


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``fastmlp VERB ...`` with ``argv``, by default the process's own arguments; return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["train"]:
        return train(given[1:])
    parser = argparse.ArgumentParser(prog="fastmlp", description="Train multilayer perceptrons on CPUs.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("train", help="train a network, as fastmlp-train does", add_help=False)
    warmup = verbs.add_parser("warmup", help="compile all kernels now, so that no later training waits")
    warmup.add_argument(
        "--dtype",
        action="append",
        choices=("float32", "float64"),
        help="of the networks to come; may be given twice (default: float32)",
    )
    try:
        arguments = parser.parse_args(given)
    except SystemExit as stop:
        return USAGE if stop.code else OK
    return _warmup(arguments.dtype or ["float32"])


def _warmup(dtypes: list[str]) -> int:
    try:
        from fastmlp.warm import warmup

        print(f"kernels ready after {warmup(dtypes):.1f} s")
    except KeyboardInterrupt:
        print("fastmlp: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"fastmlp: error: {error}", file=sys.stderr)
        return FAILURE
    return OK
