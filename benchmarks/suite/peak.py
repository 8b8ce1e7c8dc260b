"""The peak: fused multiply-adds back to back in registers, and nothing else. Rates are quoted as shares of it."""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import numba
import numpy as np

from fastmlp.kernels.tile import REGISTERS, VECTOR_BYTES, Shape, outer, store, zeros

# as many accumulators as hide the latency of a multiply-add and still leave registers for its operands
ROWS, VECTORS = (4, 4) if REGISTERS == 32 else (4, 2)


@numba.njit(nogil=True)
def multiply_adds(shape, X, W, times, out):
    """``out = times * (X outer W)``: X (ROWS, 1) and W (1, width) are read once, all else happens in registers."""
    total = zeros(shape, X)
    for _ in range(times):
        total = outer(total, X, 0, 0, W, 0, 0)
    store(total, out, 0, 0)


class Peak:
    """So many threads that multiply and add at once, compiled and ready."""

    def __init__(self, dtype: str, threads: int):
        lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
        self._flop_each = 2 * ROWS * VECTORS * lanes
        self._threads = threads
        self._X, self._W = (np.full(shape, 1e-3, dtype) for shape in ((ROWS, 1), (1, VECTORS * lanes)))
        self._outs = [np.zeros((ROWS, VECTORS * lanes), dtype) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads)
        self.seconds(1e8)  # compiles, and starts the threads

    def seconds(self, flop: float) -> float:
        """Return the time that so many operations take, shared among all threads."""
        times = max(1, round(flop / self._flop_each / self._threads))
        began = time.perf_counter()
        running = [
            self._pool.submit(multiply_adds, Shape(ROWS, VECTORS), self._X, self._W, times, out) for out in self._outs
        ]
        wait(running)
        return time.perf_counter() - began

    def rate(self) -> float:
        """Return operations a second, over long enough that starting the threads does not count."""
        flop = 4e9 * self._threads
        return flop / self.seconds(flop)
