"""Sharing work among plain Python threads: the kernels release the interpreter, and nobody spins at a barrier.

Numba's own parallel loops wait for each other on OpenMP barriers, which costs a factor of up to 100 on a machine that
has anything else to do, and may not be entered from two threads at once.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from numba import get_num_threads


def share(work: Callable[[int, int], None], count: int, grain: int) -> None:
    """Calls work(begin, end) on ranges that cover range(count), in as many threads as there are grains and cores."""
    threads = min(get_num_threads(), max(1, count // grain))
    if threads == 1:
        return work(0, count)
    ends = [count * k // threads for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for job in [pool.submit(work, *ends[k : k + 2]) for k in range(threads)]:
            job.result()
