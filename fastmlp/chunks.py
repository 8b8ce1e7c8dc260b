"""Matrices that are worked through a few rows at a time, large ones by several threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from numpy.typing import NDArray

from fastmlp.threads import thread_limit

NUMBERS_PER_CHUNK = 1 << 20
THREADS_FROM = 1 << 24  # bytes, which one thread reads in 2 ms

Result = TypeVar("Result")


def in_chunks(function: Callable[[slice], Result], matrix: NDArray[Any]) -> Iterator[Result]:
    """Yield what a function that runs without the GIL returns of the rows of each chunk of a matrix (N, D), in order.

    Whoever asks for no more stops it.
    """
    rows = max(1, NUMBERS_PER_CHUNK // max(1, matrix.shape[1]))
    chunks = [slice(start, start + rows) for start in range(0, len(matrix), rows)]
    if matrix.nbytes < THREADS_FROM:
        yield from map(function, chunks)
        return
    with ThreadPoolExecutor(thread_limit(None)) as pool:
        yield from pool.map(function, chunks)
