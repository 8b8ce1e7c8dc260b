"""Activations of the hidden layers: value and derivative side by side.

``activate(choice, z)`` is the activation of a tile; ``slope(choice, a)`` its derivative, in terms of the activation
``a`` itself, so that the weighted inputs z need not be kept. Each must keep zero at zero: padding stays zero.
"""

from numba.extending import overload

from fastmlp.kernels.jit import Choice, ChoiceType, kernel
from fastmlp.kernels.tile import Shape, load, store

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
