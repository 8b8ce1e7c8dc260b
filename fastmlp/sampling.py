"""In which order an epoch visits the rows."""

import numpy as np
from numpy.typing import NDArray


def epoch_order(random: np.random.Generator, rows: int, sampling: str) -> NDArray[np.int64]:
    """Return ``rows`` row numbers: each once ("shuffle"), or drawn with replacement ("choice")."""
    if sampling == "choice":
        return random.integers(0, rows, rows)
    return random.permutation(rows)
