"""Memory for kernels: where it begins, how far apart members' lie, and matrices in blocks."""

import math
import mmap
from contextlib import suppress

import numpy as np

from fastmlp.kernels.layout import GAP_BYTES, ceil_div, round_up
from fastmlp.kernels.shape import BLOCK, LINE_BYTES

HUGE_PAGE, HUGE_FROM = 1 << 21, 1 << 20  # bytes: whole ones for less cost short fits more than they gain
GAP_ROWS = 20  # what is left between members, if that is more than GAP_BYTES; not more rows than they have
SLACK_BYTES = 512  # 64 numbers of float64, which are looked at together (kernels.zeros)


def aligned(shape, dtype) -> np.ndarray:
    """Return zeros that start on a cache line, in huge pages where the system has such and it is worth it.

    SLACK_BYTES behind them may be read.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return _zeros(shape, dtype, in_huge_pages=size >= HUGE_FROM)


def aligned_for_each(members: int, shape, dtype) -> np.ndarray:
    """Return zeros (members, >= shape[0], ...): memory of their own for each, with a gap after each one's rows.

    Processors fetch ahead of what they read, past the end: without a gap, what another member is about to write. Where
    a tile reads a piece of each row, that is many rows ahead.
    """
    row_bytes = math.prod(shape[1:]) * np.dtype(dtype).itemsize
    size = members * shape[0] * row_bytes
    gap = max(min(GAP_ROWS, shape[0] - 1), ceil_div(GAP_BYTES, row_bytes)) if members > 1 and size else 0
    return _zeros((members, shape[0] + gap, *shape[1:]), dtype, in_huge_pages=size >= HUGE_FROM)


def in_blocks(M: np.ndarray) -> np.ndarray:
    """Return a copy (blocks, columns, BLOCK) of a matrix, with zeros in rows that fill up the last block."""
    blocks = aligned((ceil_div(len(M), BLOCK), M.shape[1], BLOCK), M.dtype)
    for i in range(BLOCK):
        rows = M[i::BLOCK]
        blocks[: len(rows), :, i] = rows
    return blocks


def _zeros(shape, dtype, in_huge_pages: bool) -> np.ndarray:
    count, item = math.prod(shape), np.dtype(dtype).itemsize
    memory, boundary = _memory(count * item + SLACK_BYTES, in_huge_pages)
    skip = -memory.ctypes.data % boundary
    return memory[skip : skip + count * item].view(dtype).reshape(shape)


def _memory(size: int, in_huge_pages: bool) -> tuple[np.ndarray, int]:
    """Return zeroed bytes in which ``size`` fit behind a boundary, and that boundary."""
    if not (in_huge_pages and hasattr(mmap, "MADV_HUGEPAGE")):
        return np.zeros(size + LINE_BYTES, np.uint8), LINE_BYTES
    try:
        pages = mmap.mmap(-1, round_up(size, HUGE_PAGE) + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        raise MemoryError(f"Unable to allocate {size:,} bytes") from None
    with suppress(OSError):  # a kernel without huge pages
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8), HUGE_PAGE
