"""What scikit-learn's checks come to for the plainest input, found at once.

Of a fit of 200 rows for 20 epochs, scikit-learn's checks of parameters and of data take longer than the training.
Whatever is not of the plainest kind goes through them as ever.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelBinarizer

from fastmlp import inputs

MOST_KNOWN = 1024
_VALID: set[tuple[Any, ...]] = set()


@cache
def parameter_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the parameters of a class of estimators."""
    return tuple(kind._get_param_names())


@cache
def _getter(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return what gets all parameters of an estimator of that class, but for random_state."""
    return attrgetter(*(name for name in parameter_names(kind) if name != "random_state"))


def _parameters_key(estimator: Any) -> tuple[Any, ...] | None:
    """Return what tells an estimator's parameters from all others, None where they cannot be told so."""
    kind: Any = type(estimator)
    values, seed = _getter(kind)(estimator), estimator.random_state
    if not (seed is None or (type(seed) is int and seed >= 0)):
        return None
    key = kind, values, tuple(map(type, values))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def are_known_to_be_valid(estimator: Any) -> bool:
    """Tell whether parameters like these have been found valid before."""
    return _parameters_key(estimator) in _VALID


def note_valid(estimator: Any) -> None:
    """Remember that an estimator's parameters are valid."""
    key = _parameters_key(estimator)
    if len(_VALID) == MOST_KNOWN:
        _VALID.clear()
    if key is not None:
        _VALID.add(key)


def is_plain_matrix(X: Any) -> bool:
    """Tell whether X is an array (N, D), or a CSR, of finite numbers that needs no conversion."""
    is_array = type(X) is np.ndarray
    if not (is_array or (inputs.is_sparse(X) and X.format == "csr")):
        return False
    if X.ndim != 2 or X.dtype not in (np.float32, np.float64) or 0 in X.shape:
        return False
    return inputs.is_finite(X if is_array else X.data[:, None])


@lru_cache(maxsize=64)
def _fitted_binarizer(dtype: np.dtype[Any], classes: tuple[Any, ...]) -> dict[str, Any]:
    return dict(vars(LabelBinarizer().fit(np.array(classes, dtype))))


def _binarizer_of(classes: NDArray[Any]) -> LabelBinarizer:
    """Return what ``LabelBinarizer().fit(classes)`` is."""
    fitted = _fitted_binarizer(classes.dtype, tuple(classes.tolist()))
    binarizer = LabelBinarizer.__new__(LabelBinarizer)
    vars(binarizer).update(fitted, classes_=classes.astype(fitted["classes_"].dtype))
    return binarizer


def _may_be_labels(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biuU" or dtype in (np.float32, np.float64)


def _distinct(labels: NDArray[Any]) -> NDArray[Any]:
    """Return what ``np.unique(labels)`` is: of many whole numbers that lie close together, in a sixth of its time."""
    if labels.dtype == np.int64:
        least, most = int(labels.min()), int(labels.max())
        if most - least < len(labels):
            return np.flatnonzero(np.bincount(labels - least)) + least
    return np.unique(labels)


def plain_classes(X: Any, y: Any) -> tuple[LabelBinarizer, NDArray[np.bool_]] | None:
    """Return what scikit-learn makes of labels y (N,) of the rows X, None where its own checks must look."""
    if not (is_plain_matrix(X) and type(y) is np.ndarray and y.shape == X.shape[:1] and _may_be_labels(y.dtype)):
        return None
    classes = _distinct(y)
    if not 2 <= len(classes) <= len(y) // 2:  # scikit-learn warns of many classes
        return None
    if y.dtype.kind == "f" and not all(map(float.is_integer, classes.tolist())):  # what is measured is no label
        return None
    return _binarizer_of(classes), y[:, None] == (classes if len(classes) > 2 else classes[1:])
