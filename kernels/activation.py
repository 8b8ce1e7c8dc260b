"""Activations of the hidden layers: value and derivative side by side.

``activate(choice, z)`` is the activation of a tile; ``slope(choice, a)`` its derivative, in terms of the activation
``a`` itself, so that the weighted inputs z need not be kept. Each must keep zero at zero: padding stays zero.
"""

from numba.extending import overload

from fastmlp.kernels.jit import Choice, ChoiceType, entry
from fastmlp.kernels.tile import VECTOR_BYTES, load, store

IDENTITY = Choice("identity")
RELU = Choice("relu")


def activate(choice, z):
    """Return the activation of the tile z."""


def slope(choice, a):
    """Return the derivative of the activation, given its value ``a``, as a tile."""


_ACTIVATIONS = {
    "identity": (lambda choice, z: z, lambda choice, a: a * 0.0 + 1.0),
    "relu": (lambda choice, z: max(z, 0.0), lambda choice, a: a > 0.0),
}


@overload(activate)
def _activate(choice, z):
    if isinstance(choice, ChoiceType):
        return _ACTIVATIONS[choice.choice.name][0]
    return None


@overload(slope)
def _slope(choice, a):
    if isinstance(choice, ChoiceType):
        return _ACTIVATIONS[choice.choice.name][1]
    return None


@entry
def activate_row(shape, choice, Z, A):
    """``A = activation(Z)`` for matrices (1, whole registers); shape: (1, 1)."""
    for j in range(0, Z.shape[1], VECTOR_BYTES // Z.itemsize):
        store(activate(choice, load(shape, Z, 0, j)), A, 0, j)


@entry
def slope_row(shape, choice, A, out):
    """``out = activation'``, given A = activation(Z), for matrices (1, whole registers); shape: (1, 1)."""
    for j in range(0, A.shape[1], VECTOR_BYTES // A.itemsize):
        store(slope(choice, load(shape, A, 0, j)), out, 0, j)
