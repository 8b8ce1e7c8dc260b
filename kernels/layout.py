"""Where everything lies: layers and panels.

Sizes: N rows of data, B rows of a minibatch, D inputs, H units of a layer, C classes.

Units are dealt out in panels of 1 to 4 vector registers of columns, and weights are stored panel by panel, each a
C-ordered matrix (rows, width), so that a kernel walks through memory in one direction. One flat buffer of ``slots``
times ``size`` numbers holds every weight and bias of a network, and after them, in the same order, what the optimiser
keeps for each. Columns beyond the last unit and rows beyond the last input are padding: zero at the start, and zero
for ever, since no gradient reaches them.
"""

import itertools
from collections import namedtuple
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import from_dtype, types

from fastmlp.kernels.jit import part
from fastmlp.kernels.shape import BLOCK, LINE_BYTES, REGISTERS, VECTOR_BYTES, WORD, WORD_BYTES, Shape
from fastmlp.kernels.views import matrix

# A tile has 16 registers of sums where there are 32, enough to hide how long each takes, but at most ROWS rows: those
# of one minibatch lie apart, and each takes an address. A panel's columns are rows of the next layer, so a panel of one
# vector must have ROWS of them
ROWS = 8 if VECTOR_BYTES == 64 else 4
SUMS = 16

# How fast tiles of so many vectors are, beside the widest (measured: kernels/README.md), which come first
PANEL_EFFICIENCY = {4: 1.0, 2: 0.98, 1: 0.85} if REGISTERS == 32 else {3: 1.0, 2: 0.95, 1: 0.6}
MIXED = 1.03  # kernels of a second width must be compiled and loaded too, so they must gain that much

# Pieces of a member's work in a layer (kernels.pieces), and how many multiply-adds a member must have there: what goes
# from core to core for a piece takes microseconds, many where cores are far apart, and the slowest of two is not as far
# behind as that of more. BYTES_OF_PIECE: of its inputs, at most; half of a second cache, or less
PIECES, WORK_IN_PIECES, WORK_OF_TWO_IN_PIECES, BYTES_OF_PIECE = 8, 1_000_000, 10_000_000, 400 << 10

GAP_BYTES = 1 << 16
"""What is left between members' memory: processors fetch ahead past the end of what they read, even so far."""

HALVES = 2
"""In how many sums a layer's products may be, each of half of the inputs, so that members can share these."""


def _record(*names: str) -> np.dtype:
    return np.dtype([(name, np.int64) for name in names])


LAYER = _record(
    "inputs",  # real inputs of the layer
    "units",  # real units
    "columns",  # of all panels: units and padding
    "rows",  # stored rows of a panel: inputs and padding
    "halves",  # in how many sums its products are
    "half",  # how many inputs are in the first of them; all, if there is one
    "panels",  # how many there are
    "groups",  # of panels, one for each member or fewer, all alike
    "pieces",  # in how many work on each is done (kernels.pieces)
    "first_panel",  # where they start when those of all layers are counted
    "first_unit",  # where the columns start when those of all layers are counted
    "activations",  # where they start in the scratch buffer, in blocks; the output layer has none
    "blocks",  # how many blocks these are
    "block_columns",  # columns of each
    "block_height",  # rows of each
    "bits",  # bytes right behind the activations, for bits of what is not zero among them (kernels.active); or none
    "apart",  # from where those of half of the units start to where those of the others do, if that is elsewhere
    "gradients",  # where the gradients of the weighted inputs start there (the output layer: first its scores)
    "stride",  # columns of those of a group
    "group_rows",  # rows from those of one group to the next's: a minibatch's, and a gap
    "products",  # where those with each half of the inputs start there, then a row of zeros (kernels.halves)
    "transpose",  # from here on addresses of kernels (kernels.program)
    "mark",  # of the first layer, 0 if it visits all of its inputs
    "mark_active",  # 0 in layers that never leave out what of their inputs is zero (kernels.active)
    "catch_up",  # 0, as the two below, but for sparse inputs
    "pass_step",
    "touch_all",
    "loss",  # of the output layer, when it is trained
    "probabilities",  # of the output layer, when it predicts
    "drop",  # 0 without dropout, as the one below
    "drop_gradients",
    "train",  # of the first layer, 0 where its inputs are not shared in halves
    "apply_all",  # of the first layer, 0 where no gradients are kept: applies those of all layers
)
PANEL = _record(
    "column",  # the first of its columns in the layer
    "near",  # the half of the inputs that its owner has at hand
    "width",  # how many it has
    "vectors",  # vector registers that these are
    "weights",  # where they start in the parameters
    "biases",  # likewise
    "affine",  # from here on addresses of kernels
    "multiply",  # 0 where products are not in halves
    "multiply_half",  # 0 where inputs of the first layer are not shared, as the one below
    "add_halves",
    "backprop",
    "update",
    "update_biases",
    "apply",  # 0 where no gradients are kept: applies the rule to what is kept
    "squares",  # 0 where the sum of squared weights is not asked for
    "make_up",  # 0 but for sparse inputs
)
_Panel = namedtuple("_Panel", PANEL.names)  # the same as plain numbers, which Python reads sooner


def matrix_type(dtype) -> types.Array:
    """Return the Numba type of a C-ordered matrix."""
    return types.Array(from_dtype(np.dtype(dtype)), 2, "C")


def blocks_type(dtype) -> types.Array:
    """Return the Numba type of a matrix in blocks."""
    return types.Array(from_dtype(np.dtype(dtype)), 3, "C")


def height_of_blocks(rows: int) -> int:
    """Return how many rows a block has in a matrix of so many: a single row is not interleaved with others."""
    return min(rows, BLOCK)


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
def panel_of(network, layer, p):
    """Return the PANEL record of panel p of a layer."""
    return network.panels[layer.first_panel + p]


@part
def weights_of(network, layer, panel):
    """Return the weights (layer.rows, panel.width) of a PANEL record of a layer."""
    return Panel(network.parameters, panel.weights, layer.rows, panel.width, network.size)


@part
def biases_of(network, panel):
    """Return the biases of a PANEL record, as a panel (1, panel.width)."""
    return Panel(network.parameters, panel.biases, 1, panel.width, network.size)


@part
def columns_of_group(layer):
    """Return how many columns each group of a layer's panels has."""
    return layer.columns // layer.groups


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
def share_of_rows(count, member, members, height=ROWS):
    """Return a member's range of ``count`` rows, whole tiles of some height, or blocks, but for the last."""
    first, last = share((count + height - 1) // height, member, members)
    return first * height, min(last * height, count)


def rows_of_largest_part(rows: int, parts: int) -> int:
    """Return how many rows the largest of a minibatch's parts has, if they share its blocks."""
    return rows if parts == 1 else ceil_div(ceil_div(rows, BLOCK), parts) * BLOCK


def lanes(dtype) -> int:
    """Return how many numbers a vector register holds."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def ceil_div(count: int, divisor: int) -> int:
    """Return the quotient, rounded up."""
    return -(-count // divisor)


def round_up(count: int, multiple: int) -> int:
    """Return the smallest multiple that is not below ``count``."""
    return ceil_div(count, multiple) * multiple


def odd_lines(columns: int, dtype, height: int = 1) -> int:
    """Return a row length of an odd number of cache lines: rows then spread over all sets of a cache.

    height: of blocks, if it is these that lie one after the other
    """
    line = LINE_BYTES // np.dtype(dtype).itemsize
    lines = ceil_div(columns * height, line)
    return (lines + 1 - lines % 2) * line // height


def bytes_of_bits(rows: int, columns: int) -> int:
    """Return how many bytes the bits of so many rows and columns take (kernels.zeros)."""
    words = ceil_div(columns, WORD)
    return WORD_BYTES * (rows * words + ceil_div(rows, WORD) * words * WORD)


def gap_rows(columns: int, dtype) -> int:
    """Return how many rows of so many columns are a gap between what two members write."""
    return ceil_div(GAP_BYTES, columns * np.dtype(dtype).itemsize) if columns else 0


def panel_vectors(units: int, dtype, members: int) -> tuple[tuple[int, ...], int]:
    """Choose the widths of a layer's panels, in vectors, so that the busiest member has least to do.

    Return those of one group, and how many groups there are. Each member has a group of its own, all alike, of at most
    two widths; the last may have none. A panel's columns are rows of the next layer's tiles, so they are whole tiles.
    """
    vectors = ceil_div(units, lanes(dtype))
    widths = [width for width in PANEL_EFFICIENCY if width * lanes(dtype) % ROWS == 0]
    of_group = _widths_of(ceil_div(vectors, members), widths)
    return of_group, ceil_div(vectors, sum(of_group))


def _widths_of(vectors: int, widths: list[int]) -> tuple[int, ...]:
    """Return the widths of panels, wide ones first, that hold so many vectors or more and are computed fastest.

    widths: those to choose from, widest first
    """

    def work(panels: tuple[int, ...]) -> float:
        time = sum(width / PANEL_EFFICIENCY[width] for width in panels)
        return time * MIXED if len(set(panels)) > 1 else time

    ways = []  # of wide panels as many as fit, one more, or some fewer, whose place narrow ones fill better
    for wide, narrow in itertools.combinations_with_replacement(widths, 2):
        for count in range(max(0, vectors // wide - wide), ceil_div(vectors, wide) + 1):
            ways.append((wide,) * count + (narrow,) * ceil_div(max(0, vectors - count * wide), narrow))
    return min(ways, key=work)


class Layout(NamedTuple):
    """The layers of a network, and the sizes of the buffers they lie in."""

    layers: np.ndarray  # LAYER records, the output layer last
    panels: np.ndarray  # PANEL records, those of the first layer first
    size: int  # numbers in a slot of the parameters
    scratch: int  # numbers in the scratch buffer
    batch_rows: int
    input_columns: int  # of a minibatch, in blocks
    transposed: int  # numbers that one member needs for a transposed panel
    units: int  # of all layers, padding counted

    def panels_of(self, layer) -> np.ndarray:
        """Return the PANEL records of a layer, which may be written to."""
        return self.panels[layer["first_panel"] :][: layer["panels"]]


class _Space:
    """The numbers of a buffer, taken in turn."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, numbers: int) -> int:
        """Return where the next so many numbers begin."""
        self.size += numbers
        return self.size - numbers


def plan(
    sizes: tuple[int, ...], batch_size: int, dtype, members: int, single: bool = False, halves: tuple[bool, ...] = ()
) -> Layout:
    """Lay out a network of ``sizes`` (D, hidden units ..., C) for minibatches, or single rows, and a team.

    members: among whom units are shared; halves: of each layer, whether its products are in halves, by default in none
    """
    layers, panels = np.zeros(len(sizes) - 1, LAYER), []
    rows, start, transposed, all_columns, widest = round_up(sizes[0], ROWS), 0, 0, 0, 0
    batch_rows = batch_size if single else round_up(batch_size, ROWS)
    in_halves, scratch = halves or (False,) * len(layers), _Space()
    is_shared = members > 1 or any(halves)
    for l, layer in enumerate(layers):
        is_output = l == len(layers) - 1
        of_group, groups = panel_vectors(sizes[l + 1], dtype, 1 if is_output else members)
        own = _panels(of_group * groups, dtype, start, rows)
        columns = int(own["width"].sum())
        layer["inputs"], layer["units"], layer["rows"], layer["columns"] = sizes[l], sizes[l + 1], rows, columns
        layer["halves"], layer["half"] = (HALVES, _half_of(sizes, l, dtype)) if in_halves[l] else (1, sizes[l])
        layer["panels"], layer["first_panel"], layer["first_unit"] = len(own), sum(map(len, panels)), all_columns
        layer["groups"], layer["stride"] = groups, odd_lines(columns // groups, dtype)
        if not is_output and _is_in_pieces(batch_rows * sizes[l] * columns // members, members):
            shares = ceil_div(batch_rows * sizes[l] * np.dtype(dtype).itemsize, BYTES_OF_PIECE)
            layer["pieces"] = max(2, ceil_div(PIECES, ceil_div(len(own), members)), shares)
        else:
            layer["pieces"] = 1
        if in_halves[l] and 0 < l < len(layers) - 1:
            own["near"] = own["column"] >= _half_of(sizes, l + 1, dtype)
        if not is_output:
            apart = in_halves[l + 1] and _half_of(sizes, l + 1, dtype) in own["column"]
            _place_activations(layer, batch_rows, apart, is_shared, dtype, scratch)
            if not is_shared:
                _place_bits(layer, batch_rows, dtype, scratch)
        _place_gradients(layer, batch_rows, in_halves[l] and l == 0, is_shared, dtype, scratch)
        start += (rows + 1) * columns
        transposed = max(transposed, columns * widest)
        rows, widest = columns, int(own["width"].max())
        all_columns += columns
        panels.append(own)
    input_columns = odd_lines(round_up(sizes[0], ROWS), dtype, height_of_blocks(batch_rows))
    panels = np.concatenate(panels)
    return Layout(layers, panels, start, scratch.size, batch_rows, input_columns, transposed, all_columns)


def _is_in_pieces(work: int, members: int) -> bool:
    """Tell whether work on a layer, of so many multiply-adds for each member, is done in pieces."""
    return members > 1 and work >= (WORK_OF_TWO_IN_PIECES if members == 2 else WORK_IN_PIECES)


def _place_activations(layer, batch_rows: int, apart: bool, is_shared: bool, dtype, scratch: _Space) -> None:
    """Place a layer's activations in the scratch buffer, once for all units or for each half of them."""
    height = height_of_blocks(batch_rows)
    columns = odd_lines(int(layer["columns"]), dtype, height)
    layer["blocks"], layer["block_columns"], layer["block_height"] = batch_rows // height, columns, height
    numbers = (batch_rows + is_shared * gap_rows(columns, dtype)) * columns
    layer["apart"] = apart * numbers
    layer["activations"] = scratch.take((1 + apart) * numbers)


def _place_bits(layer, batch_rows: int, dtype, scratch: _Space) -> None:
    """Place the bits of a layer's activations right behind these, and a word of what is decided by them."""
    layer["bits"] = round_up(bytes_of_bits(batch_rows, int(layer["block_columns"])) + WORD_BYTES, LINE_BYTES)
    scratch.take(int(layer["bits"]) // np.dtype(dtype).itemsize)


def _place_gradients(layer, batch_rows: int, products: bool, is_shared: bool, dtype, scratch: _Space) -> None:
    """Place a layer's gradients in the scratch buffer, and products of both halves if they have a place."""
    layer["group_rows"] = batch_rows + is_shared * gap_rows(int(layer["stride"]), dtype)
    numbers = int(layer["groups"] * layer["group_rows"] * layer["stride"])
    layer["gradients"] = scratch.take(numbers)
    if products:
        layer["products"] = scratch.take(HALVES * numbers + int(layer["stride"]))


def _half_of(sizes: tuple[int, ...], l: int, dtype) -> int:
    """Return how many inputs of layer l the first half has, whole words of bits, or else what two members would own."""
    if l == 0:
        return ceil_div(sizes[0], WORD) // HALVES * WORD
    return min(sum(panel_vectors(sizes[l], dtype, HALVES)[0]) * lanes(dtype), sizes[l])


def _panels(vectors: tuple[int, ...], dtype, start: int, rows: int) -> np.ndarray:
    """Return records of panels of so many vectors each, whose weights (rows, width) begin at ``start``."""
    panels = np.zeros(len(vectors), PANEL)
    panels["vectors"], panels["width"] = vectors, np.multiply(vectors, lanes(dtype))
    panels["column"] = np.cumsum(panels["width"]) - panels["width"]
    panels["weights"] = start + rows * panels["column"]
    panels["biases"] = start + rows * panels["width"].sum() + panels["column"]
    return panels


def squares_of_units(plan: Layout, l: int, buffer: np.ndarray) -> np.ndarray:
    """Return of each unit of layer l (units,) the sum of its squared weights in a slot of the parameters, in float64.

    A unit's are added up in the order of its inputs, however units are laid out.
    """
    layer = plan.layers[l]
    squares = np.empty(layer["units"])
    for columns, weights, _ in _stored(plan, l, buffer):
        own = squares[columns]
        own[...] = np.square(weights[: layer["inputs"]], dtype=np.float64).sum(axis=0)[: len(own)]
    return squares


def pack(plan: Layout, l: int, buffer: np.ndarray, W: np.ndarray, b: np.ndarray, padding_bias: float) -> None:
    """Write plain weights (inputs, units) and biases (units,) of layer l to their place in a slot of the parameters."""
    for columns, weights, biases in _stored(plan, l, buffer):
        own = W[:, columns]
        weights[: len(own), : own.shape[1]] = own
        weights[len(own) :] = weights[:, own.shape[1] :] = 0.0
        biases[: own.shape[1]], biases[own.shape[1] :] = b[columns], padding_bias


def unpack(plan: Layout, l: int, buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return copies of layer l's weights (inputs, units) and biases (units,) from a slot of the parameters."""
    layer = plan.layers[l]
    W, b = np.empty((layer["inputs"], layer["units"]), buffer.dtype), np.empty(layer["units"], buffer.dtype)
    for columns, weights, biases in _stored(plan, l, buffer):
        own = W[:, columns]
        own[...] = weights[: len(own), : own.shape[1]]
        b[columns] = biases[: own.shape[1]]
    return W, b


def _stored(plan: Layout, l: int, buffer: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield the columns of each panel of layer l, its weights (rows, width) and biases (width,), as views."""
    layer = plan.layers[l]
    rows = int(layer["rows"])
    for panel in map(_Panel._make, plan.panels_of(layer).tolist()):
        weights = buffer[panel.weights : panel.weights + rows * panel.width].reshape(rows, panel.width)
        biases = buffer[panel.biases : panel.biases + panel.width]
        yield slice(panel.column, panel.column + panel.width), weights, biases
