"""In which order an epoch visits the rows."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels.jit import entry_of
from fastmlp.kernels.shuffle import BLOCK, shuffle

Ints = NDArray[np.int64]


def epoch_order(random: np.random.Generator, rows: int, sampling: str) -> Ints:
    """Return ``rows`` row numbers: each once ("shuffle"), or drawn with replacement ("choice")."""
    if sampling == "choice":
        return random.integers(0, rows, rows)
    return shuffled_orders(np.arange(rows), 1, random.bit_generator).reshape(-1)


def shuffled_orders(order: Ints, count: int, bits: np.random.BitGenerator) -> Ints:
    """Return the orders (count, N) of so many epochs: ``order`` (N,) shuffled, that shuffled again, and so on.

    Each is what ``shuffle`` of NumPy's generators makes of the one before with these random bits. Safe from many
    threads: each waits until no other draws from the same generator.
    """
    orders = np.empty((count, len(order)), np.int64)
    orders[0] = order
    with bits.lock:
        compiled_shuffle()(orders, bits.ctypes.bit_generator.value, np.empty(BLOCK, np.uint32))
    return orders


@cache
def compiled_shuffle() -> Any:
    """Return the kernel that shuffles, compiled or loaded from disk."""
    return entry_of(shuffle, (np.empty((0, 0), np.int64), 0, np.empty(0, np.uint32)))
