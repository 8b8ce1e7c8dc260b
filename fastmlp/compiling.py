"""The compiled epoch of each dtype, and a second process that compiles it while this one compiles all else.

Numba compiles one function at a time in a process. On a machine that has no kernels yet, the epoch takes two fifths of
the time before a first fit. What a second process has compiled lies on the disk (``fastmlp.kernels.cache``) and is
loaded in a moment; where it has not, for any reason, this process compiles.
"""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels import rules
from fastmlp.kernels.dropout import NO_DROPOUT
from fastmlp.kernels.epoch import epoch
from fastmlp.kernels.gather import NO_ORDER, NO_ROWS
from fastmlp.kernels.inputs import new_matrices
from fastmlp.kernels.jit import could_be_kept, entry_of
from fastmlp.kernels.layout import plan
from fastmlp.kernels.patience import ENDLESS
from fastmlp.kernels.pieces import Member
from fastmlp.kernels.rules import Descent
from fastmlp.kernels.targets import NO_LABELS, labels_of
from fastmlp.kernels.workspace import network_of, new_workspace
from fastmlp.threads import available_cpus

Dtype = np.dtype[np.floating]

_EPOCHS: dict[Dtype, Any] = {}
"""What is compiled: finding out the types of its arguments takes longer than a small epoch."""


def compiled_epoch(dtype: Dtype) -> Any:
    """Return the epoch for a dtype, compiled or loaded from disk."""
    if dtype not in _EPOCHS:
        _EPOCHS[dtype] = entry_of(epoch, _arguments(dtype))
    return _EPOCHS[dtype]


@contextmanager
def epoch_compiled_aside(dtype: Dtype, threads: int) -> Iterator[None]:
    """Let another process compile the epoch meanwhile, if it is not on the disk yet.

    threads: how many are allowed: with one, as on a single processor, there is no other process
    """
    helper = _helper(dtype) if dtype not in _EPOCHS and _could_help(dtype, threads) else None
    try:
        yield
        if helper:
            helper.wait()
    finally:
        if helper:
            helper.kill()
            helper.wait()


def _could_help(dtype: Dtype, threads: int) -> bool:
    return min(threads, available_cpus()) > 1 and could_be_kept(epoch, _arguments(dtype))


def _helper(dtype: Dtype) -> subprocess.Popen[bytes] | None:
    # a program that embeds Python, or was frozen, would only start itself once more
    if not Path(sys.executable or "").name.lower().startswith("python"):
        return None
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, dtype.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError:  # no memory for it, or a sandbox that allows no other processes
        return None


def _arguments(dtype: Dtype) -> tuple[Any, ...]:
    """Return arguments of the types that all epochs of this dtype have."""
    smallest = plan((1, 1), 1, dtype, 1)
    network = network_of(smallest, np.zeros(smallest.size, dtype))
    work = new_workspace(smallest, 1, new_matrices(1, (1, 1), dtype))
    steps: NDArray[np.float64] = np.zeros((1, rules.COLUMNS))
    targets, losses = labels_of(NO_LABELS, dtype), np.zeros((1, 1))
    rest = Member(0, 1), Descent(), NO_DROPOUT, math.inf, ENDLESS
    return network, NO_ROWS, targets, NO_ORDER, steps, losses, work, *rest


if __name__ == "__main__":
    compiled_epoch(np.dtype(sys.argv[1]))
    os._exit(0)  # nobody waits half a second until all that was compiled is taken apart
