"""The (k, F) plane of Gray-Scott point by point: how a point starts, is simulated and measured, and is kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sojourn.driver import simulate
from sojourn.learning.morphology import LAG, Measures, measure
from sojourn.noise import Noise
from sojourn.observers import StopWhen
from sojourn.process import State
from sojourn.processes.gray_scott.checks import largest_dt
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.processes.gray_scott.uniform import blue_state, growth_rate

DRAWS = 3  # of the start, while all dies
FRAMES = 8  # late frames that follow the first, LAG apart
THUMBNAIL = 48  # pixels
BRIGHTEST = 0.6  # the v that a thumbnail's 255 stands for

RECORD = np.dtype(
    [
        ("feed_rate", "f8"),
        ("kill_rate", "f8"),
        *((name, "i8" if kind == "int" else "f8") for name, kind in Measures.__annotations__.items()),
        ("draws", "i8"),  # of the start
        ("steps", "i8"),  # simulated, from all draws together
        ("thumbnail", "u1", (THUMBNAIL, THUMBNAIL)),  # of the last v
        ("done", "u1"),
    ]
)
"""What is kept of a point; `done` is written last."""


def sweep(
    path: Path, rates: list[tuple[float, float]], *, side: int, steps: int, seed: int, see: Callable[[int, State], bool]
) -> np.ndarray:
    """Simulates every (F, k) of `rates` that `path` does not hold yet, on all threads; `see(points done, {})` watches.

    Whatever ends the program, at most the points in flight are lost; a point does not depend on the others.

    Returns:
        The records of all points, in the order of `rates`.
    """
    import numba

    records = _open(path, rates)
    todo = iter(np.flatnonzero(records["done"] == 0).tolist())
    starts = [mixed_start(side, Noise(seed).split(f"draw {n}")) for n in range(DRAWS)]

    def work(index: int) -> None:
        record = simulate_point(*rates[index], side=side, steps=steps, starts=starts)
        records[index] = record
        records.flush()
        records["done"][index] = 1

    threads = numba.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=numba.set_num_threads, initargs=(1,)) as pool:
        jobs = {pool.submit(work, index) for _, index in zip(range(threads), todo, strict=False)}
        while jobs:  # few are in flight, so an interruption does not wait for a queue
            finished, jobs = wait(jobs, return_when=FIRST_COMPLETED)
            for job in finished:
                job.result()
            jobs |= {pool.submit(work, index) for _, index in zip(range(len(finished)), todo, strict=False)}
            see(int(records["done"].sum()), {})
    return np.array(records)


def simulate_point(
    feed_rate: float, kill_rate: float, *, side: int, steps: int, starts: Sequence[Callable[[GrayScott], State]]
) -> np.ndarray:
    """One record: `steps` steps, of which late frames are measured; fewer where nothing more can happen.

    While all is red at the end, the next start is tried: close to where patterns cease to exist, few seeds live.
    """
    process = GrayScott(feed_rate=feed_rate, kill_rate=kill_rate, shape=(side, side), dt=0.5)
    process = replace(process, dt=stable_step(process))
    lag = round(LAG / process.dt)
    record = np.zeros((), RECORD)
    record["feed_rate"], record["kill_rate"] = feed_rate, kill_rate
    state: State = {}
    over: list[Any] = [StopWhen(lambda s: dies(process, s) or rests_in_blue(process, s), every=500)]
    for start in starts:
        before = simulate(
            process,
            start(process),
            steps=round(steps / process.dt) - lag * FRAMES,
            observers=over,
            progress=False,
        )
        state = before.state()
        record["draws"] += 1
        record["steps"] += round(float(before.dataset["time"][-1]) / process.dt)
        if not dies(process, state):
            break
    late = simulate(process, state, steps=lag * FRAMES, save_every=lag, progress=False)
    record["steps"] += lag * FRAMES
    for name, value in measure(process, late)._asdict().items():
        record[name] = value
    record["thumbnail"] = thumbnail(late.state()["v"][0].numpy())
    return record


def stable_step(process: GrayScott) -> float:
    """1, or 1/2 where Euler's method with step 1 would not be stable with a little to spare."""
    return 1.0 if largest_dt(process)[0] > 1.025 else 0.5


def dies(process: GrayScott, state: State) -> bool:
    """Whether v is certain to decay everywhere.

    While u v < F + k everywhere, v_t <= D_v lap v - (F + k - max(u v)) v, and u stays below its largest value or 1: by
    the maximum principle v decays. Ten times that is asked for.
    """
    u, v = float(state["u"].max()), float(state["v"].max())
    return 10 * max(1.0, u) * v < float(process.feed_rate) + float(process.kill_rate)


def rests_in_blue(process: GrayScott, state: State) -> bool:
    """Whether the state is blue to 1e-3, and blue is stable to waves of every length."""
    feed, kill = float(process.feed_rate), float(process.kill_rate)
    blue = blue_state(feed, kill)
    if blue is None or max(float((state[x] - b).abs().max()) for x, b in zip("uv", blue, strict=True)) > 1e-3:
        return False
    waves = np.linspace(0.0, 2 * np.pi / min(process.spacing), 500)
    return bool(growth_rate(*blue, feed, kill, waves).max() < 0)


def mixed_start(side: int, noise: Noise) -> Callable[[GrayScott], State]:
    """A start that holds a seed of every pattern; the same draw at every point of the plane.

    Left a sea of blue (where there is none, of (0.4, 0.3)) with red discs, right red with discs of (1/2, 1/4), one for
    every 32 x 32 cells; and everywhere rectangles of any u in [0, 1] and v in [0, 1/2], which break waves and so begin
    spirals; all 1% up or down at random. After Munafo (arXiv 1501.01990), who started from patches of many levels,
    because a square in red (Pearson) finds no pattern that lives on blue.
    """
    half, count = side // 2, max(2, side * side // (2 * 32**2))

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        return noise.split(name).uniform(0, 1, shape)[0].double().numpy()

    y, x = np.mgrid[:side, :side]
    red, bumps = (_discs(draw(name, (count, 3)), side, left) for name, left in (("red", 0), ("bumps", half)))
    patches = draw("patches", (max(3, side * side // 40**2), 6))
    shake = 1 + 0.01 * (2 * draw("shake", (2, side, side)) - 1)

    def start(process: GrayScott) -> State:
        blue = blue_state(float(process.feed_rate), float(process.kill_rate)) or (0.4, 0.3)
        fields = np.empty((2, side, side))
        fields[:] = np.array([1.0, 0.0])[:, None, None]
        fields[:, :, :half] = np.array(blue)[:, None, None]
        fields[:, red] = np.array([[1.0], [0.0]])
        fields[:, bumps] = np.array([[0.5], [0.25]])
        for top, left, height, width, u, v in patches:
            inside = ((y - side * top) % side < 4 + 20 * height) & ((x - side * left) % side < 4 + 20 * width)
            fields[:, inside] = np.array([[u], [v / 2]])
        u, v = torch.from_numpy((fields * shake).astype(np.float32))
        return {"u": u[None], "v": v[None]}

    return start


def thumbnail(v: np.ndarray) -> np.ndarray:
    """v as THUMBNAIL x THUMBNAIL bytes: means over the area of each pixel, 255 for BRIGHTEST."""
    from PIL import Image

    small = Image.fromarray(v.astype(np.float32)).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.rint(255 * np.clip(np.asarray(small) / BRIGHTEST, 0, 1)).astype(np.uint8)


def _discs(numbers: np.ndarray, side: int, left: int) -> np.ndarray:
    """Where discs of 3 to 8 cells' radius are, with centres anywhere in the half that begins at `left`."""
    y, x = np.mgrid[:side, :side]
    inside = np.zeros((side, side), bool)
    for row, column, size in numbers:
        away = [(y - side * row) % side, (x - left - side / 2 * column) % side]
        inside |= sum(np.minimum(a, side - a) ** 2 for a in away) <= (3 + 5 * size) ** 2
    return inside


def _open(path: Path, rates: list[tuple[float, float]]) -> np.memmap:
    """The records on disk, made whole beside and renamed if they are not there."""
    if not path.exists():
        beside = path.with_name(f".{path.name}.partial")
        blank = np.zeros(len(rates), RECORD)
        with beside.open("wb") as file:
            np.save(file, blank, allow_pickle=False)
        beside.replace(path)
    return np.lib.format.open_memmap(path, mode="r+")
