"""The spectral part of `benchmarks/gray_scott.py`: ETDRK4 at 128 x 128 beside exponax, with the error of each.

One start for all: a maze at time 300 on a torus of length 1.25, cut to the waves that a grid of 64 x 64 has, which are
all that exponax evolves nonlinearly at 128 x 128 (its dealiasing keeps half of each axis). Errors are of v after 50
time units with dt = 1, relative in the mean square, against the padded scheme at 256 x 256 with dt = 1/8 in float64.
"""

import time

import numpy as np
import torch

import sojourn as sj
from sojourn.processes.gray_scott.transforms import Fourier

try:
    import exponax
    import jax
    import jax.numpy as jnp
except ImportError:
    exponax = None

SIDE, MEMBERS, EXTENT, UNITS = 128, 8, 1.25, 50
RATES = {"feed_rate": 0.029, "kill_rate": 0.057}


def process(side=SIDE, dt=1.0, dealias="none", dtype="float32"):
    return sj.GrayScott(
        **RATES,
        shape=(side, side),
        extent=EXTENT,
        scheme="etdrk4",
        dt=dt,
        dealias=dealias,
        dtype=dtype,
        start="gaussian",
    )


def start():
    """(members, 2, side, side), float64."""
    grown = process(dealias="padded", dtype="float64")
    state = grown.advance(grown.initial(MEMBERS, sj.Noise(0)), 0, 300, sj.Noise(0))
    waves = Fourier((SIDE, SIDE), (EXTENT, EXTENT))
    modes = waves.forward(torch.stack([state["u"], state["v"]], 1))
    short = torch.fft.fftfreq(SIDE, 1 / SIDE).abs()[:, None] < SIDE // 4
    short = short & (torch.arange(SIDE // 2 + 1) < SIDE // 4)
    return waves.backward(modes * short)


def refined(y, factor):
    """The same functions on a grid `factor` times finer."""
    return Fourier((SIDE, SIDE), (EXTENT, EXTENT), factor).backward(Fourier((SIDE, SIDE), (EXTENT, EXTENT)).forward(y))


def sampled(y, side):
    """The start on a grid of `side` points: its waves fit 64 points exactly."""
    if side >= SIDE:
        return refined(y, side // SIDE)
    step = SIDE // side
    return y[..., ::step, ::step].contiguous()


def ours(y, side, dealias, dtype):
    """advance(steps) -> v as float64, with nothing left to compile."""
    g, y = process(side, dealias=dealias, dtype=dtype), sampled(y, side).to(getattr(torch, dtype))
    state = {"u": y[:, 0].contiguous(), "v": y[:, 1].contiguous()}

    def advance(steps):
        return g.advance(state, 0, steps, sj.Noise(0))["v"].double().numpy()

    advance(1)
    return advance


def theirs(y, side, dtype):
    """exponax, order 4, all members by vmap, all steps in one compiled loop."""
    jax.config.update("jax_enable_x64", True)
    kind = jnp.dtype(dtype)
    names = {"diffusivity_1": 2e-5, "diffusivity_2": 1e-5, **RATES}
    stepper = exponax.stepper.reaction.GrayScott(2, EXTENT, side, 1.0, order=4, **names)
    stepper = jax.tree_util.tree_map(lambda x: _rounded(x, kind) if isinstance(x, jax.Array) else x, stepper)
    state = jnp.asarray(sampled(y, side).numpy(), kind)
    rolls = {}

    def advance(steps):
        if steps not in rolls:
            rolls[steps] = jax.jit(lambda s: jax.lax.fori_loop(0, steps, lambda _, x: jax.vmap(stepper)(x), s))
        return np.asarray(rolls[steps](state)[:, 1].block_until_ready(), np.float64)

    advance(UNITS)
    return advance


def _rounded(x, kind):
    """A coefficient in the precision of the run."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    return x.astype(jnp.result_type(kind, jnp.complex64) if jnp.issubdtype(x.dtype, jnp.complexfloating) else kind)


def contestants(y):
    """(key, what is shown, side, advance(steps) -> v)."""
    for side, dealias, dtype in [
        (128, "none", "float32"),
        (128, "none", "float64"),
        (128, "padded", "float32"),
        (128, "padded", "float64"),
        (64, "none", "float32"),
        (64, "padded", "float32"),
    ]:
        shown = f"Sojourn, ETDRK4, {side} x {side}, {dtype}, dealias={dealias}"
        yield f"{side} {dealias} {dtype}", shown, side, ours(y, side, dealias, dtype)
    if exponax is not None:
        for side, dtype in [(128, "float32"), (128, "float64"), (256, "float32")]:
            shown = f"exponax {exponax.__version__}, ETDRK4, {side} x {side}, {dtype}"
            yield f"exponax {side} {dtype}", shown, side, theirs(y, side, dtype)


def reference(y):
    """v after UNITS time units at 256 x 256 points."""
    y = refined(y, 2)
    fine = process(side=2 * SIDE, dt=0.125, dealias="padded", dtype="float64")
    return fine.advance({"u": y[:, 0].contiguous(), "v": y[:, 1].contiguous()}, 0, 8 * UNITS, sj.Noise(0))["v"].numpy()


def error(v, exact):
    """Relative error in the mean square, at the points of v."""
    step = exact.shape[-1] // v.shape[-1]
    exact = exact[:, ::step, ::step]
    return float(np.sqrt(((v - exact) ** 2).mean() / (exact**2).mean()))


def measure(rounds):
    """Rows (key, what is shown, samples of trajectory-steps a second, error)."""
    y = start()
    exact = reference(y)
    rows = [(key, shown, run, [], error(run(UNITS), exact)) for key, shown, side, run in contestants(y)]
    for _ in range(rounds):
        for _, _, run, samples, _ in rows:
            began = time.perf_counter()
            run(UNITS)
            samples.append(MEMBERS * UNITS / (time.perf_counter() - began))
    return [(key, shown, samples, off) for key, shown, _, samples, off in rows]


if __name__ == "__main__":
    for _, shown, samples, off in measure(3):
        print(f"{shown:60s} {max(samples):8.0f} trajectory-steps/s   error {off:.1e}")
