"""The products of a first layer whose rows are bytes, as bytes: on the matrix unit (kernels.amx), or by vectors.

Weights, and gradients of weighted inputs, are split as they are multiplied, into what can be multiplied with bytes;
nobody else sees these. The results are those of ``matmul.affine`` and ``update.update``, but for rounding.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastmlp.kernels import bfloat_tiles, byte_rows, byte_tiles
from fastmlp.kernels.amx import HAS_AMX, MOST_BYTE_PRODUCTS, SIDE
from fastmlp.kernels.inputs import Inputs
from fastmlp.kernels.layout import lanes, panel_vectors, round_up
from fastmlp.kernels.split_bfloats import affine_bfloats, update_bfloats
from fastmlp.kernels.split_digits import affine_digits, update_digits
from fastmlp.kernels.split_quads import affine_quads, update_quads
from fastmlp.kernels.split_sevens import affine_sevens, update_sevens
from fastmlp.kernels.vnni import HAS_VNNI


class Way(NamedTuple):
    """How a first layer of a dtype is split."""

    new_tiles: Callable[[int, tuple[int, int], Any], Inputs]
    """Makes memory for minibatches of bytes, as ``inputs.new_inputs`` does."""
    copy: Any
    """The kernel that gathers minibatches."""
    affine: Any
    update: Any
    """The kernels that multiply."""
    fewest_columns: int
    """Of rows; shorter ones gain little or lose (measured: README)."""
    together: int
    """How many rows are multiplied at once, or as if there were so many ..."""
    of_products: float
    """... the time of fused multiply-adds that their products take (README) ..."""
    of_a_split: float
    """... and how many rows' time splitting takes."""


def _ways() -> dict[np.dtype, Way]:
    """Return how first layers are split on this processor, by their dtype."""
    digits = byte_tiles.new_tiles, byte_tiles.copy_bytes, affine_digits, update_digits
    quads = byte_rows.new_operands, byte_rows.copy_bytes, affine_quads, update_quads
    sevens = byte_rows.new_operands, byte_rows.copy_bytes, affine_sevens, update_sevens
    bfloats = bfloat_tiles.new_tiles, bfloat_tiles.copy_bfloats, affine_bfloats, update_bfloats
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    if HAS_AMX:
        return {single: Way(*bfloats, 128, 2 * SIDE, 0.25, 10.0), double: Way(*digits, 128, 2 * SIDE, 0.3, 28.0)}
    if HAS_VNNI:
        together = byte_rows.TOGETHER
        return {single: Way(*quads, 64, together, 0.76, 5.5), double: Way(*sevens, 256, together, 0.89, 8.0)}
    return {}


WAYS = _ways()


def split_time(dtype, kind: np.dtype, columns: int, units: int, rows: int) -> float:
    """Return what share of the time of fused multiply-adds it takes, infinity if it cannot be.

    dtype, units: of the layer; kind, columns, rows: of minibatches
    """
    way = WAYS.get(np.dtype(dtype))
    if way is None or kind != np.uint8 or columns < way.fewest_columns or max(columns, rows) > MOST_BYTE_PRODUCTS:
        return math.inf
    return _padding(dtype, units) * (way.of_products * round_up(rows, way.together) + way.of_a_split) / rows


def _padding(dtype, units: int) -> float:
    """Return how many times as many columns are multiplied, SIDE at once, as panels have that two threads share."""
    vectors, _ = panel_vectors(units, dtype, 2)
    together = SIDE // lanes(dtype)
    return sum(round_up(count, together) for count in vectors) / sum(vectors)
