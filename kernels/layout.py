"""Where everything lies: layers, panels and buffers.

Sizes: N rows of data, B rows of a minibatch, D inputs, H units of a layer, C classes.

Units are dealt out in panels of 1, 2 or 4 vector registers of columns, and weights are stored panel by panel, each a
C-ordered matrix (rows, width), so that a kernel walks through memory in one direction. One flat buffer of ``slots``
times ``size`` numbers holds every weight and bias of a network, and after them, in the same order, what the optimiser
keeps for each. Columns beyond the last unit and rows beyond the last input are padding: zero at the start, and zero
for ever, since no gradient reaches them.
"""

import math
import mmap
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numba import from_dtype, types

from fastmlp.kernels.jit import part
from fastmlp.kernels.tile import REGISTERS, VECTOR_BYTES, Shape, matrix

# A tile has 16 registers of sums where there are 32, enough to hide how long each takes, but at most ROWS rows: those
# of one minibatch lie apart, and each takes an address. A panel's columns are rows of the next layer, so a panel of one
# vector must have ROWS of them
ROWS = 8 if VECTOR_BYTES == 64 else 4
SUMS = 16
LINE_BYTES = 64
HUGE_PAGE, HUGE_FROM = 1 << 21, 1 << 18
GAP_BYTES = 1 << 16

# How much of the peak a tile of so many vectors reaches (measured: kernels/README.md), widest first
PANEL_EFFICIENCY = {4: 1.0, 2: 0.98, 1: 0.85} if REGISTERS == 32 else {2: 1.0, 1: 0.6}

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            "inputs",  # real inputs of the layer
            "units",  # real units
            "vectors",  # vector registers across a panel
            "width",  # columns of a panel
            "panels",
            "rows",  # stored rows of a panel: inputs and padding
            "weights",  # where the first panel starts in the parameters
            "biases",  # where the biases start
            "stride",  # columns of the layer's matrices in the scratch buffer
            "activations",  # where they start there (the output layer: its scores)
            "gradients",  # where the gradients of the weighted inputs start there
            "affine",  # addresses of the layer's kernels (kernels.program)
            "backprop",
            "update",
            "update_biases",
            "transpose",
            "mark",  # 0 in layers that visit all of their inputs
            "catch_up",  # 0, as the two below, but for sparse inputs
            "pass_step",
            "touch_all",
            "loss",  # of the output layer
            "drop",  # 0 without dropout
            "apply_all",  # of the first layer, 0 where no gradients are kept: applies those of all layers
            "apply",  # 0 likewise: applies the rule to what is kept of a panel
            "squares",  # 0 where the sum of squared weights is not asked for
            "first_unit",  # where the layer's units start when those of all layers are counted
        )
    ]
)


def matrix_type(dtype) -> types.Array:
    """Return the Numba type of a C-ordered matrix."""
    return types.Array(from_dtype(np.dtype(dtype)), 2, "C")


class Panel(NamedTuple):
    """A panel of weights, with what the optimiser keeps for each: slot s of it lies ``s * size`` further on."""

    buffer: np.ndarray
    start: int
    rows: int
    width: int
    size: int


@part
def values(panel, slot):
    """Return slot 0 (the weights) or a later one (the optimiser's) of a panel as a matrix (rows, width)."""
    return matrix(panel.buffer, panel.start + slot * panel.size, panel.rows, panel.width)


@part
def weights_of(layer, p, buffer, size):
    """Return panel p of a layer's weights."""
    return Panel(buffer, layer.weights + p * layer.rows * layer.width, layer.rows, layer.width, size)


@part
def biases_of(layer, p, buffer, size):
    """Return the biases of panel p as a panel of one row."""
    return Panel(buffer, layer.biases + p * layer.width, 1, layer.width, size)


def tile_shape(vectors: int) -> Shape:
    """Return the shape of the tiles of a panel of so many vectors, where all inputs are visited."""
    return Shape(min(ROWS, SUMS // vectors), vectors)


@part
def share(count, member, members):
    """Return the range of ``count`` things that belongs to a member of a team."""
    return count * member // members, count * (member + 1) // members


@part
def all_of(count):
    """Return the range of all of ``count`` things, in numbers that no kernel is compiled for specially, as for 0."""
    return share(count, 0, 1)


@part
def whole_tiles(rows):
    """Return so many rows, rounded up to whole tiles."""
    return (rows + ROWS - 1) // ROWS * ROWS


@part
def share_of_rows(count, member, members):
    """Return a member's range of rows, in whole tiles; the last may reach beyond ``count``."""
    first, last = share(whole_tiles(count) // ROWS, member, members)
    return first * ROWS, last * ROWS


def rows_of_largest_part(rows: int, parts: int) -> int:
    """Return how many rows the largest of a minibatch's parts has, if they share it as ``share_of_rows`` does."""
    return rows if parts == 1 else ceil_div(ceil_div(rows, ROWS), parts) * ROWS


def lanes(dtype) -> int:
    """Return how many numbers a vector register holds."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def ceil_div(count: int, divisor: int) -> int:
    """Return the quotient, rounded up."""
    return -(-count // divisor)


def round_up(count: int, multiple: int) -> int:
    """Return the smallest multiple that is not below ``count``."""
    return ceil_div(count, multiple) * multiple


def odd_lines(columns: int, dtype) -> int:
    """Return a row length of an odd number of cache lines: rows then spread over all sets of a cache."""
    line = LINE_BYTES // np.dtype(dtype).itemsize
    lines = ceil_div(columns, line)
    return (lines + 1 - lines % 2) * line


def panel_vectors(units: int, dtype, members: int) -> int:
    """Choose the width of a layer's panels, in vectors: the one with which the busiest member has least to do.

    A panel's columns are the rows of the next layer's tiles, so there are at least ROWS of them.
    """
    vectors = ceil_div(units, lanes(dtype))

    def work(width: int) -> float:
        panels = ceil_div(vectors, width)
        return ceil_div(panels, members) * width / PANEL_EFFICIENCY[width]

    return min((width for width in PANEL_EFFICIENCY if width * lanes(dtype) >= ROWS), key=work)


class Layout(NamedTuple):
    """The layers of a network, and the sizes of the buffers they lie in."""

    layers: np.ndarray  # LAYER records, the output layer last
    size: int  # numbers in a slot of the parameters
    scratch: int  # numbers in the scratch buffer
    batch_rows: int
    input_stride: int
    transposed: int  # numbers that one member needs for a transposed panel
    units: int  # of all layers, padding counted


def plan(sizes: tuple[int, ...], batch_size: int, dtype, members: int, single: bool = False) -> Layout:
    """Lay out a network of ``sizes`` (D, hidden units ..., C) for minibatches, or single rows, and a team."""
    layers = np.zeros(len(sizes) - 1, LAYER)
    rows, start, scratch, transposed, all_units = round_up(sizes[0], ROWS), 0, 0, 0, 0
    batch_rows = batch_size if single else round_up(batch_size, ROWS)
    for l, layer in enumerate(layers):
        is_output = l == len(layers) - 1
        vectors = panel_vectors(sizes[l + 1], dtype, 1 if is_output else members)
        width = vectors * lanes(dtype)
        panels = ceil_div(sizes[l + 1], width)
        stride = odd_lines(panels * width, dtype)
        matrix_size = batch_rows * stride
        layer["inputs"], layer["units"] = sizes[l], sizes[l + 1]
        layer["vectors"], layer["width"], layer["panels"], layer["rows"] = vectors, width, panels, rows
        layer["weights"], layer["biases"] = start, start + panels * rows * width
        layer["stride"] = stride
        layer["activations"] = scratch
        layer["gradients"] = scratch if is_output else scratch + matrix_size
        start += panels * (rows + 1) * width
        scratch += matrix_size * (1 if is_output else 2)
        if l:
            transposed = max(transposed, panels * width * int(layers[l - 1]["width"]))
        rows = panels * width
        layer["first_unit"] = all_units
        all_units += rows
    return Layout(layers, start, scratch, batch_rows, odd_lines(sizes[0], dtype), transposed, all_units)


def aligned(shape, dtype) -> np.ndarray:
    """Return zeros that start on a cache line, in huge pages where the system has such and it is worth it."""
    count, item = math.prod(shape), np.dtype(dtype).itemsize
    memory, boundary = _memory(count * item)
    skip = -memory.ctypes.data % boundary
    return memory[skip : skip + count * item].view(dtype).reshape(shape)


def aligned_for_each(members: int, shape, dtype) -> np.ndarray:
    """Return zeros (members, >= shape[0], ...): memory of their own for each, with a gap after each one's rows.

    Processors fetch ahead of what they read, past the end: without a gap, what another member is about to write.
    """
    row_bytes = math.prod(shape[1:]) * np.dtype(dtype).itemsize
    gap = ceil_div(GAP_BYTES, row_bytes) if members > 1 and row_bytes * shape[0] else 0
    return aligned((members, shape[0] + gap, *shape[1:]), dtype)


def _memory(size: int) -> tuple[np.ndarray, int]:
    """Return zeroed bytes in which ``size`` fit behind a boundary, and that boundary."""
    if size < HUGE_FROM or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(size + LINE_BYTES, np.uint8), LINE_BYTES
    pages = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8), HUGE_PAGE


def pack(layer, buffer: np.ndarray, W: np.ndarray, b: np.ndarray, padding_bias: float) -> None:
    """Write plain weights (inputs, units) and biases (units,) to a layer's place in a slot of the parameters."""
    weights, biases = _stored(layer, buffer)
    units = int(layer["units"])
    padded = np.zeros((int(layer["rows"]), biases.size), buffer.dtype)
    padded[: W.shape[0], :units] = W
    weights[...] = padded.reshape(padded.shape[0], len(weights), -1).swapaxes(0, 1)
    biases[:units] = b
    biases[units:] = padding_bias


def unpack(layer, buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return copies of a layer's weights (inputs, units) and biases (units,) from a slot of the parameters."""
    weights, biases = _stored(layer, buffer)
    inputs, units = int(layer["inputs"]), int(layer["units"])
    W = weights.swapaxes(0, 1)[:inputs].reshape(inputs, -1)[:, :units]
    return W.copy(), biases[:units].copy()


def _stored(layer, buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    panels, rows, width = int(layer["panels"]), int(layer["rows"]), int(layer["width"])
    weights, biases = int(layer["weights"]), int(layer["biases"])
    return buffer[weights:biases].reshape(panels, rows, width), buffer[biases : biases + panels * width]
