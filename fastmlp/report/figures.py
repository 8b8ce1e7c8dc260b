"""How numbers are written for readers."""

import math


def number(value: float) -> str:
    """Four significant digits, or whole with thousands apart: 0.0823, 12,345."""
    if math.isfinite(value) and 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(value: float) -> str:
    """A share from 0 to 1 in percent, to two decimals."""
    return f"{value:.2%}"


def seconds(value: float) -> str:
    """A time in the unit that fits: 4.12 ms, 1.3 s, 3 min 20 s, 2 h 5 min."""
    if value < 0.9995:
        return f"{1000 * value:.3g} ms"
    if value < 99.95:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """The count and its noun: 1 row, 2 rows, 60,000 rows."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
