"""Speed of an epoch: networks of several sizes, on one thread and on more."""

import inspect
import time
from functools import cache

from .data import load_stand_in
from .measure import FLOOR_UNIT, times_floor
from .work import WORK, available_cpus

THREADS = [threads for threads in (1, 2, 4, 8, 16) if threads <= available_cpus()]


@cache  # asv calls setup before every sample
def ready_trainer(name: str, threads: int):
    """Return a trainer that has trained once, and its rows: kernels are compiled, memory is touched."""
    work = WORK[name]
    data = load_stand_in(work)
    trainer = new_trainer(**work.trainer_options(), epochs=1, input_scale=data.scale, threads=threads)
    trainer.fit(data.X_train, data.y_train)
    return trainer, data


def new_trainer(**options):
    """Return a Trainer. Raises NotImplementedError, which skips a benchmark, where a commit lacks an option."""
    from fastmlp import Trainer

    if lacking := options.keys() - inspect.signature(Trainer).parameters:
        raise NotImplementedError(f"no such options of Trainer: {', '.join(lacking)}")
    return Trainer(**options)


class Epoch:
    """Seconds of a fit of one epoch, its shuffling and its set-up (some milliseconds) included."""

    params = (list(WORK), THREADS)
    param_names = ("network", "threads")
    timeout = 300

    def setup(self, name, threads):
        self.trainer, self.data = ready_trainer(name, threads)

    def time_epoch(self, name, threads):
        self.trainer.fit(self.data.X_train, self.data.y_train)


class EpochOverFloor:
    """The same on two threads, over what the epoch's multiply-adds take at the peak of two threads."""

    params = (list(WORK),)
    param_names = ("network",)
    timeout = 300
    unit = FLOOR_UNIT

    def setup(self, name):
        self.threads = min(2, available_cpus())
        self.trainer, self.data = ready_trainer(name, self.threads)

    def track_epoch(self, name):
        from .peak import Peak

        work = WORK[name]

        def epoch():
            began = time.perf_counter()
            self.trainer.fit(self.data.X_train, self.data.y_train)
            return time.perf_counter() - began

        return times_floor(epoch, work.flop(len(self.data.y_train)), Peak(work.dtype, self.threads), rounds=3)
