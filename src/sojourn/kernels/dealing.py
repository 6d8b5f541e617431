"""Sharing work in small pieces: a thread that is held up, by PyTorch's waiting threads say, takes fewer of them."""

import itertools
from collections.abc import Callable

from numba import get_num_threads

from sojourn.kernels.threads import together

_PIECES = 8  # a thread


def deal(work: Callable[[int, int], None], count: int, grain: int) -> None:
    """Calls work(begin, end) on ranges that cover range(count), each of at least `grain`, as threads become free."""
    threads = min(get_num_threads(), max(1, count // grain))
    if threads == 1:
        return work(0, count)
    pieces = min(count // grain, threads * _PIECES)
    order = itertools.count()  # its next number is taken by one thread alone

    def worker(_thread: int) -> None:
        while (piece := next(order)) < pieces:
            work(count * piece // pieces, count * (piece + 1) // pieces)

    together(worker, threads)
