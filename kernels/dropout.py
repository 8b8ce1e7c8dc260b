"""Dropout: some numbers of a minibatch become zero, and the others grow so that the mean stays.

Srivastava et al., 2014, section 10 (the inverted form). Which numbers, is a function of the step's seed, the layer, the
row of the minibatch's part and the column, and of nothing else: a thread finds the same on the way back as on the way
there, and none has to know what the others do. The function mixes 32 bits by multiplications and shifts (the finaliser
of MurmurHash3, Appleby, 2011).
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.jit import kernel, part
from fastmlp.kernels.views import row_of

FIRST, SECOND, STRIDE = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35), np.uint32(0x9E3779B9)
_ALL = 4294967296.0  # 2^32


class Dropout(NamedTuple):
    """The probabilities with which an input, or a unit of a hidden layer, is zero for a row."""

    inputs: float = 0.0
    hidden: float = 0.0


NO_DROPOUT = Dropout()


@part
def mix(h):
    """Return 32 bits that all depend on all 32 bits of ``h``."""
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * FIRST)
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * SECOND)
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel
def drop(M, rows, j, width, rate, seed, layer):
    """Set numbers of ``M[:rows, j : j + width]`` to zero with probability ``rate``; divide the others by 1 - rate.

    M: in blocks or not; seed: a whole number below 2^32; layer: from 0, the inputs'
    """
    threshold = np.uint32(rate * _ALL)
    scale = M.dtype.type(1.0 / (1.0 - rate))
    of_layer = mix(np.uint32(np.uint32(seed) + np.uint32(layer) * STRIDE))
    for i in range(rows):
        of_row, row = mix(np.uint32(of_layer + np.uint32(i) * STRIDE)), row_of(M, i)
        for k in range(j, j + width):
            kept = mix(np.uint32(of_row + np.uint32(k) * STRIDE)) >= threshold
            row[k] = row[k] * scale if kept else M.dtype.type(0.0)
