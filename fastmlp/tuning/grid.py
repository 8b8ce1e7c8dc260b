"""The points of a grid over a space."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from fastmlp.tuning.space import Space

MOST_POINTS = 100_000
POINTS = 5
"""How many points of a range a grid has, where it has no step."""


def grid_of(space: Space, seed: int) -> list[dict[str, Any]]:
    """Return all combinations of values in a random order: all of an option's, or where they cannot be counted some.

    Raises ValueError where there are more than anybody tries.
    """
    names, values = list(space), [_points(distribution) for distribution in space.values()]
    count = math.prod(map(len, values))
    if count > MOST_POINTS:
        raise ValueError(f"space has a grid of {count:,} points, at most {MOST_POINTS:,} can be: search fewer options")
    points = [dict(zip(names, point, strict=True)) for point in product(*values)]
    order = np.random.default_rng(seed).permutation(len(points))
    return [points[i] for i in order]


def _points(distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is not None and (isinstance(low, float) or step > 1):
        return [low + i * step for i in range(int((high - low) / step + 1e-9) + 1)]
    spread = np.geomspace if distribution.log else np.linspace
    points = spread(low, high, POINTS)
    if isinstance(low, int):
        return sorted({round(float(point)) for point in points})
    return [float(min(max(point, low), high)) for point in points]
