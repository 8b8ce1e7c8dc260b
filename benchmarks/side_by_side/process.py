"""A process for each system, so that no thread pool disturbs another: the parent's end.

The parent writes a line when it is a system's turn; the system (``child.py``) answers with a line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

GO, FINISH = "go\n", "finish\n"
PYTHON = (sys.executable, "-P")  # takes what is installed, not what lies in the current folder
BENCHMARKS = Path(__file__).resolve().parents[1]


class Failed(RuntimeError):
    """A system failed; the message says how."""


class Resident:
    """A process that holds one system, loaded and waiting for its turns.

    function: (turns, threads, **arguments) -> what it has to say at its end, of a module that the child can import
    """

    def __init__(self, name: str, function: Callable[..., dict], threads: int, environment=None, **arguments):
        self.name = name
        job = {
            "module": function.__module__,
            "function": function.__name__,
            "arguments": {"threads": threads, **arguments},
        }
        self._process = subprocess.Popen(
            [*PYTHON, "-m", "side_by_side.child", json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(threads) | (environment or {}),
        )

    def wait_until_ready(self) -> dict:
        """Wait until it has loaded its data and is asleep."""
        return self._answer()

    def turn(self) -> dict:
        """Let it work; return the "seconds" it took, how many "cores" it was given, and further figures by name."""
        return self._tell(GO)

    def finish(self) -> dict:
        """Let it end; return what it says of its work, and its "cores_out_of_turn"."""
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
            raise Failed("ended without an answer") from None
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "ended without an answer"}
        if "error" in answer:
            raise Failed(answer["error"])
        return answer


class Newborn:
    """A system that gets a new process for each of its turns, which is not timed until it is ready.

    start: number of the turn, from 0 (the one that warms up) -> a Resident
    answers: the figures of all turns so far, those of rounds that will not count among them
    """

    def __init__(self, name: str, start: Callable[[int], Resident]):
        self.name = name
        self.answers: list[dict] = []
        self._start = start

    def wait_until_ready(self) -> dict:
        return {}

    def turn(self) -> dict:
        """Return the figures of one turn, and with them what the process said at its end."""
        process = self._start(len(self.answers))
        try:
            process.wait_until_ready()
            self.answers.append(process.turn() | process.finish())
        finally:
            process.kill()
        return self.answers[-1]

    def finish(self) -> dict:
        return {}

    def kill(self) -> None:
        pass


class Command:
    """A command that is timed from the start of its process to its end."""

    def __init__(self, name: str, command: list[str], threads: int, environment=None):
        self.name = name
        self._command = command
        self._environment = _environment(threads) | (environment or {})

    def wait_until_ready(self) -> dict:
        return {}

    def turn(self) -> dict:
        began = time.perf_counter()
        done = subprocess.run(self._command, capture_output=True, text=True, env=self._environment, check=False)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise Failed(done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}")
        return {"seconds": seconds}

    def finish(self) -> dict:
        return {}

    def kill(self) -> None:
        pass


def _environment(threads: int) -> dict[str, str]:
    """Return the environment with every library's own limit of threads, and OpenBLAS free to choose its kernels."""
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    libraries = ("FASTMLP", "OMP", "OPENBLAS", "MKL")
    limits = [*(f"{library}_NUM_THREADS" for library in libraries), "VECLIB_MAXIMUM_THREADS", "NPROC"]
    environment |= dict.fromkeys(limits, str(threads))  # NPROC is XLA's
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(BENCHMARKS), environment.get("PYTHONPATH")]))
    return environment
