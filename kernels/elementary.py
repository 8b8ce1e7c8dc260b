"""Elementary functions of tiles, to within a few units in the last place."""

import math

import numpy as np
from numba import types
from numba.extending import overload

from fastmlp.kernels.jit import part
from fastmlp.kernels.tile import power_of_two, rounded

LOG2_E = 1 / math.log(2)
# ln 2 in two parts, the first with few enough bits that n * LN2_HIGH is exact (Cody and Waite, 1980, chapter 6)
LN2_HIGH = 355 / 512
LN2_LOW = math.log(2) - LN2_HIGH


def exp_series(r):
    """Sum the series of e^r for |r| <= ln(2) / 2, in as many terms as the dtype of ``r`` can tell apart."""


def lowest_exponent(x):
    """Return the smallest exponent whose exp is a normal number."""


@overload(exp_series)
def _exp_series(r):
    # the first term left out is below half a unit in the last place: 0.347^8 / 8! and 0.347^14 / 14!
    last = 7 if r.dtype == types.float32 else 13
    c = tuple(1 / math.factorial(k) for k in range(last + 1))
    if last == 7:
        return lambda r: ((((((r * c[7] + c[6]) * r + c[5]) * r + c[4]) * r + c[3]) * r + c[2]) * r + c[1]) * r + c[0]

    def series(r):
        p = r * c[13] + c[12]
        p = (((p * r + c[11]) * r + c[10]) * r + c[9]) * r + c[8]
        p = (((p * r + c[7]) * r + c[6]) * r + c[5]) * r + c[4]
        return (((p * r + c[3]) * r + c[2]) * r + c[1]) * r + c[0]

    return series


@overload(lowest_exponent)
def _lowest_exponent(x):
    lowest = float(np.log(np.finfo(str(x.dtype)).tiny)) + 0.01
    return lambda x: lowest


@part
def exp(x):
    """Return e^x = 2^n e^r for a tile x <= 0 or moderate, with n = round(x / ln 2); 0 where it would be subnormal."""
    lowest = lowest_exponent(x)
    clamped = max(x, lowest)
    n = rounded(clamped * LOG2_E)
    r = clamped - n * LN2_HIGH - n * LN2_LOW
    return exp_series(r) * power_of_two(n) * (x > lowest)
