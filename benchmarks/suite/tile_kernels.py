"""The kernels inside an epoch with memory laid out for them, as an epoch calls them: panel by panel, no copies.

They are internal: an argument that a commit's kernel does not have is left out, so that the suite can go back in time.
"""

import inspect
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import numba
import numpy as np

from fastmlp.kernels import activation, gather, layout, matmul, update, zeros

try:
    from fastmlp.kernels import rules
except ImportError:  # earlier commits have them beside the kernels
    rules = update

try:
    from fastmlp.kernels import amx, byte_tiles, split
except ImportError:  # earlier commits do not multiply bytes
    split = None

from .data import strokes
from .inside import Shape, aligned, in_blocks

BATCH, INPUTS, CLASSES = 128, 784, 10
DESCENT = {"rate": 1e-6, "decay": 1e-5, "momentum": 0.9, "second_momentum": 0.999, "epsilon": 1e-8, "shrinkage": 0.0}


def repeated(kernel, **values) -> Callable[[int], None]:
    """Return a function that calls the kernel so many times, from compiled code: Python's calls take as long."""

    @numba.njit(nogil=True, error_model="numpy")
    def run(times, *arguments):
        for _ in range(times):
            kernel(*arguments)

    names = inspect.signature(kernel.py_func).parameters
    return lambda times: run(times, *(values[name] for name in names))


def _matrix(random, dtype, rows, columns):
    """Return numbers in (-0.1, 0.1) that start on a cache line, (rows, columns), and touched."""
    matrix = aligned((rows, columns), dtype)
    matrix[...] = random.uniform(-0.1, 0.1, matrix.shape)
    return matrix


def _mark(rows, inputs) -> None:
    """Set the bits of what is not zero in a minibatch, which are these rows."""

    # earlier commits marked all columns
    columns = (0, INPUTS) if "begin" in inspect.signature(zeros.mark_row.py_func).parameters else ()

    @numba.njit(nogil=True, error_model="numpy")
    def mark_rows(rows, inputs):
        for r in range(rows.shape[0]):
            zeros.mark_row(rows, r, inputs, r, *columns)

    mark_rows(rows, inputs)
    repeated(zeros.mark_groups, inputs=inputs, rows=BATCH, step=0)(1)


def _way_to_split(dtype):
    """Return the kernels that multiply bytes by a dtype, and what makes memory for these."""
    knows_vectors = hasattr(split, "HAS_VNNI")  # earlier commits list ways for the matrix unit where there is none
    if split is None or not (amx.HAS_AMX or knows_vectors):
        raise NotImplementedError("nothing here multiplies bytes, or it was not used")
    if hasattr(split, "WAYS"):
        if np.dtype(dtype) not in split.WAYS:
            raise NotImplementedError(f"nothing here multiplies bytes by {np.dtype(dtype)}")
        return split.WAYS[np.dtype(dtype)]
    if dtype != np.float32:
        raise NotImplementedError("earlier commits multiply bytes by float32 only")
    return SimpleNamespace(
        new_tiles=byte_tiles.new_tiles,
        copy=byte_tiles.copy_bytes,
        affine=split.affine_split,
        update=split.update_split,
    )


def _tiles_of_bytes(dtype):
    """Return a minibatch of random bytes, to be multiplied as such."""
    way = _way_to_split(dtype)
    X = np.random.default_rng(0).integers(1, 256, (BATCH, INPUTS), dtype=np.uint8)
    tiles = zeros.Inputs(*(array[0] for array in way.new_tiles(1, (BATCH, INPUTS), dtype)))
    data = gather.rows_of(X, 1 / 255, dtype, way.copy)
    selection = gather.Selection(gather.NO_ORDER, 0, BATCH, 0, 0, INPUTS)
    kind = gather.READ_IN_PLACE[X.dtype]
    repeated(way.copy, kind=kind, data=data, selection=selection, inputs=tiles)(1)
    return tiles


class Scene:
    """A minibatch, a panel of weights as wide as a tile and gradients, as they lie in an epoch's memory."""

    def __init__(self, dtype, like_mnist=False, of_bytes=False):
        matrix = partial(_matrix, np.random.default_rng(0), dtype)
        vectors = max(layout.PANEL_EFFICIENCY)
        self.width, classes = vectors * layout.lanes(dtype), layout.odd_lines(CLASSES, dtype)
        if in_blocks is None:
            raise NotImplementedError("minibatches lay otherwise")
        self.shape = Shape(zeros.GROUP, vectors) if like_mnist else layout.tile_shape(vectors)
        rows = (strokes(BATCH)[0] / 255).astype(dtype) if like_mnist else matrix(BATCH, INPUTS)
        columns = layout.odd_lines(INPUTS, dtype, layout.BLOCK)
        self.inputs = zeros.Inputs(*(array[0] for array in zeros.new_bits(1, (BATCH, columns), dtype)))
        self.inputs.X[:, :INPUTS] = in_blocks(rows)
        _mark(rows, self.inputs)
        if of_bytes:
            self.inputs, self.shape = _tiles_of_bytes(dtype), layout.tile_shape(1)
        self.W, self.b = matrix(INPUTS, self.width), matrix(1, self.width)
        self.A, self.G = in_blocks(matrix(BATCH, self.width)), matrix(BATCH, layout.odd_lines(self.width, dtype))
        self.G_next, self.WT = matrix(BATCH, classes), matrix(classes, self.width)


def _affine(kernel, dtype, of_bytes=False):
    s = Scene(dtype, like_mnist=kernel is matmul.affine_nonzero, of_bytes=of_bytes)
    names = {"inputs": s.inputs, "W": s.W, "b": s.b, "A": s.A, "G": s.G, "P": s.G, "choice": activation.RELU}
    names |= {"j": 0, "first": 0, "last": BATCH, "depth": INPUTS, "begin": 0, "end": INPUTS}
    names["ahead"] = getattr(gather, "NOTHING_AHEAD", None)  # rows that earlier commits asked for meanwhile
    return repeated(kernel, shape=s.shape, **names), 2.0 * BATCH * INPUTS * s.width


def _affine_in_halves(name, dtype):
    if not hasattr(matmul, name):
        raise NotImplementedError(f"no kernel {name}")
    return _affine(getattr(matmul, name), dtype)


def _backprop(kernel, dtype):
    s = Scene(dtype)
    names = {"G_next": s.G_next, "WT": s.WT, "G": s.G, "j": 0, "depth": CLASSES, "width": CLASSES}
    names |= {"first": 0, "last": BATCH, "rows": BATCH}  # which earlier commits took
    return repeated(kernel, shape=s.shape, choice=activation.RELU, **names), 2.0 * BATCH * CLASSES * s.width


def _update(kernel, rule, dtype, of_bytes=False):
    if not hasattr(rules, rule):
        raise NotImplementedError(f"no rule {rule}")
    s = Scene(dtype, like_mnist=kernel is update.update_nonzero, of_bytes=of_bytes)
    slots = np.concatenate([s.W.reshape(-1), np.zeros(2 * s.W.size, dtype)])
    panel = layout.Panel(slots, 0, INPUTS, s.width, s.W.size)
    descent = rules.Descent(**{name: DESCENT[name] for name in rules.Descent._fields})
    names = {"inputs": s.inputs, "G": s.G, "j": 0, "panel": panel, "rule": getattr(rules, rule)}
    names |= {"first": 0, "last": INPUTS, "depth": BATCH, "descent": descent}
    return repeated(kernel, shape=s.shape, **names), 2.0 * BATCH * INPUTS * s.width


TILE_KERNELS = {
    "affine": partial(_affine, matmul.affine),
    "affine_nonzero": partial(_affine, matmul.affine_nonzero),
    "multiply": partial(_affine_in_halves, "multiply"),
    "affine_onto": partial(_affine_in_halves, "affine_onto"),
    "backprop": partial(_backprop, matmul.backprop),
    "update": partial(_update, update.update, "SGD"),
    "update_nesterov": partial(_update, update.update, "NESTEROV"),
    "update_momentum": partial(_update, update.update, "MOMENTUM"),
    "update_adam": partial(_update, update.update, "ADAM"),
    "update_nonzero": partial(_update, update.update_nonzero, "SGD"),
    "affine_split": lambda dtype: _affine(_way_to_split(dtype).affine, dtype, of_bytes=True),
    "update_split": lambda dtype: _update(_way_to_split(dtype).update, "SGD", dtype, of_bytes=True),
    "update_split_adam": lambda dtype: _update(_way_to_split(dtype).update, "ADAM", dtype, of_bytes=True),
}
"""Makers: dtype -> (run(times), floating-point operations of one time, zeros counted as any number)."""


def gather_run(X: np.ndarray, batch_size: int, dtype) -> Callable[[], None]:
    """Return a function that gathers all rows of X (N, D), in random order, a minibatch at a time."""
    if in_blocks is None:
        raise NotImplementedError("minibatches lay otherwise")
    from fastmlp.kernels.inputs import Inputs, new_matrices

    kind = gather.READ_IN_PLACE[X.dtype]
    order = np.random.default_rng(0).permutation(len(X))
    batch = new_matrices(1, (batch_size, layout.odd_lines(X.shape[1], dtype, layout.BLOCK)), dtype)
    data = gather.rows_of(X, 1 / 255, dtype)
    copy_rows, Selection = gather.copy_rows, getattr(gather, "Selection", None)
    if Selection is None:
        raise NotImplementedError("rows were gathered otherwise")
    columns = (0, X.shape[1]) if "begin" in Selection._fields else ()  # earlier commits gathered all

    @numba.njit(nogil=True, error_model="numpy")
    def run(kind, data, order, rows, batch):
        for start in range(0, len(order) - rows + 1, rows):
            copy_rows(kind, data, Selection(order, start, rows, start + rows, *columns), batch)

    own = Inputs(batch.X[0], batch.visits[0])
    return lambda: run(kind, data, order, batch_size, own)
