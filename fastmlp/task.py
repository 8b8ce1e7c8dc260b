"""What a network learns: classes or values. All that the Trainer does differently for the two is here."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import inputs
from fastmlp.kernels.targets import Targets, labels_of, values_of


@dataclass(frozen=True)
class Classification:
    """Tell classes apart: softmax, trained by the negative log-likelihood; measured by the accuracy."""

    classes: NDArray[Any]  # (C,) sorted labels
    loss: ClassVar[str] = "softmax"
    quality: ClassVar[str] = "validation_accuracy"
    loss_factor: ClassVar[int] = 1  # what the kernels' losses are to be multiplied by

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return len(self.classes)

    def encode(self, y: ArrayLike, rows: int, name: str = "y") -> NDArray[np.int64]:
        """Return class numbers (N,). Raises ValueError for labels that are not among the classes."""
        return inputs.class_numbers(inputs.check_y(y, rows, name), self.classes, name)

    def targets(self, truth: NDArray[Any], dtype: np.dtype[Any], weights: NDArray[np.float64]) -> Targets:
        """Return what is encoded as kernels take it."""
        return labels_of(truth, dtype, weights)

    def measure(self, scores: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
        """Return the mean loss and the accuracy of scores (N, C)."""
        exact = scores.astype(np.float64)
        losses = _log_sum_exp(exact) - exact[np.arange(len(truth)), truth]
        return float(losses.mean()), float((scores.argmax(axis=1) == truth).mean())

    def predictions(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the label of the highest score of each row."""
        labels: NDArray[Any] = self.classes[scores.argmax(axis=1)]
        return labels


@dataclass(frozen=True)
class Regression:
    """Predict values: half the squared error, summed over outputs; measured by R2, the mean of all outputs'."""

    outputs: int
    is_flat: bool  # whether y was (N,)
    loss: ClassVar[str] = "squared_error"
    quality: ClassVar[str] = "validation_score"

    @property
    def loss_factor(self) -> int:
        """What the kernels' losses are to be multiplied by: they are means over outputs, their gradients of the sum."""
        return self.outputs

    def encode(self, y: ArrayLike, rows: int, name: str = "y") -> NDArray[np.float64]:
        """Return values (N, outputs). Raises ValueError for another number of outputs."""
        values = inputs.check_values(y, rows, name)
        if values.shape[1] != self.outputs:
            raise ValueError(f"{name} must have {self.outputs} values a row as in training, got {values.shape[1]}")
        return values

    def targets(self, truth: NDArray[Any], dtype: np.dtype[Any], weights: NDArray[np.float64]) -> Targets:
        """Return what is encoded as kernels take it."""
        return values_of(truth, dtype, weights)

    def measure(self, scores: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
        """Return the mean loss and R2 of outputs (N, outputs)."""
        squares = np.square(scores - truth, dtype=np.float64)
        spread = np.square(truth - truth.mean(axis=0)).sum(axis=0)
        left = squares.sum(axis=0)
        r2 = 1 - np.divide(left, spread, out=(left > 0).astype(np.float64), where=spread > 0)
        return float(squares.sum(axis=1).mean() / 2), float(r2.mean())

    def predictions(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the values, (N,) where y was."""
        return scores[:, 0] if self.is_flat else scores


Task = Classification | Regression


def task_of(name: str, y: ArrayLike, rows: int) -> tuple[Task, NDArray[Any]]:
    """Return the task "classify" or "regress" as y has it, and y encoded."""
    if name == "classify":
        classes, numbers = inputs.find_classes(inputs.check_y(y, rows))
        return Classification(classes), numbers
    values = inputs.check_values(y, rows)
    return Regression(values.shape[1], np.ndim(y) == 1), values


def untaught_task(name: str, outputs: int) -> Task:
    """Return the task of parameters that come without data: classes are called 0, 1, 2 ..."""
    return Classification(np.arange(outputs)) if name == "classify" else Regression(outputs, outputs == 1)


def _log_sum_exp(scores: NDArray[Any]) -> NDArray[Any]:
    """Return log(sum(exp(row))) of each row of scores (N, C), however far from 0 they are."""
    largest = scores.max(axis=1)
    return np.asarray(largest + np.log(np.exp(scores - largest[:, None]).sum(axis=1)))
