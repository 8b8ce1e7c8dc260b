"""What scikit-learn's checks come to for the plainest input, found at once.

Of a fit of 200 rows for 20 epochs, scikit-learn's checks of parameters and of data take longer than the training.
Whatever is not of the plainest kind goes through them as ever.
"""

from copy import copy
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelBinarizer

from fastmlp import inputs

_VALID: set[tuple[Any, ...]] = set()


@cache
def parameter_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the parameters of a class of estimators."""
    return tuple(kind._get_param_names())


def parameters_key(estimator: Any) -> tuple[Any, ...] | None:
    """Return what tells an estimator's parameters from all others, None where they cannot be told so."""
    kind: Any = type(estimator)
    key = [kind]
    for name in parameter_names(kind):
        value = getattr(estimator, name)
        key.append(type(value))
        if name != "random_state":
            key.append(value)
        elif not (value is None or (type(value) is int and value >= 0)):
            return None
    try:
        hash(tuple(key))
    except TypeError:
        return None
    return tuple(key)


def are_known_to_be_valid(estimator: Any) -> bool:
    """Tell whether parameters like these have been found valid before."""
    return parameters_key(estimator) in _VALID


def note_valid(estimator: Any) -> None:
    """Remember that an estimator's parameters are valid."""
    key = parameters_key(estimator)
    if key is not None:
        _VALID.add(key)


def is_plain_matrix(X: Any) -> bool:
    """Tell whether X is an array (N, D) of finite numbers that needs no conversion."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in (np.float32, np.float64)
        and 0 not in X.shape
        and inputs.is_finite(X)
    )


@lru_cache(maxsize=64)
def _binarizer_of(dtype: np.dtype[Any], classes: tuple[Any, ...]) -> LabelBinarizer:
    return LabelBinarizer().fit(np.array(classes, dtype))


def plain_classes(X: Any, y: Any) -> tuple[LabelBinarizer, NDArray[np.bool_]] | None:
    """Return what scikit-learn makes of labels y (N,) of the rows X, None where its own checks must look."""
    if not (is_plain_matrix(X) and type(y) is np.ndarray and y.shape == X.shape[:1] and y.dtype.kind in "biuU"):
        return None
    classes, numbers = np.unique(y, return_inverse=True)
    if not 2 <= len(classes) <= len(y) // 2:  # scikit-learn warns of many classes
        return None
    binarizer = copy(_binarizer_of(classes.dtype, tuple(classes.tolist())))
    if len(classes) == 2:
        return binarizer, numbers[:, None] == 1
    return binarizer, numbers[:, None] == np.arange(len(classes))
