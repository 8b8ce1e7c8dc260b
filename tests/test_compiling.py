"""A first fit on a machine without kernels: a second process helps to compile, and where it cannot nothing changes."""

import pytest
from scripts import run

from fastmlp.threads import available_cpus

pytestmark = pytest.mark.skipif(available_cpus() < 2, reason="one processor cannot be shared")

FIT = """
import hashlib, logging, os, signal, sys, threading
import numpy as np
from numba.core import event

class Compiled(event.Listener):
    names = []
    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, event):
        pass

event.register("numba:compile", Compiled())
from fastmlp import Trainer

def fitted(threads):
    X = np.random.default_rng(0).normal(size=(60, 30)).astype(np.float32)
    trainer = Trainer(hidden=(8,), epochs=2, threads=threads)
    trainer.fit(X, np.arange(60) % 3)
    return hashlib.sha256(b"".join(a.tobytes() for a in trainer.parameters.values())).hexdigest()
"""
HELPED = FIT + "print(fitted(2), Compiled.names.count('epoch'), Compiled.names.count('affine') > 0)"
ALONE = FIT + "sys.executable = {executable!r}\nprint(fitted({threads}), Compiled.names.count('epoch'))"
INTERRUPTED = (
    FIT
    + """
class Interrupt(logging.Handler):
    def emit(self, record):  # it says that it compiles
        threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()

logging.getLogger("fastmlp").addHandler(Interrupt())
try:
    fitted(2)
except KeyboardInterrupt:
    print("interrupted")
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("no process is left")
"""
)


@pytest.fixture(scope="module")
def helped(tmp_path_factory):
    """A fit, how often its process compiled the epoch, and whether it compiled other kernels."""
    return run(HELPED, NUMBA_CACHE_DIR=tmp_path_factory.mktemp("cache"))[0].split()


def test_another_process_compiles_the_epoch(helped):
    assert helped[1:] == ["0", "True"]


ABSENT = {"fails": ("python3", 2), "is one too many": ("python3", 1), "would not be Python": ("host", 2)}


@pytest.mark.parametrize("reason", ABSENT)
def test_where_the_other_process_is_absent_the_fit_is_the_same(helped, reason, tmp_path):
    name, threads = ABSENT[reason]
    executable, started = tmp_path / name, tmp_path / "started"
    executable.write_text(f"#!/bin/sh\ntouch '{started}'\nexit 1\n")
    executable.chmod(0o755)
    program = ALONE.format(executable=str(executable), threads=threads)
    assert run(program, NUMBA_CACHE_DIR=tmp_path)[0].split() == [helped[0], "1"]
    assert started.exists() == (reason == "fails")


def test_an_interrupt_ends_the_other_process_too(tmp_path):
    assert run(INTERRUPTED, NUMBA_CACHE_DIR=tmp_path)[0] == "interrupted\nno process is left\n"
