"""What a network is, apart from its numbers and from how it is trained."""

from dataclasses import dataclass

import numpy as np

from fastmlp.kernels.activation import ACTIVATIONS, Choice


@dataclass(frozen=True)
class Architecture:
    """Layers of ``sizes`` (D, hidden units ..., C), computed in ``dtype``.

    activation: of the hidden layers; loss: "softmax", "logistic", "squared_error" or "poisson" (fastmlp.kernels.losses)
    """

    sizes: tuple[int, ...]
    dtype: np.dtype[np.floating]
    activation: str = "relu"
    loss: str = "softmax"

    @property
    def activation_choice(self) -> Choice:
        """The activation, as kernels take it."""
        return next(choice for choice in ACTIVATIONS if choice.name == self.activation)
