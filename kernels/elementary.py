"""Elementary functions of tiles, to within a few units in the last place."""

import math

import numpy as np
from numba import types
from numba.extending import overload

from fastmlp.kernels.jit import part
from fastmlp.kernels.shape import HAS_ESTIMATES, ZEN
from fastmlp.kernels.tile import (
    fused,
    power_of_two,
    reciprocal_estimate,
    reciprocal_root_estimate,
    rounded,
    square_root,
)

LOG2_E = 1 / math.log(2)
# ln 2 in two parts, the first with few enough bits that n * LN2_HIGH is exact (Cody and Waite, 1980, chapter 6)
LN2_HIGH = 355 / 512
LN2_LOW = math.log(2) - LN2_HIGH


def series_less_one(r):
    """Sum the series of e^r - 1 for |r| <= ln(2) / 2, in as many terms as the dtype of ``r`` can tell apart."""


def lowest_exponent(x):
    """Return the smallest exponent whose exp is a normal number."""


@overload(series_less_one)
def _series_less_one(r):
    # the first term left out is below half a unit in the last place: 0.347^8 / 8! and 0.347^14 / 14!
    last = 7 if r.dtype == types.float32 else 13
    c = tuple(1 / math.factorial(k) for k in range(last + 1))

    def to_the_seventh(r):
        p = fused(fused(r, c[7], c[6]), r, c[5])
        return fused(fused(fused(fused(p, r, c[4]), r, c[3]), r, c[2]), r, c[1]) * r

    def to_the_thirteenth(r):
        p = fused(r, c[13], c[12])
        p = fused(fused(fused(fused(p, r, c[11]), r, c[10]), r, c[9]), r, c[8])
        p = fused(fused(fused(fused(p, r, c[7]), r, c[6]), r, c[5]), r, c[4])
        return fused(fused(fused(p, r, c[3]), r, c[2]), r, c[1]) * r

    return to_the_seventh if last == 7 else to_the_thirteenth


@overload(lowest_exponent)
def _lowest_exponent(x):
    lowest = float(np.log(np.finfo(str(x.dtype)).tiny)) + 0.01
    return lambda x: lowest


def area_tangent_series(s, q):
    """Sum the series of 2 artanh s for 0 <= s <= 1/3, with q = s^2, in all the terms that its dtype can tell apart."""


@overload(area_tangent_series)
def _area_tangent_series(s, q):
    # artanh s = s + s^3 / 3 + s^5 / 5 ...; the first term left out is below (1/9)^7 / 15 and (1/9)^16 / 33 of the sum
    last = 6 if s.dtype == types.float32 else 15
    c = tuple(2 / (2 * k + 1) for k in range(last + 1))

    def to_the_thirteenth(s, q):
        p = fused(fused(fused(q, c[6], c[5]), q, c[4]), q, c[3])
        return fused(fused(fused(p, q, c[2]), q, c[1]) * q, s, s * 2.0)

    def to_the_thirty_first(s, q):
        p = fused(q, c[15], c[14])
        p = fused(fused(fused(fused(p, q, c[13]), q, c[12]), q, c[11]), q, c[10])
        p = fused(fused(fused(fused(p, q, c[9]), q, c[8]), q, c[7]), q, c[6])
        p = fused(fused(fused(fused(p, q, c[5]), q, c[4]), q, c[3]), q, c[2])
        return fused(fused(p, q, c[1]) * q, s, s * 2.0)

    return to_the_thirteenth if last == 6 else to_the_thirty_first


@part
def log_of_one_plus(x):
    """Return log(1 + x) = 2 artanh(x / (2 + x)) of a tile from 0 to 1."""
    s = x / (x + 2.0)
    return area_tangent_series(s, s * s)


@part
def _reduce(x):
    """Return (n, r) with x = n ln 2 + r, n whole and |r| <= ln(2) / 2."""
    n = rounded(x * LOG2_E)
    return n, fused(n, -LN2_LOW, fused(n, -LN2_HIGH, x))


@part
def exp(x):
    """Return e^x = 2^n e^r for a tile x <= 0 or moderate; 0 where it would be subnormal."""
    lowest = lowest_exponent(x)
    n, r = _reduce(max(x, lowest))
    return (series_less_one(r) + 1.0) * power_of_two(n) * (x > lowest)


@part
def exp_less_one(x):
    """Return e^x - 1 for a tile x <= 0 or moderate, with small relative error where x is small."""
    n, r = _reduce(max(x, lowest_exponent(x)))
    power = power_of_two(n)
    return fused(series_less_one(r), power, power - 1.0)


@part
def absolute(x):
    """Return |x| of a tile."""
    return max(x, x * -1.0)


@part
def logistic(x):
    """Return 1 / (1 + e^-x) of a tile; exactly 0 and 1 far from 0."""
    e = exp(absolute(x) * -1.0)
    positive = x > 0.0
    return ((positive * -1.0 + 1.0) * e + positive) / (e + 1.0)


@part
def tanh(x):
    """Return the hyperbolic tangent of a tile, -(e - 1) / (e + 1) with e = e^(-2 |x|), and the sign of x."""
    e = exp_less_one(absolute(x) * -2.0)
    return e / (e + 2.0) * ((x > 0.0) * -2.0 + 1.0)


def quotient(x, y):
    """Return x / y of tiles, y of normal numbers."""


def root(x):
    """Return sqrt(x) of a tile of normal numbers and zeros."""


@part
def _closer_reciprocal(x, y):
    return fused(fused(x, y, -1.0), y * -1.0, y)


# Estimates become exact by steps of Newton's, each of which doubles the bits (Markstein, 1990), or a series: a division
# and a square root of 16 numbers take a processor some 20 to 40 cycles, in which it could do as many multiply-adds


@overload(quotient)
def _quotient(x, y):
    if not HAS_ESTIMATES or ZEN:  # Zens divide while they multiply: 2% faster (README)
        return lambda x, y: x / y
    if x.dtype == types.float32:
        return lambda x, y: x * _closer_reciprocal(y, reciprocal_estimate(y))
    return lambda x, y: x * _closer_reciprocal(y, _closer_reciprocal(y, reciprocal_estimate(y)))


@overload(root)
def _root(x):
    if not HAS_ESTIMATES:
        return lambda x: square_root(x)
    # with y nearly 1 / sqrt(x), s = x y and e = s y - 1, sqrt(x) = s (1 + e)^(-1/2), whose series ends where the dtype
    # cannot tell: |e| < 2^-13. 1 / sqrt(0) would be infinite, and 0 times that not a number
    least = float(np.finfo(str(x.dtype)).tiny)

    def to_the_first(x):
        y = reciprocal_root_estimate(max(x, least))
        s = x * y
        return fused(s, fused(s, y, -1.0) * -0.5, s)

    def to_the_third(x):
        y = reciprocal_root_estimate(max(x, least))
        s = x * y
        e = fused(s, y, -1.0)
        return fused(s, fused(fused(e, -0.3125, 0.375), e, -0.5) * e, s)

    return to_the_first if x.dtype == types.float32 else to_the_third
