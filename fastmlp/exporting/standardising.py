"""What the preparation of numbers has learnt: scikit-learn's SimpleImputer and StandardScaler, as plain arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Standardising:
    """How numbers (N, D) are prepared: filled in, some with an indicator of what was missing behind them, standardised.

    fill: (D,) what stands in for a missing number, NaN where training has seen none: such a column is left out
    indicators: columns whose missing numbers are indicated; mean, scale: of the columns kept and of the indicators
    """

    fill: NDArray[np.float64]
    indicators: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @property
    def kept(self) -> NDArray[np.int64]:
        """The columns that are not left out."""
        return np.flatnonzero(~np.isnan(self.fill))


def standardising_of(pipeline: Any) -> Standardising:
    """Return what a fitted pipeline has learnt."""
    imputer, scaler = (step for _, step in pipeline.steps)
    indicators = np.asarray(imputer.indicator_.features_, np.int64)
    return Standardising(np.asarray(imputer.statistics_, np.float64), indicators, scaler.mean_, scaler.scale_)


def is_scaler(transformer: Any) -> bool:
    """Tell whether a transformer only divides by its ``scale_``, as that of sparse numbers does."""
    from sklearn.preprocessing import MaxAbsScaler

    return isinstance(transformer, MaxAbsScaler)
