"""A process for each system, so that no thread pool disturbs another; one trains while all others sleep.

The parent writes a line when it is a system's turn to train an epoch; the system answers with a line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
from suite.data import load
from suite.work import WORK, Work

GO, FINISH = "go\n", "finish\n"
AWAKE_SECONDS = 0.001
"""A process that uses less processor time than this in 50 ms sleeps."""

SHORT_WAIT_SECONDS = 0.1
"""In shorter waits, handing in the answer is most of the processor time used."""


class PeerError(RuntimeError):
    """A system's process ended without an answer."""


class PeerProcess:
    """The parent's end: a process that holds one system, loaded and waiting for its turns."""

    def __init__(self, peer: str, work: Work, threads: int):
        self.peer = peer
        job = json.dumps({"peer": peer, "work": work.name, "threads": threads})
        self._process = subprocess.Popen(
            [sys.executable, __file__, job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(threads),
        )

    def wait_until_ready(self) -> dict:
        """Wait until it has loaded its data and is asleep."""
        return self._answer()

    def epoch(self) -> dict:
        """Let it train an epoch; return the "seconds" it took and how many "cores" it was given."""
        return self._tell(GO)

    def finish(self) -> dict:
        """Let it end; return its "accuracy" on the test rows, its "cores_out_of_turn" and "extra" figures."""
        return self._tell(FINISH)

    def kill(self) -> None:
        self._process.kill()
        with suppress(BrokenPipeError), self._process:  # closes the pipes, one of which may hold an unread word
            pass

    def _tell(self, word: str) -> dict:
        try:
            self._process.stdin.write(word)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(f"{self.peer} ended without an answer") from None
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"{self.peer} ended without an answer")
        return json.loads(line)


def _environment(threads: int) -> dict[str, str]:
    """Return the environment with every library's own limit of threads, and OpenBLAS free to choose its kernels."""
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
    return environment | dict.fromkeys(limits, str(threads))  # NPROC is XLA's


class Turns:
    """The system's end: called when it is ready and after each epoch, hands in the time and waits for a turn."""

    def __init__(self, answers):
        self.extra: dict = {}
        self.epochs = 1  # in a turn
        self.cores_out_of_turn = 0.0
        self._answers = answers
        self._mark = None

    def __call__(self) -> bool:
        """Return whether to train another epoch."""
        seconds, cores = self._since_mark() if self._mark else (0.0, 0.0)
        _fall_asleep()
        self._set_mark()
        self.answer(seconds=seconds / self.epochs, cores=cores)
        word = sys.stdin.readline()
        if not word:  # the parent is gone
            os._exit(1)
        waited, cores = self._since_mark()
        if waited > SHORT_WAIT_SECONDS:
            self.cores_out_of_turn = max(self.cores_out_of_turn, cores)
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


def accuracy(weights: list[tuple[np.ndarray, np.ndarray]], X: np.ndarray, y: np.ndarray) -> float:
    """Return the share of rows that a network of ReLU layers gets right, computed alike for every system."""
    for W, b in weights[:-1]:
        X = np.maximum(X @ W + b, 0)
    W, b = weights[-1]
    return float(((X @ W + b).argmax(axis=1) == y).mean())


def main() -> None:
    # what libraries print must not come between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from peer_systems import PEERS

    job = json.loads(sys.argv[1])
    work = WORK[job["work"]]
    data = load(work)
    turns = Turns(answers)
    weights = PEERS[job["peer"]].train(work, data, job["threads"], turns)
    score = None if weights is None else accuracy(weights, data.X_test * data.scale, data.y_test)
    turns.answer(accuracy=score, cores_out_of_turn=turns.cores_out_of_turn, extra=turns.extra)


if __name__ == "__main__":
    main()
