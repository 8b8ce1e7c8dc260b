"""What fastmlp-train says when it is done, on stdout: a table, or one JSON object."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastmlp.cli.matrix import print_confusion

if TYPE_CHECKING:
    from fastmlp.evaluation import Evaluation

Report = dict[str, Any]

# Keys of the report in the order of the table: title, and how the value is written.
_TABLE = (
    ("test_accuracy", "test accuracy", "{:.4f}"),
    ("test_r2", "test R2", "{:.4f}"),
    ("test_rmse", "test RMSE", "{:.4g}"),
    ("test_mae", "test MAE", "{:.4g}"),
    ("validation_accuracy", "validation accuracy", "{:.4f}"),
    ("validation_r2", "validation R2", "{:.4f}"),
    ("train_loss", "training loss", "{:.4f}"),
    ("epochs", "epochs", "{}"),
    ("train_seconds", "training time", "{:.2f} s"),
    ("compile_seconds", "compiling time", "{:.2f} s"),
    ("rows_per_second", "rows per second", "{:,.0f}"),
    ("threads", "threads", "{}"),
    ("peak_memory_mb", "peak memory", "{:.0f} MB"),
)


def print_json(report: Report) -> None:
    """One line. JSON has no infinity nor NaN: they become null."""
    print(json.dumps(_finite(report), allow_nan=False))


def print_table(report: Report) -> None:
    """A rich table on a terminal, aligned plain lines elsewhere; figures that are missing are left out."""
    rows = [(title, text.format(report[key])) for key, title, text in _TABLE if report.get(key) is not None]
    if sys.stdout is None or not sys.stdout.isatty():
        width = max(len(title) for title, _ in rows)
        for title, text in rows:
            print(f"{title:{width}}  {text}")
        return

    from rich.console import Console
    from rich.table import Table

    table = Table(title=report["config"]["data"], show_header=False)
    table.add_column(style="cyan")
    table.add_column(justify="right")
    for title, text in rows:
        table.add_row(title, text)
    Console(highlight=False).print(table)


def print_evaluation_json(evaluation: Evaluation) -> None:
    """One line: the figures, and of a classifier those of each class and the confusion matrix."""
    confusion = None if evaluation.confusion is None else evaluation.confusion.tolist()
    per_class = [asdict(each) for each in evaluation.per_class] or None
    facts = {"rows": evaluation.rows, **evaluation.figures, "classes": per_class, "confusion": confusion}
    print_json({name: value for name, value in facts.items() if value is not None})


def print_evaluation(evaluation: Evaluation) -> None:
    """Lines of figures, then of each class, then the confusion matrix."""
    names = {"roc_auc": "ROC AUC", "log_loss": "log loss", "rmse": "RMSE", "mae": "MAE", "r2": "R2"}
    print(f"{'rows':12}{evaluation.rows}")
    for name, value in evaluation.figures.items():
        print(f"{names.get(name, name):12}{value:.4f}")
    if evaluation.confusion is None:
        return
    width = max(len("class"), *(len(label) for label in evaluation.classes)) + 2
    print(f"\n{'class':{width}}{'precision':>10}{'recall':>10}{'F1':>10}{'rows':>10}")
    for each in evaluation.per_class:
        print(f"{each.label:{width}}{each.precision:10.4f}{each.recall:10.4f}{each.f1:10.4f}{each.rows:10}")
    print_confusion(evaluation.confusion, evaluation.classes)


def peak_memory_mb() -> float | None:
    """The most memory this process has occupied so far, in megabytes of 10^6 bytes; None where nobody tells.

    Linux is asked for VmHWM first: its getrusage carries over the peak of the program that started this one.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    if sys.platform == "win32":  # has no resource module
        return None

    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6  # bytes on macOS, KiB elsewhere


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
