"""``fastmlp VERB``: one command for all that fastmlp does from a shell."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastmlp import __version__
from fastmlp.cli.arguments import UsageError, add_talk_options, new_parser
from fastmlp.cli.main import OK, USAGE, Command, run_command, train_as
from fastmlp.cli.tune import parse_tune, run_tune
from fastmlp.files import STANDARD_OUTPUT, writing_to

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from fastmlp.cli.progress import Progress


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``fastmlp VERB ...`` with ``argv``, by default the process's own arguments; return its exit code."""
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as stop:  # after --help and --version
        return USAGE if stop.code else OK


def _run(given: list[str]) -> int:
    if given[:1] == ["train"]:
        return train_as("fastmlp train", given[1:])
    if given[:1] == ["tune"]:
        return run_command("fastmlp tune", lambda: parse_tune(given[1:], "fastmlp tune"), run_tune)
    if given[:1] and given[0] in _VERBS:
        about, add_options, command = _VERBS[given[0]]
        program = f"fastmlp {given[0]}"
        return run_command(program, lambda: _parsed(program, about, add_options, given[1:]), command)
    return run_command("fastmlp", lambda: _overview(given), lambda arguments, progress: OK)


def _overview(given: list[str]) -> Namespace:
    """Answer ``--help`` and ``--version``; whatever else is no verb is refused."""
    verbs = "\n".join(f"  {name:10}{about}" for name, (about, _, _) in _ALL.items())
    parser = new_parser(
        "fastmlp", "Train multilayer perceptrons on CPUs, and use them.", f"verbs:\n{verbs}\n\nfastmlp VERB --help"
    )
    parser.add_argument("verb", metavar="VERB", choices=tuple(_ALL))
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.parse_args(given)
    raise UsageError("options come after the verb (see fastmlp --help)")


def _parsed(program: str, about: str, add_options: Callable[[ArgumentParser], None], given: list[str]) -> Namespace:
    parser = new_parser(program, about[0].upper() + about[1:] + ".")
    parser.set_defaults(quiet=False, verbose=False)
    add_options(parser)
    add_talk_options(parser)
    return parser.parse_args(given)


def _add_model(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model file, a folder with one, or the folder of a run")


# ---- predict ----


def _add_predict_options(parser: ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("data", metavar="DATA", help="rows, as for training; columns are found by name")
    parser.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help="where to write to: .csv, .jsonl, .parquet, .npy, or - for CSV on stdout (default: -)",
    )


def _predict(arguments: Namespace, progress: Progress) -> int:
    from fastmlp.predictions import predict

    rows = predict(arguments.model, arguments.data, arguments.output)
    if arguments.output != "-":
        progress.message(f"{rows} predictions written to {arguments.output}")
    return OK


# ---- evaluate ----


def _add_evaluate_options(parser: ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("data", metavar="DATA", help="rows with their targets; of data sets with test rows those")
    parser.add_argument("--json", action="store_true", default=False, help="print one JSON object on stdout")


def _evaluate(arguments: Namespace, progress: Progress) -> int:
    from fastmlp.cli.report import print_evaluation, print_evaluation_json
    from fastmlp.verbs import evaluate

    evaluation = evaluate(arguments.model, arguments.data)
    with writing_to(STANDARD_OUTPUT):
        (print_evaluation_json if arguments.json else print_evaluation)(evaluation)
    return OK


# ---- export ----


def _add_export_options(parser: ArgumentParser) -> None:
    _add_model(parser)
    kinds = parser.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--onnx", metavar="FILE", help="write a model for ONNX Runtime, preparation included")
    kinds.add_argument("--torch", metavar="FILE", help="write weights, a safetensors file, for torch.nn.Sequential")


def _export(arguments: Namespace, progress: Progress) -> int:
    from fastmlp.exporting import export

    kind = "onnx" if hasattr(arguments, "onnx") else "torch"
    path = getattr(arguments, kind)
    export(arguments.model, path, kind)
    progress.message(f"written to {path}")
    return OK


# ---- info ----


def _add_info_options(parser: ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("--json", action="store_true", default=False, help="print one JSON object on stdout")


def _info(arguments: Namespace, progress: Progress) -> int:
    from fastmlp.verbs import info

    facts = info(arguments.model)
    with writing_to(STANDARD_OUTPUT):
        if arguments.json:
            print(json.dumps(facts))
        else:
            _print_facts(facts)
    return OK


def _print_facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if value is not None:
            text = ", ".join(f"{k} ({v})" for k, v in value.items()) if isinstance(value, dict) else value
            print(f"{name:12}{', '.join(map(str, text)) if isinstance(text, list) else text}")


# ---- warmup ----


def _add_warmup_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--dtype",
        action="append",
        choices=("float32", "float64"),
        help="of the networks to come; may be given twice (default: float32, with --all both)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="also what is used less often, in twice the time: activations but ReLU, dropout, clipping",
    )


def _warmup(arguments: Namespace, progress: Progress) -> int:
    from fastmlp.warm import warmup

    print(f"kernels ready after {warmup(getattr(arguments, 'dtype', None), hasattr(arguments, 'all')):.1f} s")
    return OK


_VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Command]] = {
    "predict": ("predict for rows of a file", _add_predict_options, _predict),
    "evaluate": ("measure a model on rows whose targets are known", _add_evaluate_options, _evaluate),
    "export": ("write a model for other programs", _add_export_options, _export),
    "info": ("tell what a model is and what it needs", _add_info_options, _info),
    "warmup": ("compile all kernels now, so that no later training waits", _add_warmup_options, _warmup),
}
_ALL = {
    "train": ("train a network, as fastmlp-train does", None, None),
    "tune": ("search for the options with which a network learns best", None, None),
    **_VERBS,
}
