"""What is searched for: a figure of the validation rows, and whether more of it is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fastmlp.history import EpochFigures


@dataclass(frozen=True)
class Metric:
    """A field of EpochFigures."""

    name: str
    field: str
    is_more_better: bool

    @property
    def direction(self) -> str:
        """As Optuna names it."""
        return "maximize" if self.is_more_better else "minimize"

    @property
    def worst(self) -> float:
        """What a trial that diverges is scored as."""
        return {"accuracy": 0.0, "r2": -math.inf, "loss": math.inf}[self.name]

    def of(self, figures: EpochFigures) -> float:
        """Return the figure of an epoch; what is no number is the worst, and nothing that a study could keep."""
        value = getattr(figures, self.field)
        return self.worst if value is None or math.isnan(value) else float(value)

    def best(self, values: Sequence[float]) -> float:
        """Return the best of some figures."""
        return max(values) if self.is_more_better else min(values)

    def is_better(self, one: float, other: float | None) -> bool:
        """Tell whether one figure is better than another, if there is another."""
        return other is None or (one > other if self.is_more_better else one < other)


_METRICS = (
    Metric("accuracy", "validation_accuracy", True),
    Metric("r2", "validation_score", True),
    Metric("loss", "validation_loss", False),
)


def metric_of(name: str | None, task: str) -> Metric:
    """Return a metric by its name, by default accuracy of classes and R2 of values. Raises ValueError for others."""
    fitting = [each for each in _METRICS if each.name != ("r2" if task == "classify" else "accuracy")]
    found = [each for each in fitting if name in (None, each.name)]
    if not found:
        known = ", ".join(each.name for each in fitting)
        raise ValueError(f"metric must be one of {known} where the task is to {task}, got {name!r}")
    return found[0]
