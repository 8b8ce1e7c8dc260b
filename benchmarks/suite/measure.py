"""How a rate is compared with the peak: in turn, several times, the best of each, as a busy machine can only slow."""

from collections.abc import Callable

from .peak import Peak

FLOOR_UNIT = "times the floor (1 = the peak of multiply-adds)"


def times_floor(measure: Callable[[], float], flop: float, peak: Peak, rounds: int = 7) -> float:
    """Return how many times as long as its multiply-adds at the peak something takes: 1 / its share of the peak.

    measure: does the work of ``flop`` operations once and returns the seconds it took; compiled before

    asv takes a larger number for a worse one, hence not the share itself.
    """
    seconds, rates = [], []
    for _ in range(rounds):
        rates.append(peak.rate())
        seconds.append(measure())
    return round(min(seconds) * max(rates) / flop, 4)
