"""Threads that run a function at the same time as the thread that asks them to, again and again."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Self

Job = Callable[[int], object]


class Crew:
    """So many members; the thread that enters a crew, and lets it run jobs, is member 0.

    let_go: called in the member whose job fails, to end those of the others, who would wait for it

    A pool of threads would make a future for each job of each member, and another thing to wait for them with: of a fit
    of 500 rows on two threads that took a twentieth.
    """

    def __init__(self, members: int, let_go: Callable[[], object]) -> None:
        self._let_go = let_go
        self._jobs: list[SimpleQueue[Job | None]] = [SimpleQueue() for _ in range(1, members)]
        self._ends: SimpleQueue[BaseException | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Start the threads of the other members.

        Raises RuntimeError where the system allows no more threads; those that were started have then ended.
        """
        try:
            for member, jobs in enumerate(self._jobs, 1):
                name = f"fastmlp-{member}"
                thread = threading.Thread(target=self._serve, args=(member, jobs), name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException:  # a limit of threads, or Ctrl-C
            self._dismiss()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Wait until the others have done what they were asked to, and let them leave."""
        self._dismiss()

    def run(self, job: Job, members: int) -> None:
        """Let the first so many members run ``job(member)``, and wait until they have; raise what it raises in one.

        What it raises in the calling thread is raised at once, while others may still be running.
        """
        asked = self._jobs[: members - 1]
        try:
            for jobs in asked:
                jobs.put(job)
            job(0)
            errors = [self._ends.get() for _ in asked]
        except BaseException:
            self._let_go()
            raise
        for error in filter(None, errors):
            raise error

    def _serve(self, member: int, jobs: SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            self._ends.put(self._error_of(job, member))
            del job  # it may hold data

    def _error_of(self, job: Job, member: int) -> BaseException | None:
        try:
            job(member)
        except BaseException as error:
            self._let_go()
            return error
        return None

    def _dismiss(self) -> None:
        for jobs in self._jobs:
            jobs.put(None)
        for thread in self._threads:
            thread.join()
