"""The parts of a report on classes: which were taken for which, and how well each is told from the others."""

import numpy as np
from numpy.typing import NDArray

from fastmlp.evaluation import Evaluation
from fastmlp.report.figures import percent, plural
from fastmlp.report.markup import Markup, element
from fastmlp.report.shell import section
from fastmlp.report.table import Cell, heat_table, table

_MOST_CLASSES = 30  # of a confusion matrix; of more, only pairs are listed
_MOST_PAIRS = 20
_NARROW = 12  # classes of a matrix that leaves room beside it


def by_class(evaluation: Evaluation, matrix: NDArray[np.int64]) -> Markup:
    """Return the confusion matrix (C, C) and the figures of each class, side by side where they fit."""
    parts = _confusion(matrix, evaluation.classes), _per_class(evaluation)
    is_wide = _NARROW < len(matrix) <= _MOST_CLASSES
    return element("div", *parts, class_=None if is_wide else "beside")


def _confusion(matrix: NDArray[np.int64], labels: list[str]) -> Markup:
    """Return the confusion matrix (C, C), or of many classes the pairs that are confused most."""
    pairs = confused_pairs(matrix)
    if len(labels) > _MOST_CLASSES:
        return section("Most confused classes", _pairs_table(matrix, labels, pairs), note=_summary(matrix))
    heat = heat_table(
        "truth ↓\npredicted →",
        labels,
        zip(labels, _cells(matrix), strict=True),
        "Rows by true class, down, and predicted class, across",
    )
    shades = "Shades: shares of the true class; mistakes compared with the most frequent one."
    return section("Confusion matrix", heat, note=f"{_summary(matrix)} {shades}")


def _cells(matrix: NDArray[np.int64]) -> list[list[Cell]]:
    """Return counts, blank for 0; mistakes are few, so that shades of their own scale tell them apart."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    is_wrong = ~np.eye(len(matrix), dtype=bool)
    shares[is_wrong] /= shares[is_wrong].max(initial=0.0) or 1.0
    return [
        [Cell(f"{n}" if n else "", float(share), bool(wrong)) for n, share, wrong in zip(*row, strict=True)]
        for row in zip(matrix, shares, is_wrong, strict=True)
    ]


def confused_pairs(matrix: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the true and predicted class of all mistakes, the most frequent first."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[: int((wrong > 0).sum())]
    return [(int(index) // len(matrix), int(index) % len(matrix)) for index in order]


def _summary(matrix: NDArray[np.int64]) -> str:
    rows, right = int(matrix.sum()), int(matrix.trace())
    return f"{rows - right:,} of {plural(rows, 'row')} predicted wrongly."


def _pairs_table(matrix: NDArray[np.int64], labels: list[str], pairs: list[tuple[int, int]]) -> Markup:
    totals = matrix.sum(axis=1)
    rows = [
        (
            labels[true],
            labels[predicted],
            f"{matrix[true, predicted]:,}",
            percent(matrix[true, predicted] / totals[true]),
        )
        for true, predicted in pairs[:_MOST_PAIRS]
    ]
    columns = ("truth", "predicted", "rows", "of that truth")
    return table(columns, rows, "Classes taken for others, the most frequent first", numbers_from=2)


def _per_class(evaluation: Evaluation) -> Markup:
    """Return precision, recall, F1 and rows of each class."""
    rows = [
        (each.label, f"{each.precision:.3f}", f"{each.recall:.3f}", f"{each.f1:.3f}", f"{each.rows:,}")
        for each in evaluation.per_class
    ]
    columns = ("class", "precision", "recall", "F1", "rows")
    return section("Classes", table(columns, rows, "Precision, recall, F1 and rows of each class"))
