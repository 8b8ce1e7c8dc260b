"""A minibatch from row numbers: any kind of rows to the compute dtype, scaled. The data itself is never written to.

Data comes as the bytes of a C-ordered matrix and the address of the kernel that reads their kind, so that the epoch is
compiled once for all kinds.
"""

from typing import NamedTuple

import numpy as np
from fastmlp.kernels.jit import Choice, address_of, kernel
from fastmlp.kernels.layout import matrix_type
from fastmlp.kernels.tile import matrix_of
from numba import typeof, types

READ_IN_PLACE = {np.dtype(name): Choice(name) for name in ("uint8", "float32", "float64")}
"""The kinds of numbers that are read as they lie in memory."""

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_ORDER = types.Array(types.int64, 1, "C")
_INT = types.intp


class Rows(NamedTuple):
    """Rows of data in memory: bytes (N * D * item size,), D, the factor for inputs, the kernel that gathers them."""

    data: np.ndarray
    columns: int
    scale: float
    gather: int


def rows_of(X: np.ndarray, scale: float, dtype) -> Rows:
    """Describe a C-ordered matrix (N, D) of a kind that is READ_IN_PLACE, without a copy."""
    data = X.reshape(-1).view(np.uint8)
    data.flags.writeable = False
    kind = typeof(READ_IN_PLACE[X.dtype])
    address = address_of(copy_rows, (kind, _BYTES, _INT, types.float64, _ORDER, _INT, _INT, _INT, matrix_type(dtype)))
    return Rows(data, X.shape[1], float(scale), address)


@kernel
def copy_rows(kind, data, columns, scale, order, start, first, last, out):
    """``out[r, :D] = scale * X[order[start + r]]`` for r from first to last; an empty order stands for 0, 1, 2 ...

    kind: what the bytes hold
    order: row numbers, (0,) or (>= start + last,); out: (>= last, >= D) in the compute dtype, further columns untouched
    """
    factor = out.dtype.type(scale)
    for r in range(first, last):
        row = order[start + r] if order.size else start + r
        x = matrix_of(kind, data, row * columns, 1, columns)  # indices from 0 on are what lets this loop become vectors
        for d in range(columns):
            out[r, d] = out.dtype.type(x[0, d]) * factor
