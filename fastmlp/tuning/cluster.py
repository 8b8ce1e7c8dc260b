"""Trials on the workers of a Dask cluster: the same code as in threads, rows sent once, results as they come.

Dask runs the tasks of a worker that dies on another one. What it cannot bring back are rows that nobody else has: then
they are sent again, and the trials that waited for them are run again.
"""

from __future__ import annotations

import logging
import signal
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastmlp.extras import need
from fastmlp.threads import thread_limit
from fastmlp.tuning.trial import PRUNED, STOPPED, Outcome, Problem, run_trial
from fastmlp.tuning.workers import Judge, Workers

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
SECONDS_TO_CONNECT = 10.0
SECONDS_FOR_A_WORKER = 60.0  # clusters that grow on demand start their first worker only now


@contextmanager
def cluster(address: str, problem: Problem, jobs: int | None) -> Iterator[Workers]:
    """Connect to the scheduler at an address, or start processes here where it is "local".

    jobs : the most trials at a time, None for as many as the workers have threads, or here a CPU each. Raises OSError
    where there is no scheduler, or no worker.
    """
    need("distributed", "dask", "tuning on a cluster")
    from distributed.comm import CommClosedError

    with ExitStack() as opened:
        opened.enter_context(_quiet("distributed.client", "distributed.scheduler"))
        opened.enter_context(_ending_early_is_no_error())
        if address == LOCAL:
            address = opened.enter_context(_processes(thread_limit(jobs))).scheduler_address
        # Pruning may wait for the study's disk: not in the thread in which Dask hears from the scheduler
        judging = opened.enter_context(ThreadPoolExecutor(1, "fastmlp-judge"))
        client = opened.enter_context(_connected(address))
        try:
            yield _Cluster(client, problem, jobs, judging)
        except Exception as error:
            # Dask has many errors for it, depending on what it was about to do, and some before its status says so
            if client.status == "running" and not isinstance(error, CommClosedError):
                raise
            raise OSError(f"dask: the scheduler {address} has gone; a study in a storage can go on") from error


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Let loggers of Dask be silent about losses, which are made up for or raised here."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _ending_early_is_no_error() -> Iterator[None]:
    """Say nothing of a trial that ends just as it is cancelled, or whose result is under way when the client closes.

    Dask's executor expects neither, and Tornado logs what it raises.
    """
    from distributed.comm import CommClosedError

    def is_an_error(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], (CancelledError, CommClosedError)))

    logger = logging.getLogger("tornado.application")
    logger.addFilter(is_an_error)
    try:
        yield
    finally:
        logger.removeFilter(is_an_error)


def _processes(count: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0", preload=[__name__])


def _connected(address: str) -> Client:
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    try:
        # A Client that finds nobody leaves a traceback when it is collected; this fails sooner, and quietly
        socket.create_connection(get_address_host_port(address), SECONDS_TO_CONNECT).close()
        return Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OSError(f"dask: the scheduler {address} cannot be reached: {error}") from error


class _Cluster:
    def __init__(self, client: Client, problem: Problem, jobs: int | None, judging: ThreadPoolExecutor) -> None:
        self._client, self._problem, self._jobs, self._judging = client, problem, jobs, judging
        self._executor = client.get_executor(pure=False)
        self._sent: Any = None  # Dask's future of the problem
        self._names: dict[Future[Outcome], str] = {}
        self._judges: dict[str, Judge] = {}
        self._topic = f"fastmlp-{uuid.uuid4().hex}"
        client.subscribe_topic(self._topic, self._hear)

    def places(self) -> int:
        """Return the number of the workers' threads, or ``jobs`` where that is less."""
        threads = sum(map(int, self._client.nthreads().values()))
        return max(1, threads if self._jobs is None else min(self._jobs, threads))

    def submit(self, options: Mapping[str, Any], judge: Judge | None) -> Future[Outcome]:
        """Run a trial as Workers say."""
        name = uuid.uuid4().hex
        if judge is not None:
            self._judges[name] = _once_an_epoch(judge)
        watch = _Watch(self._topic, name, judge is not None)
        future: Future[Outcome] = self._executor.submit(run_trial, self._sent_problem(), options, watch)
        self._names[future] = name
        future.add_done_callback(self._forget)
        return future

    def stop(self, running: Iterable[Future[Outcome]]) -> None:
        """End trials as Workers say."""
        names = [name for future in running if (name := self._names.get(future)) is not None]
        if not names or self._client.status != "running":  # Dask would wait for a scheduler that has gone
            return
        with suppress(OSError, TimeoutError):  # whoever cannot be told is not heard of either
            self._client.run(_end, names, STOPPED, on_error="ignore")
        for future in running:
            future.cancel()

    def _sent_problem(self) -> Any:
        if self._sent is None or self._sent.status != "finished":
            try:
                self._client.wait_for_workers(1, SECONDS_FOR_A_WORKER)
                self._sent = self._client.scatter(self._problem, broadcast=True, hash=False)
            except (OSError, TimeoutError) as error:
                raise OSError(f"dask: no worker takes the rows: {error}") from error
        return self._sent

    def _forget(self, future: Future[Outcome]) -> None:
        self._judges.pop(self._names.pop(future), None)

    def _hear(self, event: tuple[float, tuple[str, str, int, float]]) -> None:
        _, (worker, name, epoch, value) = event
        self._judging.submit(self._judge, worker, name, epoch, value)

    def _judge(self, worker: str, name: str, epoch: int, value: float) -> None:
        judge = self._judges.get(name)
        if judge is not None and judge(epoch, value):
            with suppress(OSError, TimeoutError):  # a worker that has died meanwhile
                self._client.run(_end, [name], PRUNED, workers=[worker], on_error="ignore")


def _once_an_epoch(judge: Judge) -> Judge:
    """Return a judge that a trial which is run again may tell of its first epochs again."""
    known = 0

    def judge_new(epoch: int, value: float) -> bool:
        nonlocal known
        if epoch <= known:
            return False
        known = epoch
        return judge(epoch, value)

    return judge_new


# ---- on a worker ----


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C and losses to who searches: Dask calls this in each process that ``_processes`` starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A search that ends early closes its processes while they train, and they say so; whoever runs out of memory must
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger("distributed.worker.memory").setLevel(logging.WARNING)


_ended: dict[str, str] = {}  # how trials are to end, by their names


def _end(names: Iterable[str], state: str) -> None:
    _ended.update(dict.fromkeys(names, state))


@dataclass(frozen=True)
class _Watch:
    """Tells who searches of each epoch, and ends the trial when it is said to."""

    topic: str
    name: str
    is_judged: bool

    def __call__(self, epoch: int, value: float) -> str | None:
        if self.is_judged:
            from distributed import get_worker

            worker = get_worker()
            worker.log_event(self.topic, (worker.address, self.name, epoch, value))
        return _ended.pop(self.name, None)
