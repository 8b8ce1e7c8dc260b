"""How long threads take to meet, as those of a team do several times a minibatch: it tells how far apart cores are."""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import numba

from fastmlp.kernels.team import meet, new_team


@numba.njit(nogil=True)
def meet_often(team, member, members, times):
    """Meet so often, as one of so many members of a team."""
    for _ in range(times):
        meet(team, member, members)


class Meetings:
    """So many threads that do nothing but meet, compiled and ready."""

    def __init__(self, threads: int):
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)
        self.seconds(10)  # compiles, and starts the threads

    def seconds(self, times: int) -> float:
        """Return the time that so many meetings take."""
        team = new_team(self._threads)
        began = time.perf_counter()
        wait([self._pool.submit(meet_often, team, member, self._threads, times) for member in range(self._threads)])
        return time.perf_counter() - began
