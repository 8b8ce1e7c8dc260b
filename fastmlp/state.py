"""A training to be gone on with later, as plain numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.history import History


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands after a whole epoch.

    slots: the parameters W1, b1, W2 ..., then likewise what the optimiser keeps for each of them
    random: the state of NumPy's bit generator; steps: how many minibatches were trained
    """

    slots: tuple[Mapping[str, NDArray[np.floating]], ...]
    random: Mapping[str, Any]
    steps: int
    history: History
