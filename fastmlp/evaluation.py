"""How good predictions are: scikit-learn's figures of classifiers and regressors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassFigures:
    """How well one class is told from the others: shares from 0 to 1, and how many rows are of it."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Evaluation:
    """The figures of some predictions.

    figures: "accuracy", "log_loss" and, where every class occurs, "roc_auc" (of more than two classes one against the
    rest, a mean of all); or "rmse", "mae" and "r2"
    confusion: (C, C) rows counted by true class (down) and predicted class (across); None of a regression
    """

    rows: int
    figures: dict[str, float]
    per_class: tuple[ClassFigures, ...] = ()
    confusion: NDArray[np.int64] | None = None

    @property
    def classes(self) -> list[str]:
        """The labels, in the order of ``confusion``."""
        return [each.label for each in self.per_class]


def evaluate_classes(truth: NDArray[np.int64], probabilities: NDArray[Any], labels: Sequence[str]) -> Evaluation:
    """Return the figures of probabilities (N, C), given the true class numbers (N,)."""
    from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support

    every = np.arange(len(labels))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, rows = precision_recall_fscore_support(truth, predicted, labels=every, zero_division=0.0)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)  # log_loss asks for sums closer to 1 than float32's
    figures = {
        "accuracy": float(accuracy_score(truth, predicted)),
        "log_loss": float(log_loss(truth, exact, labels=every)),
    }
    if len(np.unique(truth)) == len(labels):
        figures["roc_auc"] = _roc_auc(truth, exact)
    each = zip(labels, precision, recall, f1, rows, strict=True)
    per_class = tuple(ClassFigures(str(name), float(p), float(r), float(f), int(n)) for name, p, r, f, n in each)
    return Evaluation(len(truth), figures, per_class, count_confusion(truth, predicted, len(labels)))


def count_confusion(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the rows (C, C) by true class, down, and predicted class, across; at no cost of importing."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def _roc_auc(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    from sklearn.metrics import roc_auc_score

    two = probabilities.shape[1] == 2
    return float(roc_auc_score(truth, probabilities[:, 1] if two else probabilities, multi_class="ovr"))


def evaluate_values(truth: NDArray[Any], predicted: NDArray[Any]) -> Evaluation:
    """Return the figures of predicted values (N,) or (N, outputs)."""
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    figures = {
        "rmse": float(root_mean_squared_error(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
    }
    if len(truth) > 1:
        figures["r2"] = float(r2_score(truth, predicted))
    return Evaluation(len(truth), figures)
