"""Axes of charts: what values they span, where a value lies on them, and their ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

_LOG_FROM = 10.0  # values that span this factor would crowd together at the foot of a linear axis
_MOST_LOG_TICKS = 7


@dataclass(frozen=True)
class Axis:
    """The values from ``low`` to ``high``, evenly spaced or by their logarithms."""

    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies: 0 at ``low``, 1 at ``high``."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, count: int = 5, whole: bool = False) -> list[float]:
        """Return about so many round values on the axis, in rising order; only whole numbers if asked for."""
        if self.is_log:
            return _log_ticks(self.low, self.high)
        step = _round_step((self.high - self.low) / count)
        if whole:
            step = max(step, 1.0)
        slack = 1e-9
        first, last = math.ceil(self.low / step - slack), math.floor(self.high / step + slack)
        return [index * step for index in range(first, last + 1)]


def axis_of(values: Iterable[float], padding: float = 0.05, may_be_log: bool = False) -> Axis:
    """Return an axis that spans all finite values, with a share of free room at both ends.

    may_be_log : by logarithms where the values are all above 0 and span a large factor
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if may_be_log and low > 0 and high >= _LOG_FROM * low:
        room = (high / low) ** padding
        return Axis(low / room, high * room, is_log=True)
    room = (high - low) * padding if high > low else abs(high) * 0.1 or 1.0
    return Axis(low - room, high + room)


def tick_labels(ticks: list[float], as_percent: bool = False) -> list[str]:
    """Return how ticks are written: all with the same decimals, where they are evenly spaced."""
    if as_percent:
        return [f"{text}%" for text in tick_labels([100 * tick for tick in ticks])]
    step = min((after - before for before, after in pairwise(ticks)), default=0.0)
    is_even = len(ticks) > 1 and math.isclose(ticks[-1] - ticks[0], step * (len(ticks) - 1), rel_tol=1e-6)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if is_even else 0
    if not is_even or decimals > 4 or max(map(abs, ticks)) >= 1e6:
        return [f"{tick:.4g}" for tick in ticks]
    return [f"{round(tick, decimals) + 0.0:.{decimals}f}" for tick in ticks]


def _round_step(at_least: float) -> float:
    """Return the smallest of ... 0.5, 1, 2, 5, 10 ... that is not smaller."""
    magnitude = 10.0 ** math.floor(math.log10(at_least))
    return next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= at_least * (1 - 1e-9))


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= _MOST_LOG_TICKS:
            return inside
    return inside[:: -(-len(inside) // _MOST_LOG_TICKS)]
