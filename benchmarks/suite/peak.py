"""The peak: fused multiply-adds back to back in registers, and nothing else. Rates are quoted as shares of it.

And how near to it a tile comes that reads its operands from the first cache, as every product of matrices has to.
"""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import numba
import numpy as np

from fastmlp.kernels import layout
from fastmlp.kernels.tile import outer, store, zeros

from .inside import REGISTERS, VECTOR_BYTES, Shape, aligned, in_blocks

DEPTH = 64
"""Columns of a tile's operands in the first cache, 17 kB of it with the widest registers."""


@numba.njit(nogil=True)
def multiply_adds(shape, X, W, times, out):
    """``out = times * (X outer W)``: X (rows, 1) and W (1, width) are read once, all else happens in registers."""
    total = zeros(shape, out)
    for _ in range(times):
        total = outer(total, X, 0, 0, W, 0, 0)
    store(total, out, 0, 0)


@numba.njit(nogil=True)
def add_products(shape, X, W, times, out):
    """``out = times * X W``: X (rows, depth), in blocks, and W (depth, width) are read each time."""
    total = zeros(shape, out)
    for _ in range(times):
        for k in range(W.shape[0]):
            total = outer(total, X, 0, k, W, k, 0)
    store(total, out, 0, 0)


class Peak:
    """So many threads that multiply and add at once, compiled and ready."""

    kernel = multiply_adds

    def __init__(self, dtype: str, threads: int):
        self._threads = threads
        self._shape, self._X, self._W = self.operands(np.dtype(dtype))
        depth, width = self._W.shape
        self._flop_each = 2 * self._shape.rows * depth * width
        self._outs = [np.zeros((self._shape.rows, width), dtype) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads)
        self.seconds(1e8)  # compiles, and starts the threads

    def operands(self, dtype: np.dtype) -> tuple[Shape, np.ndarray, np.ndarray]:
        """Return the shape of the tile, and what it is the product of."""
        # more sums than two multipliers begin while one takes its four cycles, and registers left for the operands
        rows, vectors = (4, 4) if REGISTERS == 32 else (3, 3)
        return Shape(rows, vectors), np.full((rows, 1), 1e-3, dtype), np.full((1, _width(vectors, dtype)), 1e-3, dtype)

    def seconds(self, flop: float) -> float:
        """Return the time that so many operations take, shared among all threads."""
        times = max(1, round(flop / self._flop_each / self._threads))
        multiply, operands = type(self).kernel, (self._shape, self._X, self._W, times)
        began = time.perf_counter()
        wait([self._pool.submit(multiply, *operands, out) for out in self._outs])
        return time.perf_counter() - began

    def rate(self) -> float:
        """Return operations a second, over long enough that starting the threads does not count."""
        flop = 4e9 * self._threads
        return flop / self.seconds(flop)


class FirstCache(Peak):
    """The same, but for operands that lie in the first cache, as kernels have them at best."""

    kernel = add_products

    def operands(self, dtype: np.dtype) -> tuple[Shape, np.ndarray, np.ndarray]:
        """Return the shape of the widest tile, and what it is the product of."""
        vectors = max(layout.PANEL_EFFICIENCY)
        shape = layout.tile_shape(vectors)
        X = in_blocks(np.full((shape.rows, DEPTH), 1e-3, dtype))
        W = aligned((DEPTH, _width(vectors, dtype)), dtype)
        W[...] = 1e-3
        return shape, X, W


def _width(vectors: int, dtype: np.dtype) -> int:
    return vectors * VECTOR_BYTES // dtype.itemsize
