"""Every public kernel with its twin in ``naive`` and a maker of inputs: what tests and benchmarks run over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import naive
import numpy as np

from fastmlp import kernels

DTYPES = ("float32", "float64")


class Sizes(NamedTuple):
    """Rows, inputs, units, classes."""

    B: int
    D: int
    H: int
    C: int


@dataclass(frozen=True)
class Entry:
    kernel: Callable
    naive: Callable
    make: Callable  # (random, dtype, sizes) -> arguments; all numbers in [-1, 1]
    terms: Callable  # sizes -> how many terms the longest sum has
    flops: Callable  # sizes -> floating-point operations
    magnitudes: Callable = lambda s: (1.0,)  # sizes -> for each output, a bound of the terms it sums
    in_place: int | None = None  # the argument that it writes to, where it returns nothing

    @property
    def name(self):
        return self.naive.__name__

    def run(self, arguments):
        """Return (the outputs of the kernel, those of the oracle) as tuples; the arguments stay as they are."""
        if self.in_place is None:
            return _tuple(self.kernel(*arguments)), _tuple(self.naive(*arguments))
        mine, exact = list(arguments), list(arguments)
        mine[self.in_place] = arguments[self.in_place].copy()
        exact[self.in_place] = arguments[self.in_place].astype(np.float64)
        self.kernel(*mine)
        self.naive(*exact)
        return (mine[self.in_place],), (exact[self.in_place],)


def uniform(random, dtype, *shape):
    return random.uniform(-1, 1, shape).astype(dtype)


def _tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _matmul_bias(random, dtype, s):
    return uniform(random, dtype, s.B, s.D), uniform(random, dtype, s.D, s.H), uniform(random, dtype, s.H)


def _units(random, dtype, s):
    A = uniform(random, dtype, s.B, s.H)
    A[random.random(A.shape) < 0.2] = 0.0  # ReLU makes many exact zeros
    return (A,)


def _softmax_nll(random, dtype, s):
    return uniform(random, dtype, s.B, s.C), random.integers(0, s.C, s.B)


def _backward_update(random, dtype, s):
    X, G, W = (uniform(random, dtype, *shape) for shape in ((s.B, s.D), (s.B, s.H), (s.D, s.H)))
    return X, G, W, 0.5, 0.25


REGISTRY = (
    Entry(
        kernels.matmul_bias,
        naive.matmul_bias,
        _matmul_bias,
        terms=lambda s: s.D + 1,
        flops=lambda s: 2 * s.B * s.D * s.H,
    ),
    Entry(kernels.relu, naive.relu, _units, terms=lambda s: 1, flops=lambda s: s.B * s.H),
    Entry(kernels.relu_mask, naive.relu_mask, _units, terms=lambda s: 1, flops=lambda s: s.B * s.H),
    Entry(
        kernels.softmax_nll,
        naive.softmax_nll,
        _softmax_nll,
        terms=lambda s: s.C + 1,
        flops=lambda s: 5 * s.B * s.C,
        magnitudes=lambda s: (1.0, 1.0 / s.B),
    ),
    Entry(
        kernels.backward_update,
        naive.backward_update,
        _backward_update,
        terms=lambda s: s.B + 1,
        flops=lambda s: 2 * s.B * s.D * s.H,
        in_place=2,
    ),
)
