"""How much memory there is."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@cache  # reading files takes a hundredth of a short fit
def total_memory() -> int | None:
    """Return the bytes of memory that this process may have, by its cgroup or the machine; None where nobody tells."""
    limits = []
    with suppress(AttributeError, OSError, ValueError):  # not on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int(Path(file).read_text()))
    return min(limits, default=None)
