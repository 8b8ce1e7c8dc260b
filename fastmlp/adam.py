"""Adam by sums: what its kernels are given, whose M and V are sums that decay, for its averages.

With betas m and v, Adam's averages after t steps are M / (1 + m + ... + m^(t-1)) and V / (1 + v + ... + v^(t-1))
(Kingma and Ba, 2015, section 3: the correction for having started from 0 included). As at the end of their section 2,
epsilon stands beside the root of V's average before that correction, (1 - v) V.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels.rules import Descent
from fastmlp.options import ADAM_BETAS, ADAM_EPSILON


def rates_of_sums(
    rates: NDArray[np.float64], first: int, betas: tuple[float, float] = ADAM_BETAS
) -> NDArray[np.float64]:
    """Return what M / sqrt(V), of sums, is to be multiplied by in each minibatch, given their learning rates.

    rates: (minibatches,), as what is returned; first: the number of the first of these minibatches, counted from 0
    """
    steps = np.arange(first + 1, first + len(rates) + 1)
    of_M, of_V = ((1 - beta**steps) / (1 - beta) for beta in betas)
    factored: NDArray[np.float64] = rates * np.sqrt(of_V) / of_M
    return factored


def descent_of_sums(betas: tuple[float, float] = ADAM_BETAS, epsilon: float = ADAM_EPSILON) -> Descent:
    """Return the numbers that all of Adam's steps have in common. betas, each below 1, epsilon: of its averages."""
    first_beta, second_beta = map(float, betas)
    return Descent(momentum=first_beta, second_momentum=second_beta, epsilon=epsilon / math.sqrt(1 - second_beta))
