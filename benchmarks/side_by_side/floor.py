"""The floor: multiply-adds back to back, which never wait. It tells the peak, and whether the processor was free."""

from statistics import median

from suite.data import load
from suite.work import WORK

LEAST_FLOP = 1e10


def keep_busy(turns, threads: int, work: str | None = None, from_cache: bool = False) -> dict:
    """Do nothing but the multiply-adds of an epoch, at the peak; without work, some of them.

    Less than some would say nothing: starting the threads would count.

    from_cache: whether their operands come from the first cache
    """
    from suite.peak import FirstCache, Peak

    dtype = WORK[work].dtype if work else "float32"
    flop = WORK[work].flop(len(load(WORK[work]).y_train)) if work else LEAST_FLOP * threads
    peak = (FirstCache if from_cache else Peak)(dtype, threads)
    turns.units = max(1, round(LEAST_FLOP * threads / flop))
    while turns():
        peak.seconds(flop * turns.units)
    peaks = {name: Peak(name, threads) for name in ("float32", "float64")} if work and not from_cache else {}
    return {"rates": {name: median(peak.rate() for _ in range(9)) for name, peak in peaks.items()}}
