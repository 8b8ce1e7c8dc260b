"""Where trials run: threads of this process, all on the same rows; ``fastmlp.tuning.cluster`` has the other place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self

from fastmlp.tuning.trial import PRUNED, STOPPED, Outcome, Problem, run_trial

Judge = Callable[[int, float], bool]
"""Tells whether to end a trial, given the number of an epoch, from 1, and its metric."""


class Workers(Protocol):
    """What runs trials, each on one thread."""

    def places(self) -> int:
        """Return how many trials can run at a time, now."""

    def submit(self, options: Mapping[str, Any], judge: Judge | None) -> Future[Outcome]:
        """Run a trial with these options of the Trainer.

        judge : asked after each epoch, in any thread. The future is cancelled where the trial has to be run again.
        """

    def stop(self, running: Iterable[Future[Outcome]]) -> None:
        """Let trials end with the epoch that they are in; those that have not begun are cancelled."""


class Threads:
    """Threads of this process: the kernels hold no lock of Python's. A context, whose end waits for the last epoch."""

    def __init__(self, problem: Problem, jobs: int) -> None:
        self._problem, self._jobs, self._is_over = problem, jobs, False
        self._pool = ThreadPoolExecutor(jobs, "fastmlp-trial")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        self._pool.shutdown()

    def places(self) -> int:
        """Return the number of threads."""
        return self._jobs

    def submit(self, options: Mapping[str, Any], judge: Judge | None) -> Future[Outcome]:
        """Run a trial as Workers say."""

        def watch(epoch: int, value: float) -> str | None:
            if self._is_over:
                return STOPPED
            return PRUNED if judge is not None and judge(epoch, value) else None

        return self._pool.submit(run_trial, self._problem, options, watch)

    def stop(self, running: Iterable[Future[Outcome]]) -> None:
        """End trials as Workers say."""
        self._is_over = True
        for future in running:
            future.cancel()
