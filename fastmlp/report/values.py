"""The part of a report on a regression: predicted against true values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.report.figures import plural
from fastmlp.report.frame import figure
from fastmlp.report.markup import Markup
from fastmlp.report.scatter_chart import diagonal_chart
from fastmlp.report.shell import section

_MOST_POINTS = 500


def predicted_against_true(truth: NDArray[Any], predicted: NDArray[Any]) -> Markup:
    """Return a chart of predicted over true values, all outputs together; of many, points drawn at random."""
    x, y = truth.ravel(), predicted.ravel()
    chosen = np.arange(x.size)
    note = plural(x.size, "value") + "; on the line where predictions are exact"
    if x.size > _MOST_POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(x.size, _MOST_POINTS, replace=False))
        note = f"{_MOST_POINTS} of {note}"
    chart = diagonal_chart(x[chosen].tolist(), y[chosen].tolist(), "true value", "predicted value")
    return section("Predictions", figure("Predicted against true", note, chart))
