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
    order = np.arange(rows)
    shuffle_order(order, random.bit_generator)
    return order


def shuffle_order(order: Ints, bits: np.random.BitGenerator) -> None:
    """Shuffle row numbers (N,) in place, as ``shuffle`` of NumPy's generators does with these random bits.

    Safe from many threads: each waits until no other draws from the same generator.
    """
    with bits.lock:
        compiled_shuffle()(order, bits.ctypes.bit_generator.value, np.empty(BLOCK, np.uint32))


@cache
def compiled_shuffle() -> Any:
    """Return the kernel that shuffles, compiled or loaded from disk."""
    return entry_of(shuffle, (np.empty(0, np.int64), 0, np.empty(0, np.uint32)))
