"""A trained network with all that turns a user's rows into its inputs, and its outputs into answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.evaluation import Evaluation, evaluate_classes, evaluate_values
from fastmlp.parameters import sizes_of
from fastmlp.preparation import Preparation
from fastmlp.trainer import Trainer


@dataclass(frozen=True)
class Model:
    """What is left of a training: enough to predict from rows as they are stored.

    parameters: W1 (D, H), b1 (H,), W2 ...; task: "classify" or "regress"; labels: of the classes, in order
    mean, scale: what brings a regression's outputs back to the units of its target; about: whatever is worth knowing
    """

    parameters: Mapping[str, NDArray[np.floating]]
    preparation: Preparation
    task: str = "classify"
    activation: str = "relu"
    labels: tuple[int | str, ...] = ()
    target: str | None = None
    mean: float = 0.0
    scale: float = 1.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(inputs, hidden units ..., outputs)."""
        return sizes_of(self.parameters)

    @cached_property
    def network(self) -> Trainer:
        """A Trainer with these parameters."""
        trainer = Trainer(
            hidden=self.sizes[1:-1],
            input_scale=self.preparation.input_scale,
            dtype=str(self.parameters["W1"].dtype),
            activation=self.activation,
            task=self.task,
        )
        trainer.parameters = self.parameters
        return trainer

    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Return the probabilities (N, C) of rows as they are stored, in the order of ``labels``."""
        return self.network.predict_proba(self.preparation.inputs_of(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label, or the value, of each row as it is stored."""
        if self.task == "classify":
            labels: NDArray[Any] = np.asarray(self.labels)[self.predict_proba(X).argmax(axis=1)]
            return labels
        outputs = self.network.decision_function(self.preparation.inputs_of(X))
        values: NDArray[np.float64] = outputs[:, 0].astype(np.float64) * self.scale + self.mean
        return values

    def evaluate(self, X: Any, y: NDArray[Any]) -> Evaluation:
        """Return the figures of predictions for rows whose targets are known.

        Raises ValueError for labels that training has not seen, and for text where the model predicts values.
        """
        if self.task == "classify":
            probabilities = self.predict_proba(X)
            return evaluate_classes(self.class_numbers(y), probabilities, tuple(map(str, self.labels)))
        values = self.predict(X)
        if y.dtype.kind not in "buif":
            raise ValueError("the model predicts numbers, and the target is text")
        return evaluate_values(y, values)

    def class_numbers(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Return the class number of each label, which may be written as text. Raises ValueError for unseen ones."""
        numbers = {str(label): number for number, label in enumerate(self.labels)}
        given, places = np.unique(np.asarray(y), return_inverse=True)
        unseen = [str(label) for label in given.tolist() if str(label) not in numbers]
        if unseen:
            raise ValueError(f"labels that training has not seen: {', '.join(unseen[:5])}")
        return np.array([numbers[str(label)] for label in given.tolist()], np.int64)[places]
