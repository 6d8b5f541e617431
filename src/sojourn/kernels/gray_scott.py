"""Explicit Gray-Scott schemes on the CPU: several time levels in one pass over memory, in vectors, on all threads.

    u_t = D_u lap u - u v^2 + F (1 - u),   v_t = D_v lap v + u v^2 - (F + k) v

Equals `steps` applications of `sojourn.processes.gray_scott.GrayScott.step`, to rounding; and itself bit for bit,
for any number of threads and however steps and members are split over calls. Numbers too small for full precision
(below 1e-38 in float32, 2e-308 in float64) count as zero on x86 processors: else the vanishing tails of v would cost
ten times as much as the pattern.
"""

import threading
import time

import numpy as np
from numba import get_num_threads

from sojourn.kernels.float_vectors import BYTES, count_tiny_as_zero, restore_mode
from sojourn.kernels.gray_scott_bands import BOUNDARIES, advance_bands, choose_layout
from sojourn.kernels.gray_scott_rows import choose_scheme, choose_stencil
from sojourn.kernels.threads import together

_WORTH_A_THREAD = 1 << 20  # cells times stages
_kept = threading.local()


def advance(
    u,
    v,
    *,
    feed_rate,
    kill_rate,
    diffusivity_u,
    diffusivity_v,
    spacing,
    dt,
    boundary,
    stencil,
    scheme,
    steps,
):
    """The fields after `steps` steps of dt.

    Args:
        u, v: (ensemble, *shape) float32 or float64 of one, two or three dimensions; not changed.
        feed_rate, kill_rate: F and k, numbers or arrays of `shape`.
        diffusivity_u, diffusivity_v: D_u and D_v.
        spacing: the distance of grid points on each axis.
        dt: the time step.
        boundary: "periodic"; "neumann", even reflection about walls at the outer faces of the cells; or "dirichlet",
            odd reflection about (u, v) = (1, 0) there.
        stencil: "second", "isotropic" (equal spacing) or "fourth".
        scheme: "euler", "heun" or "rk4".
        steps: how many.

    Returns:
        u and v as new arrays.
    """
    u, v = np.ascontiguousarray(u), np.ascontiguousarray(v)
    stages = choose_scheme(scheme, float(dt))
    radius = 2 if stencil == "fourth" else 1
    threads = max(1, min(get_num_threads(), u.size * len(stages) * steps // _WORTH_A_THREAD))
    layout = choose_layout(
        u.shape,
        u.itemsize,
        radius,
        BOUNDARIES[boundary],
        len(stages),
        steps,
        threads,
        np.ndim(feed_rate) + np.ndim(kill_rate) > 0,
    )
    threads = min(threads, layout.tasks)
    fields = [x.reshape(len(x), layout.slabs, layout.rows, layout.columns) for x in (u, v)]
    results = [np.empty_like(x) for x in fields]
    stencils = [choose_stencil(stencil, d, tuple(spacing)) for d in (diffusivity_u, diffusivity_v)]
    rates = _rates(feed_rate, kill_rate, u.dtype, layout)
    space = _workspace(layout.rings + threads * layout.rings_size, u.dtype)
    progress = np.zeros(layout.tasks, np.int64)

    def work(worker):
        mode = count_tiny_as_zero()
        try:
            while not advance_bands(
                *fields, *results, space, rates, *stencils, stages, steps, layout, progress, worker, threads
            ):
                time.sleep(1e-4)  # another program has the core of the thread that this one waits for
        finally:
            restore_mode(mode)

    together(work, threads)
    return tuple(x.reshape(u.shape) for x in results)


def _workspace(size, dtype):
    """Memory that is kept for this thread's next call: fresh pages cost as much as ten steps. What it holds is any."""
    size = size * dtype.itemsize + BYTES
    kept = getattr(_kept, "space", np.empty(0, np.uint8))
    if not size <= kept.size <= 4 * size:
        kept = _kept.space = np.zeros(size, np.uint8)
    return kept[-kept.ctypes.data % BYTES :][: size - BYTES].view(dtype)


def _rates(feed_rate, kill_rate, dtype, layout):
    """F and F + k: two numbers, or an array laid out like the fields of one member without ghost slabs."""
    if not layout.rates_period:
        return float(feed_rate), float(feed_rate) + float(kill_rate)
    shape = layout.slabs, layout.rows, layout.columns
    rates = np.zeros((layout.slabs, layout.slab), dtype)
    for i, rate in enumerate((np.asarray(feed_rate), np.add(feed_rate, kill_rate))):
        start = i * layout.field + layout.row_ghosts * layout.pitch
        rows = rates[:, start : start + layout.rows * layout.pitch].reshape(*shape[:2], layout.pitch)
        target = rows[:, :, layout.lanes : layout.lanes + layout.columns]
        target[:] = np.broadcast_to(rate, rate.shape or (1,)).reshape(shape) if rate.ndim else rate
    return rates.reshape(-1)
