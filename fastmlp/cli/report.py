"""What fastmlp-train says when it is done, on stdout: a table, or one JSON object."""

import json
import math
import sys
from typing import Any

Report = dict[str, Any]

# Keys of the report in the order of the table: title, and how the value is written.
_TABLE = (
    ("test_accuracy", "test accuracy", "{:.4f}"),
    ("validation_accuracy", "validation accuracy", "{:.4f}"),
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
    rows = [(title, text.format(report[key])) for key, title, text in _TABLE if report[key] is not None]
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
