"""What a column to be predicted holds, found out from as many pieces of it as there are: the task, classes, units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import DataError

Say = Callable[[str], object]

MOST_CLASSES = 20
"""Whole numbers with at most so many different values are taken for classes."""
MOST_LABELS = 100_000


@dataclass(frozen=True)
class Target:
    """What is to be predicted. labels: of the classes, in order; mean, scale: what brings values to variance 1."""

    task: str
    labels: tuple[int | str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    def encoded(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return what a Trainer learns: labels as they are, values standardised."""
        return y if self.task == "classify" else (y - self.mean) / self.scale

    def refuse_unseen(self, y: NDArray[Any], which: str) -> None:
        """Raise DataError where there are labels that training has not seen."""
        if self.task == "classify":
            unseen = np.setdiff1d(y, np.asarray(self.labels)).tolist()
            if unseen:
                shown = ", ".join(map(repr, unseen[:5]))
                raise DataError(f"the {which} hold classes that training has not seen: {shown}")


@dataclass
class Survey:
    """Looks at pieces of a target column."""

    name: str  # of where it comes from
    labels: NDArray[Any] | None = None
    kinds: set[str] = field(default_factory=set)
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    is_finite: bool = True

    def add(self, y: NDArray[Any], is_trained_on: NDArray[np.bool_]) -> None:
        """Look at some more of it; the mean and the scale are those of what is trained on."""
        self.kinds.add(y.dtype.kind)
        if y.dtype.kind != "f" and (self.labels is None or len(self.labels) <= MOST_LABELS):
            found = np.unique(y)
            self.labels = found if self.labels is None else np.union1d(self.labels, found)
        if y.dtype.kind in "iuf":
            values = y[is_trained_on].astype(np.float64)
            self.is_finite &= bool(np.isfinite(y).all())
            mean = values.mean() if len(values) else 0.0
            self._join(len(values), float(mean), float(np.square(values - mean).sum()))

    def _join(self, count: int, mean: float, squares: float) -> None:
        """Add the sums of other values (Chan, Golub and LeVeque, 1983, equation 2.1: nothing is lost by cancelling)."""
        both = self.count + count
        if both:
            step = mean - self.mean
            self.squares += squares + step * step * self.count * count / both
            self.mean += step * count / both
        self.count = both

    def task(self, asked: str | None, say: Say | None) -> str:
        """Return the task: as asked, else text and few different whole numbers are classes, other numbers values.

        say : told what was guessed, unless nobody needs to know
        """
        if asked is not None:
            return asked
        different = 0 if self.labels is None else len(self.labels)
        is_fractions, is_text = "f" in self.kinds, bool(self.kinds & set("USO"))
        guess = "regress" if is_fractions or (not is_text and different > MOST_CLASSES) else "classify"
        what = "text" if is_text else "fractions" if is_fractions else f"{different} different whole numbers"
        if say is not None:
            say(f"task: {guess}, as the target holds {what} (--task says otherwise)")
        return guess

    def target(self, task: str) -> Target:
        """Return what is to be learned. Raises DataError where that cannot be."""
        return self._values() if task == "regress" else self._classes()

    def _values(self) -> Target:
        if not self.kinds <= set("iuf"):
            raise DataError(f"{self.name}: task 'regress' needs numbers as the target, got text")
        if not self.is_finite:
            raise DataError(f"{self.name}: the target must be finite")
        deviation = float(np.sqrt(self.squares / max(1, self.count)))
        return Target("regress", (), self.mean, deviation or 1.0)

    def _classes(self) -> Target:
        if self.labels is None or "f" in self.kinds:
            raise DataError(f"{self.name}: task 'classify' needs text or whole numbers as the target, got fractions")
        labels = tuple(self.labels.tolist())
        if len(labels) < 2:
            raise DataError(
                f"{self.name}: the target holds only one class, {labels[0]!r}: there is nothing to tell it from"
            )
        return Target("classify", labels)
