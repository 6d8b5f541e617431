"""Sharing work among plain Python threads: the kernels release the interpreter, and nobody spins at a barrier.

Numba's own parallel loops wait for each other on OpenMP barriers, which costs a factor of up to 100 on a machine that
has anything else to do, and may not be entered from two threads at once.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import torch
from numba import get_num_threads, set_num_threads

_NAME = "sojourn-quiet"
_PIECES = 8  # a thread, where work is dealt
_torch_threads = torch.get_num_threads()
get_num_threads()  # the first call starts Numba's threads, and sets OpenMP's number for PyTorch too
torch.set_num_threads(_torch_threads)
Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch with one thread inside; before a function, as a decorator, too.

    For small tensors: PyTorch's threads wait for each other, and longest where other programs have a core.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def share(work: Callable[[int, int], None], count: int, grain: int) -> None:
    """Calls work(begin, end) on ranges that cover range(count), in as many threads as there are grains and cores."""
    threads = min(get_num_threads(), max(1, count // grain))
    if threads == 1:
        return work(0, count)
    ends = [count * k // threads for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for job in [pool.submit(work, *ends[k : k + 2]) for k in range(threads)]:
            job.result()


def deal(work: Callable[[int, int], None], count: int, grain: int) -> None:
    """As `share`, in small pieces: a thread that is held up, by PyTorch's waiting threads say, takes fewer of them."""
    threads = min(get_num_threads(), max(1, count // grain))
    if threads == 1:
        return work(0, count)
    pieces = min(count // grain, threads * _PIECES)
    order = itertools.count()  # its next number is taken by one thread alone

    def worker(_thread: int) -> None:
        while (piece := next(order)) < pieces:
            work(count * piece // pieces, count * (piece + 1) // pieces)

    together(worker, threads)


def together(work: Callable[[int], None], threads: int) -> None:
    """Calls work(0), ..., work(threads - 1) at once, the first in the caller's own thread; all are done on return."""
    helpers = [threading.Thread(target=work, args=(worker,)) for worker in range(1, threads)]
    for helper in helpers:
        helper.start()
    try:
        work(0)
    finally:
        for helper in helpers:
            helper.join()


def map_quietly(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """[work(item), ...] on as many threads as Numba may use, each with one PyTorch thread and no gradients.

    Kernels in them share what threads are left.

    PyTorch's own threads wait for each other at barriers too; a 64-point transform took 5 ms where another program had
    a core. In these threads numbers too small for full precision count as zero.
    """
    if threading.current_thread().name.startswith(_NAME):  # a thread must not wait for its own kind
        return [work(item) for item in items]
    threads, kernels, items = torch.get_num_threads(), get_num_threads(), list(items)
    torch.set_num_threads(1)  # the FFT library has one number for all threads

    @torch.no_grad()
    def quietly(item: Item) -> Result:
        set_num_threads(max(1, kernels // len(items)))  # of this thread
        return work(item)

    try:
        return list(_pool(kernels).map(quietly, items))
    finally:
        torch.set_num_threads(threads)


@lru_cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads that stay: the first transform in a new one costs 20 ms."""
    return ThreadPoolExecutor(workers, thread_name_prefix=_NAME, initializer=_prepare_thread)


def _prepare_thread() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # of this thread alone
