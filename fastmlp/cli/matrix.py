"""A small confusion matrix in plain characters."""

import os
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.progress import takes_control_codes

MOST_CLASSES = 12
_WIDEST_LABEL = 12


def print_confusion(confusion: NDArray[np.int64], labels: Sequence[str]) -> None:
    """Print a confusion matrix (C, C), true classes down, where it is small enough to be read."""
    if len(labels) <= MOST_CLASSES:
        print()
        print(
            "\n".join(
                lines_of(
                    confusion, labels, is_coloured=takes_control_codes(sys.stdout) and not os.environ.get("NO_COLOR")
                )
            )
        )


def lines_of(confusion: NDArray[np.int64], labels: Sequence[str], is_coloured: bool = False) -> list[str]:
    """Return the lines of a table: a row for each true class, a column for each predicted one; zeros are dots."""
    names = [label if len(label) <= _WIDEST_LABEL else label[: _WIDEST_LABEL - 1] + "…" for label in labels]
    width = max(len(str(confusion.max())), *map(len, names)) + 2
    head = max(len("true \\ predicted"), *map(len, names))
    lines = ["true \\ predicted".ljust(head) + "".join(name.rjust(width) for name in names)]
    for i, name in enumerate(names):
        cells = (_cell(int(n), i == j, width, is_coloured) for j, n in enumerate(confusion[i]))
        lines.append(name.ljust(head) + "".join(cells))
    return lines


def _cell(count: int, is_right: bool, width: int, is_coloured: bool) -> str:
    text = (str(count) if count else "·").rjust(width)
    if not is_coloured:
        return text
    return f"\x1b[{32 if is_right else 31 if count else 2}m{text}\x1b[0m"
