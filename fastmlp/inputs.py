"""What comes in from users: X and y, checked once, at the boundary."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.chunks import in_chunks
from fastmlp.kernels.gather import READ_IN_PLACE, Rows, copy_rows, rows_of
from fastmlp.kernels.inputs import VISIT_ENTRIES, VISIT_SPLIT, Visiting
from fastmlp.kernels.sparse import sparse_rows_of
from fastmlp.kernels.split import WAYS


def check_X(X: Any, dtype: np.dtype[Any], name: str = "X", columns: int | None = None) -> Any:
    """Return X as ``check_matrix`` does, all of its numbers being finite. Raises ValueError where some are not."""
    matrix = check_matrix(X, dtype, name, columns)
    if not is_sparse(matrix):
        refuse_not_finite(matrix, dtype, name)
    return matrix


def check_matrix(X: Any, dtype: np.dtype[Any], name: str = "X", columns: int | None = None) -> Any:
    """Return X as a matrix (N, D) that kernels read: a C-ordered array or a SciPy CSR, without a copy where it is one.

    Raises ValueError for another number of dimensions or columns, for no rows or columns, and for entries of sparse
    matrices that are not finite numbers of ``dtype``; TypeError for what is not numeric.
    """
    if columns is not None and _is_readable_matrix(X, columns):
        return X
    sparse = is_sparse(X)
    array = X if sparse else _as_array(X, name)
    if array.dtype == object:
        array = _as_numbers(array, name)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim != 2:
        hint = "; one row is X[None, :]" if array.ndim == 1 else ""
        raise ValueError(f"{name} must have 2 dimensions (rows, inputs), got shape {array.shape}{hint}")
    if 0 in array.shape:
        raise ValueError(f"{name} must have at least one row and one column, got shape {array.shape}")
    if columns is not None and array.shape[1] != columns:
        raise ValueError(f"{name} must have {columns} columns as in training, got {array.shape[1]}")
    if sparse:
        return _as_entries(array, dtype, name)
    return np.require(_readable(array, dtype), requirements=["C", "A"])


def rows_of_matrix(matrix: Any, scale: float, dtype: Any, visiting: Visiting | None = None) -> Rows:
    """Describe a matrix, as ``check_matrix`` returns it, to kernels that multiply it by ``scale``.

    visiting: what of its inputs training visits; None for prediction
    """
    if is_sparse(matrix):
        return sparse_rows_of(matrix, scale, dtype, spread=visiting not in (None, VISIT_ENTRIES))
    return rows_of(matrix, scale, dtype, WAYS[np.dtype(dtype)].copy if visiting == VISIT_SPLIT else copy_rows)


def _is_readable_matrix(X: object, columns: int) -> bool:
    """Tell at once of what needs no further look, as one row that is predicted must not wait for looking."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == columns
        and len(X) > 0
        and X.dtype in READ_IN_PLACE
        and X.flags.carray
    )


def is_sparse(X: object) -> bool:
    """Tell whether X is a matrix or array of scipy.sparse, which need not be imported for that."""
    if isinstance(X, np.ndarray):
        return False
    return any(kind.__module__.startswith("scipy.sparse") for kind in type(X).__mro__)


def _readable(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers of a kind that is read in place, in this machine's order of bytes."""
    native = array.dtype.newbyteorder("=")
    return array.astype(native if native in READ_IN_PLACE else dtype, copy=False)


def _as_entries(matrix: Any, dtype: np.dtype[Any], name: str) -> Any:
    if matrix.shape[1] > np.iinfo(np.int32).max:
        raise ValueError(f"{name} must have at most {np.iinfo(np.int32).max} columns, got {matrix.shape[1]}")
    refuse_broken(matrix, name)
    csr = matrix.tocsr()
    if csr is not matrix:  # other kinds hold what only their conversion shows
        refuse_broken(csr, name)
    data = np.ascontiguousarray(_readable(csr.data, dtype))
    if data.dtype.kind == "f" and (bad := _first_not_finite(data[:, None], dtype)) is not None:
        entry = bad[0]
        row = int(np.searchsorted(csr.indptr, entry, side="right")) - 1
        raise ValueError(_not_finite(name, data[entry], row, csr.indices[entry], dtype))
    return csr if data is csr.data else type(csr)((data, csr.indices, csr.indptr), shape=csr.shape)


def refuse_broken(X: Any, name: str = "X") -> None:
    """Raise ValueError where rows or columns that a sparse matrix names are not its own: to read these would crash."""
    if not is_sparse(X):
        return
    try:
        if X.format == "coo":
            type(X)((X.data, X.coords), shape=X.shape)
        elif hasattr(X, "check_format"):
            X.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{name} must be a valid sparse matrix: {error}") from None


def _as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} must be an array: {error}") from None


def _as_numbers(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold real numbers: {error}") from None


def refuse_not_finite(array: NDArray[Any], dtype: np.dtype[Any], name: str = "X") -> None:
    """Raise ValueError where a number of a matrix (N, D) is not a finite one of ``dtype``, and say where."""
    if array.dtype.kind != "f":
        return
    bad = _first_not_finite(array, dtype)
    if bad is not None:
        raise ValueError(_not_finite(name, array[bad], *bad, dtype))


def is_finite(array: NDArray[Any]) -> bool:
    """Tell whether all numbers of a matrix (N, D) are finite, at the speed of reading."""
    return _first_not_finite(array, array.dtype) is None


def _first_not_finite(array: NDArray[Any], dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Return row and column of the first number that is not finite in ``dtype``, None if there is none.

    A few rows are looked at at a time, which needs no memory of the size of the array.
    """
    limit = np.finfo(dtype).max

    def first_of(rows: slice) -> tuple[int, int] | None:
        part = array[rows]
        if array.dtype == dtype and _has_finite_sum(part):
            return None
        good = np.abs(part) <= limit  # false for NaN too
        if good.all():
            return None
        row, column = np.argwhere(~good)[0]
        return rows.start + int(row), int(column)

    return next(filter(None, in_chunks(first_of, array)), None)


def _not_finite(name: str, value: Any, row: int, column: int, dtype: np.dtype[Any]) -> str:
    kind = f"a number beyond {dtype}" if np.isfinite(value) else "NaN or infinity"
    return f"{name} must be finite: {kind} ({value}) at row {row}, column {column}"


def _has_finite_sum(part: NDArray[Any]) -> bool:
    """Tell, at the speed of reading, that nothing can be NaN or infinite; False says nothing: sums may overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.einsum("ij->", part)))  # in half of the time that part.sum() takes


def check_y(y: ArrayLike, rows: int, name: str = "y") -> NDArray[Any]:
    """Return labels as an array (N,). Raises ValueError or TypeError for anything but one label for each row."""
    labels = _as_array(y, name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension (one label a row), got shape {labels.shape}")
    if len(labels) != rows:
        raise ValueError(f"{name} must have a label for each of the {rows} rows, got {len(labels)}")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise ValueError(f"{name} must not hold NaN or infinity")
        if (labels != np.floor(labels)).any():
            raise ValueError(f"{name} must hold class labels (integers or strings), got fractions")
    elif labels.dtype.kind == "O":
        kinds = {str if isinstance(label, str) else type(label) for label in labels}
        if len(kinds) > 1 or not issubclass(kinds.pop(), str | int | np.integer):
            got = ", ".join(sorted({type(label).__name__ for label in labels}))
            raise TypeError(f"{name} must hold labels of one type, integers or strings, got {got}")
    elif labels.dtype.kind not in "buiUS":
        raise TypeError(f"{name} must hold integers or strings, got dtype {labels.dtype}")
    return labels


def check_values(y: ArrayLike, rows: int, name: str = "y") -> NDArray[np.float64]:
    """Return values as an array (N, outputs). Raises ValueError or TypeError for anything but finite numbers."""
    values = _as_array(y, name)
    if values.dtype == object:
        values = _as_numbers(values, name)
    if values.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold real numbers, got dtype {values.dtype}")
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise ValueError(f"{name} must have shape (rows,) or (rows, outputs), got {values.shape}")
    if len(values) != rows:
        raise ValueError(f"{name} must have values for each of the {rows} rows, got {len(values)}")
    matrix = values.astype(np.float64).reshape(rows, -1)
    refuse_not_finite(matrix, matrix.dtype, name)
    return matrix


def check_weights(weights: ArrayLike | None, rows: int) -> NDArray[np.float64]:
    """Return the weights of rows (N,), or (0,) for None: all count 1. Raises ValueError for what cannot be weights."""
    if weights is None:
        return np.zeros(0)
    checked = check_values(weights, rows, "sample_weight")
    if checked.shape[1] != 1:
        raise ValueError(f"sample_weight must have one weight a row, got {checked.shape[1]}")
    if (checked < 0).any() or not checked.any():
        raise ValueError("sample_weight must hold no negative number, and some above 0")
    return checked[:, 0]


def find_classes(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes and the class number of each label. Raises ValueError for fewer than two classes."""
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least 2 classes, got only {classes.tolist()[0]!r}")
    return classes, numbers.astype(np.int64)


def class_numbers(labels: NDArray[Any], classes: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Return the class number of each label. Raises ValueError for a label that training has not seen."""
    unseen = np.setdiff1d(labels, classes)
    if len(unseen):
        shown = ", ".join(map(repr, unseen[:5].tolist()))
        raise ValueError(f"{name} holds labels that training has not seen: {shown}")
    return np.searchsorted(classes, labels).astype(np.int64)


def check_callbacks(callbacks: Any) -> tuple[Callable[[Any], object], ...]:
    """Return the callbacks. Raises TypeError for anything but a sequence of what can be called."""
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a sequence of functions, got {callbacks!r}")
    checked = tuple(callbacks)
    for callback in checked:
        if not callable(callback):
            raise TypeError(f"callbacks must be functions of an epoch's figures, got {callback!r}")
    return checked
