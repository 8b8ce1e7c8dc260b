"""How many threads this process may use."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

# A call into compiled code holds this much work for a member, a fraction of a second: Ctrl-C is heard in between
MULTIPLY_ADDS_PER_CALL = 4_000_000_000
MULTIPLY_ADDS_TO_TRY = 50_000_000  # about a millisecond: to see how long a team takes
ENVIRONMENT = ("FASTMLP_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def available_cpus() -> int:
    """Return the number of CPUs that this process may use: its affinity and its control group's quota."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # systems without affinity
        cpus = os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(cpus, cpus if quota is None else int(quota + 0.5)))


@cache
def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the CPUs' worth of time that the control group allows, None where there is no limit."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return float(quota) / float(period) if float(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max"
        return None


def thread_limit(threads: int | None) -> int:
    """Return the most threads to use: as asked, or from the environment, or all available CPUs.

    Where nothing is asked for, those who train at the same time share them: searches train several models at once, in
    threads, or in processes of a pool, each of which gets one.
    """
    if threads is not None:
        return threads
    if _is_worker_of_a_pool():
        return 1
    return max(1, _allowed() // (1 + _training.count))


def _allowed() -> int:
    for name in ENVIRONMENT:
        value = os.environ.get(name, "").split(",")[0].strip()
        if value.isdigit() and int(value) > 0:
            return min(int(value), available_cpus())
    return available_cpus()


def _is_worker_of_a_pool() -> bool:
    multiprocessing = sys.modules.get("multiprocessing")
    return multiprocessing is not None and bool(multiprocessing.current_process().daemon)


class _Training:
    """How many teams train in this process."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def change(self, by: int) -> None:
        with self._lock:
            self.count += by


_training = _Training()


@contextmanager
def training() -> Iterator[None]:
    """Count as one who trains."""
    _training.change(1)
    try:
        yield
    finally:
        _training.change(-1)
