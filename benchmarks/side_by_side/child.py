"""A process that holds one system: python -m side_by_side.child JOB, started by ``process.py``."""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

from .process import GO

AWAKE_SECONDS = 0.001
"""A process that uses less processor time than this in 50 ms sleeps."""

SHORT_WAIT_SECONDS = 0.1
"""In shorter waits, handing in the answer is most of the processor time used."""


class Turns:
    """Called when the system is ready and after each lap; after a turn, hands in the time and waits for the next.

    laps: how many a turn has, so that it does not end before the processor is at its full clock
    units: calls or whatever a lap has several of; the time is that of one
    figures: further ones of the last turn, by name
    """

    def __init__(self, answers):
        self.laps = 1
        self.units = 1
        self.figures: dict[str, float] = {}
        self.cores_out_of_turn = 0.0
        self._answers = answers
        self._mark = None
        self._laps_left = 0

    def __call__(self) -> bool:
        """Return whether to go on."""
        if self._laps_left > 1:
            self._laps_left -= 1
            return True
        seconds, cores = self._since_mark() if self._mark else (0.0, 0.0)
        _fall_asleep()
        self._set_mark()
        self.answer(seconds=seconds / self.units / self.laps, cores=cores, **self.figures)
        word = sys.stdin.readline()
        if not word:  # the parent is gone
            os._exit(1)
        waited, cores = self._since_mark()
        if waited > SHORT_WAIT_SECONDS:
            self.cores_out_of_turn = max(self.cores_out_of_turn, cores)
        self._laps_left = self.laps
        self._set_mark()
        return word == GO

    def _set_mark(self) -> None:
        self._mark = time.perf_counter(), time.process_time()

    def _since_mark(self) -> tuple[float, float]:
        """Return seconds since the mark, and how many cores this process kept busy."""
        seconds, used = time.perf_counter() - self._mark[0], time.process_time() - self._mark[1]
        return seconds, used / seconds

    def answer(self, **values) -> None:
        print(json.dumps(values), file=self._answers, flush=True)


def _fall_asleep() -> None:
    """Return when all threads of this process have stopped spinning, as those of OpenMP and OpenBLAS do at first."""
    deadline = time.perf_counter() + 5
    while time.perf_counter() < deadline:
        used = time.process_time()
        time.sleep(0.05)
        if time.process_time() - used < AWAKE_SECONDS:
            return


def peak_bytes() -> float | None:
    """Return the most memory this process has had; None where the system does not tell."""
    try:  # getrusage would also count what the parent had when it started this process
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * int(line.split()[1])
    except OSError:
        pass
    return None


def main() -> None:
    # what libraries print must not come between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    turns = Turns(answers)
    job = json.loads(sys.argv[1])
    try:
        function = getattr(importlib.import_module(job["module"]), job["function"])
        turns.answer(**function(turns, **job["arguments"]), cores_out_of_turn=turns.cores_out_of_turn)
    except Exception as error:
        traceback.print_exc()
        turns.answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
