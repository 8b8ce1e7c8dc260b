"""What a training run recorded, epoch by epoch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Any

import numpy as np


@dataclass(frozen=True)
class EpochFigures:
    """The figures of one epoch, as callbacks get them."""

    epoch: int  # from 1
    epochs: int  # how many there will be
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    seconds: float  # training alone, without validation
    rows: int  # trained in this epoch
    validation_score: float | None = None  # R2 of a regression; of an estimator that stops early, by its ``scoring``


def tell(callbacks: Iterable[Callable[[EpochFigures], object]], figures: EpochFigures) -> bool:
    """Call every callback with an epoch's figures, and tell whether any of them answers True, to end the training."""
    answers = [callback(figures) for callback in callbacks]  # each hears of the epoch, whichever ends it
    return any(answer is True or answer is np.True_ for answer in answers)


@dataclass
class History:
    """The figures of all epochs, a list each.

    loss: mean negative log-likelihood of the rows as they were trained, plus l2 * sum |W|^2 at the end of the epoch
    validation_loss, validation_accuracy: after the epoch, the same loss; empty without validation data
    validation_score: of a regression R2, in place of the accuracy
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    validation_score: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)

    def add(self, figures: EpochFigures) -> None:
        """Append the figures of an epoch."""
        self.loss.append(figures.loss)
        self.learning_rate.append(figures.learning_rate)
        self.epoch_seconds.append(figures.seconds)
        for name in ("validation_loss", "validation_accuracy", "validation_score"):
            value = getattr(figures, name)
            if value is not None:
                getattr(self, name).append(value)

    def plot(self, path: str | PathLike[str] | None = None) -> Any:
        """Return a matplotlib Figure of the curves, and save it where a path is given (``fastmlp.plotting``)."""
        from fastmlp.plotting import plot

        return plot(self, path)

    def copy(self) -> "History":
        """Return a copy that does not grow with this one."""
        return History(*(list(getattr(self, each.name)) for each in fields(self)))
