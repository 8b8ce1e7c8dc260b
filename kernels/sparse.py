"""Sparse rows: a step costs its entries, whatever the number of columns.

The entries of a minibatch are copied row by row. Forward walks through a row's entries; updating walks through a
column's, which are linked into lists: columns that the minibatch does not touch are never looked at. What an optimiser
would have done to their weights meanwhile is made up for when they are touched next (``kernels.untouched``), so for
each column it is kept how many steps its weights have seen.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.kernels.gather import Rows, gathering_address, read_only_bytes, row_number, row_soon
from fastmlp.kernels.inputs import Inputs, new_inputs
from fastmlp.kernels.jit import Choice, kernel, part
from fastmlp.kernels.prefetch import prefetch
from fastmlp.kernels.shape import BLOCK
from fastmlp.kernels.views import blocks_as_rows, line_of, matrix, matrix_of
from fastmlp.kernels.zeros import mark, unmark_rows

ROOM_ROWS, ROOM_COLUMNS, ROOM_STEPS, TOUCHED, SIZES = 0, 1, 2, 3, 16
ENTRY, STEPS = 0, 1
COLUMN, SEEN = 0, 1
END = -1
ROWS_AHEAD = 8
MOST_STEPS = 2048
"""After so many steps all weights are brought up to date: what they missed stays little enough to keep at hand."""

_INT32, _FLOAT64 = map(Choice, ("int32", "float64"))
_PRODUCTS = 4


class Lists(NamedTuple):
    """What ``Inputs.visits`` holds for sparse rows: matrices of int32, but for one."""

    sizes: np.ndarray  # (1, SIZES): the rows, columns and steps that there is room for, the number of columns touched
    products: np.ndarray  # (4, steps) float64: what weights have missed that have not been touched since a step
    starts: np.ndarray  # (1, rows + 1) where a row's entries start
    columns: np.ndarray  # (1, entries) the column of each entry
    rows: np.ndarray  # (1, entries) the row of each entry
    links: np.ndarray  # (1, entries) the next entry of the same column, or END
    heads: np.ndarray  # (columns, 2) of each column its first ENTRY, and how many STEPS its weights have seen
    touched: np.ndarray  # (columns, 2) each COLUMN of the minibatch, and how many steps its weights had SEEN


def sparse_rows_of(X, scale: float, dtype, spread: bool = False) -> Rows:
    """Describe a SciPy CSR matrix (N, D) of a kind that is READ_IN_PLACE; entries with int32 columns are not copied.

    X.data: C-contiguous; spread: whether minibatches are gathered as dense matrices, to be visited as such
    """
    columns = np.ascontiguousarray(X.indices, np.int32).view()
    columns.flags.writeable = False
    starts = np.array(X.indptr, np.int64, order="C")
    gather = gathering_address(spread_entries if spread else copy_entries, X.data.dtype, dtype)
    return Rows(read_only_bytes(X.data), starts, columns, X.shape[1], 0, scale, gather)


def most_entries(rows: Rows, count: int, repeated: bool) -> int:
    """Return the most entries that ``count`` of the rows can have between them.

    repeated: whether the same row may be among them more than once
    """
    entries = np.diff(rows.starts)
    if repeated:
        return int(entries.max()) * count
    return int(entries.sum() if count >= len(entries) else np.partition(entries, -count)[-count:].sum())


def new_lists(members: int, rows: int, columns: int, entries: int, dtype) -> Inputs:
    """Return memory for minibatches of so many rows and entries, for each member of a team.

    columns: D, or 0 where nothing will be updated
    """
    steps = MOST_STEPS if columns else 0

    def bytes_for_lists(_, room: int) -> int:
        return 4 * (SIZES + rows + 1 + 3 * room + 4 * columns) + 8 * _PRODUCTS * steps

    inputs = new_inputs(members, (1, max(1, entries)), dtype, bytes_for_lists)
    for visits in inputs.visits:
        visits[: 4 * SIZES].view(np.int32)[: ROOM_STEPS + 1] = rows, columns, steps
    return inputs


@part
def lists_of(inputs):
    """Return the lists of sparse inputs."""
    sizes = matrix_of(_INT32, inputs.visits, 0, 1, SIZES)
    rows, columns, steps = sizes[0, ROOM_ROWS], sizes[0, ROOM_COLUMNS], sizes[0, ROOM_STEPS]
    entries = inputs.X.shape[1]
    starts = SIZES + 2 * _PRODUCTS * steps
    of_entries = starts + rows + 1
    of_columns = of_entries + 3 * entries
    return Lists(
        sizes,
        matrix_of(_FLOAT64, inputs.visits, SIZES // 2, _PRODUCTS, steps),
        matrix_of(_INT32, inputs.visits, starts, 1, rows + 1),
        matrix_of(_INT32, inputs.visits, of_entries, 1, entries),
        matrix_of(_INT32, inputs.visits, of_entries + entries, 1, entries),
        matrix_of(_INT32, inputs.visits, of_entries + 2 * entries, 1, entries),
        matrix_of(_INT32, inputs.visits, of_columns, columns, 2),
        matrix_of(_INT32, inputs.visits, of_columns + 2 * columns, columns, 2),
    )


@part
def ask_for_entries(data, numbers, selection, r):
    """Ask memory for the entries of the r-th row, those selected next being counted on."""
    row = row_soon(selection, r, data.starts.size - 2)
    columns = matrix(data.columns, 0, 1, data.columns.size)
    for e in range(data.starts[row], data.starts[row + 1], line_of(columns)):
        prefetch(columns, 0, e)
        prefetch(numbers, 0, e)


@part
def column_of(data, e):
    """Return the column of entry e. Numbers were checked, but who owns them may change them while they are trained on.

    One beyond the matrix is then taken for 0: kernels write to the place of a column.
    """
    k = data.columns[e]
    return k if 0 <= k < data.inputs else 0


@kernel
def copy_entries(kind, data, selection, inputs):
    """Copy the entries of the selected rows, their numbers times ``scale``; further rows have none.

    kind: what the bytes of the data hold; data: Rows, sparse
    """
    lists, X = lists_of(inputs), inputs.X
    factor = X.dtype.type(data.scale)
    numbers = matrix_of(kind, data.data, 0, 1, data.columns.size)
    count = 0
    for r in range(selection.count):
        ask_for_entries(data, numbers, selection, r + ROWS_AHEAD)
        row = row_number(selection.order, selection.first + r)
        lists.starts[0, r] = count
        for e in range(data.starts[row], data.starts[row + 1]):
            X[0, count, 0] = X.dtype.type(numbers[0, e]) * factor
            lists.columns[0, count] = column_of(data, e)
            lists.rows[0, count] = r
            count += 1
    for r in range(selection.count, lists.starts.shape[1]):
        lists.starts[0, r] = count


@kernel
def spread_entries(kind, data, selection, inputs):
    """``inputs.X[r, :D] = scale * selected row r of the data``, zeros and all: dense rows of sparse data.

    kind, data: as for ``copy_entries``; inputs: with X (>= rows, >= D), the last block filled up with zeros; where they
    have room for bits (kernels.zeros), those of the rows are set. Entries of one place are added up.
    """
    X, marks, rows = inputs.X, inputs.visits.size > 0, selection.count
    factor = X.dtype.type(data.scale)
    numbers = matrix_of(kind, data.data, 0, 1, data.columns.size)
    blocks = blocks_as_rows(X)
    for block in range((rows + BLOCK - 1) // BLOCK):
        for n in range(blocks.shape[1]):
            blocks[block, n] = 0.0
    if marks:
        unmark_rows(inputs, rows)
    for r in range(rows):
        ask_for_entries(data, numbers, selection, r + ROWS_AHEAD)
        row = row_number(selection.order, selection.first + r)
        for e in range(data.starts[row], data.starts[row + 1]):
            k = column_of(data, e)
            X[r // BLOCK, k, r % BLOCK] += X.dtype.type(numbers[0, e]) * factor
            if marks:
                mark(inputs, r, k)


@kernel
def link_columns(inputs, rows, step):
    """Link the entries of each column, in the order of rows, and list the columns that the minibatch touches.

    step: the number of the minibatch; after it, the weights of these columns will have seen one step more
    """
    lists = lists_of(inputs)
    links, heads, touched = lists.links, lists.heads, lists.touched
    count = 0
    for e in range(lists.starts[0, rows] - 1, -1, -1):
        k = lists.columns[0, e]
        if heads[k, STEPS] != step + 1:
            touched[count, COLUMN], touched[count, SEEN] = k, heads[k, STEPS]
            heads[k, ENTRY], heads[k, STEPS] = END, step + 1
            count += 1
        links[0, e] = heads[k, ENTRY]
        heads[k, ENTRY] = e
    lists.sizes[0, TOUCHED] = count


@kernel
def touch_all(inputs):
    """List every column as touched, and let the counting of steps start again."""
    lists = lists_of(inputs)
    for k in range(lists.heads.shape[0]):
        lists.touched[k, COLUMN], lists.touched[k, SEEN] = k, lists.heads[k, STEPS]
        lists.heads[k, STEPS] = 0
    lists.sizes[0, TOUCHED] = lists.heads.shape[0]
