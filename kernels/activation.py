"""Activations of the hidden layers: value and derivative side by side.

``activate(choice, z)`` is the activation of a tile of weighted inputs z. ``slope(choice, kept)`` is its derivative,
given what is kept until then: the activation, but z for those in ``KEEPS_Z``.

    identity    z
    relu        max(z, 0)
    leaky_relu  max(z, 0.01 z)                                              (Maas, Hannun and Ng, 2013, section 2)
    logistic    1 / (1 + exp(-z))
    tanh        tanh z
    silu        z logistic(z)                                               (Elfwing, Uchibe and Doya, 2018, section 2)
    gelu        z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2           (Hendrycks and Gimpel, 2016, section 2)

The scores of the output layer are its weighted inputs: OUTPUT keeps them, and hands no activations on.

Padding must stay zero: with its weights 0 and the bias of ``padding_bias``, a unit's activation is exactly 0.
"""

import math

from numba import types
from numba.extending import intrinsic, overload

from fastmlp.kernels.elementary import logistic, tanh
from fastmlp.kernels.jit import Choice, ChoiceType, entry, part
from fastmlp.kernels.tile import load, store
from fastmlp.kernels.views import lanes_of

IDENTITY, RELU, LEAKY_RELU = map(Choice, ("identity", "relu", "leaky_relu"))
LOGISTIC, TANH, SILU, GELU = map(Choice, ("logistic", "tanh", "silu", "gelu"))
OUTPUT = Choice("output")
ACTIVATIONS = (IDENTITY, LOGISTIC, TANH, RELU, LEAKY_RELU, SILU, GELU)
KEEPS_Z = (SILU, GELU, OUTPUT)
LEAK = 0.01
GELU_RATE, GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def padding_bias(choice: Choice) -> float:
    """Return the bias with which a unit that does not exist has an activation of exactly 0."""
    return -1e30 if choice is LOGISTIC else 0.0


def activate(choice, z):
    """Return the activation of the tile z."""


def slope(choice, kept):
    """Return the derivative of the activation, as a tile, given what ``to_keep`` returned."""


@intrinsic
def to_keep(typing_context, choice, z, a):
    """``to_keep(choice, z, a)``: the tile that the derivative will need, z or its activation a."""
    kept = 1 if choice.choice in KEEPS_Z else 2
    return z(choice, z, a), lambda context, builder, signature, arguments: arguments[kept]


@intrinsic
def hands_on(typing_context, choice):
    """``hands_on(choice)``: whether the layer's activations are the inputs of another."""
    is_hidden = choice.choice is not OUTPUT

    def generate(context, builder, signature, arguments):
        return context.get_constant(types.boolean, is_hidden)

    return types.boolean(choice), generate


@part
def _gelu_tanh(z):
    return tanh((z * z * GELU_CUBE + 1.0) * z * GELU_RATE)


def _gelu(choice, z):
    return (_gelu_tanh(z) + 1.0) * z * 0.5


def _gelu_slope(choice, kept):
    z, t = kept, _gelu_tanh(kept)
    return (t + 1.0) * 0.5 + (t * t * -1.0 + 1.0) * (z * z * (3.0 * GELU_CUBE) + 1.0) * z * (0.5 * GELU_RATE)


def _silu_slope(choice, kept):
    s = logistic(kept)
    return s * ((s * -1.0 + 1.0) * kept + 1.0)


_ACTIVATIONS = {
    "identity": (lambda choice, z: z, lambda choice, kept: kept * 0.0 + 1.0),
    "output": (lambda choice, z: z, None),
    "relu": (lambda choice, z: max(z, 0.0), lambda choice, kept: kept > 0.0),
    "leaky_relu": (lambda choice, z: max(z, z * LEAK), lambda choice, kept: (kept > 0.0) * (1.0 - LEAK) + LEAK),
    "logistic": (lambda choice, z: logistic(z), lambda choice, kept: kept * (kept * -1.0 + 1.0)),
    "tanh": (lambda choice, z: tanh(z), lambda choice, kept: kept * kept * -1.0 + 1.0),
    "silu": (lambda choice, z: logistic(z) * z, _silu_slope),
    "gelu": (_gelu, _gelu_slope),
}


@overload(activate)
def _activate(choice, z):
    if isinstance(choice, ChoiceType):
        return _ACTIVATIONS[choice.choice.name][0]
    return None


@overload(slope)
def _slope(choice, kept):
    if isinstance(choice, ChoiceType):
        return _ACTIVATIONS[choice.choice.name][1]
    return None


@entry
def activate_row(shape, choice, Z, A):
    """``A = activation(Z)`` for matrices (1, whole registers); shape: (1, 1)."""
    for j in range(0, Z.shape[1], lanes_of(Z)):
        store(activate(choice, load(shape, Z, 0, j)), A, 0, j)


@entry
def slope_row(shape, choice, A, out):
    """``out = activation'``, given A = activation(Z), for matrices (1, whole registers); shape: (1, 1).

    choice: none of those in KEEPS_Z
    """
    for j in range(0, A.shape[1], lanes_of(A)):
        a = load(shape, A, 0, j)
        store(slope(choice, a), out, 0, j)
