"""The products of a first layer whose rows are bytes, on the matrix unit (kernels.amx).

Weights, and gradients of weighted inputs, are split as they are multiplied, into what the unit takes; nobody else sees
these. The results are those of ``matmul.affine`` and ``update.update``, but for rounding.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastmlp.kernels import bfloat_tiles, byte_tiles
from fastmlp.kernels.amx import HAS_AMX, MOST_BYTE_PRODUCTS, SIDE
from fastmlp.kernels.inputs import Inputs
from fastmlp.kernels.layout import round_up
from fastmlp.kernels.split_bfloats import affine_bfloats, update_bfloats
from fastmlp.kernels.split_digits import affine_digits, update_digits

FEWEST_COLUMNS = 128
"""Of rows; shorter ones gain little with one thread and lose with two (measured: README)."""


class Way(NamedTuple):
    """How a first layer of a dtype is split."""

    new_tiles: Callable[[int, tuple[int, int], Any], Inputs]
    """Makes memory for minibatches of bytes, as ``inputs.new_inputs`` does."""
    copy: Any
    """The kernel that gathers minibatches."""
    affine: Any
    update: Any
    """The kernels that multiply."""
    of_products: float
    """The time of fused multiply-adds that the unit's products take (README) ..."""
    of_a_split: float
    """... and how many rows' time splitting takes."""


WAYS = {
    np.dtype(np.float32): Way(
        bfloat_tiles.new_tiles, bfloat_tiles.copy_bfloats, affine_bfloats, update_bfloats, 0.25, 10.0
    ),
    np.dtype(np.float64): Way(byte_tiles.new_tiles, byte_tiles.copy_bytes, affine_digits, update_digits, 0.3, 28.0),
}


def can_be_split(kind: np.dtype, columns: int, rows: int) -> bool:
    """Tell whether a network may be trained so on minibatches of so many rows of so many numbers of a kind."""
    return HAS_AMX and kind == np.uint8 and columns >= FEWEST_COLUMNS and max(columns, rows) <= MOST_BYTE_PRODUCTS


def split_time(rows: int, dtype) -> float:
    """Return what share of the time of fused multiply-adds it takes, for minibatches of so many rows."""
    way = WAYS[np.dtype(dtype)]
    return (way.of_products * round_up(rows, 2 * SIDE) + way.of_a_split) / rows
