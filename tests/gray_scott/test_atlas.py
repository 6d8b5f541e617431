"""The atlas: topology on a torus, uniform states and their bifurcations, classes, and a sweep that is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

import sojourn as sj
from sojourn.experiments import gray_scott_sweep as sweep
from sojourn.experiments.gray_scott_atlas import PUBLISHED, GrayScottAtlas
from sojourn.learning.morphology import CLASSES, classify, measure
from sojourn.noise import Noise
from sojourn.processes.gray_scott.presets import PRESETS
from sojourn.processes.gray_scott.uniform import blue_state, growth_rate, hopf, jacobian, saddle_node
from sojourn.runs import Run
from sojourn.topology import euler_characteristic, pieces
from sojourn.trajectory import Trajectory

SIDE = 96


def torus_distance(cy, cx, side=SIDE):
    y, x = np.mgrid[:side, :side]
    dy, dx = ((a - c + side / 2) % side - side / 2 for a, c in ((y, cy), (x, cx)))
    return np.hypot(dy, dx)


def discs(radius, spacing=24):
    """16 discs, some across the seams."""
    cells = np.zeros((SIDE, SIDE), bool)
    for cy in range(0, SIDE, spacing):
        for cx in range(0, SIDE, spacing):
            cells |= torus_distance(cy, cx) <= radius
    return cells


# ------------------------------------------------------------------------------------------------ topology


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
@settings(max_examples=60, deadline=None)
def test_a_set_and_its_complement_share_the_torus(seed, share):
    """chi is additive over a closed set and its complement, and the torus has chi = 0."""
    cells = np.random.default_rng(seed).random((13, 22)) < share
    closed, rest = pieces(cells), pieces(~cells, closed=False)
    assert closed.chi.sum() + rest.chi.sum() == 0
    assert closed.area.sum() + rest.area.sum() == cells.size


@given(st.integers(0, 2**32 - 1), st.integers(0, 19), st.integers(0, 19))
@settings(max_examples=30, deadline=None)
def test_topology_does_not_know_where_the_seams_are(seed, dy, dx):
    cells = np.random.default_rng(seed).random((20, 20)) < 0.45
    here, there = pieces(cells), pieces(np.roll(cells, (dy, dx), (0, 1)))
    for name in ("area", "chi", "perimeter", "radius"):
        np.testing.assert_allclose(np.sort(getattr(here, name)), np.sort(getattr(there, name)))


def test_euler_characteristic_of_known_sets():
    y, x = np.mgrid[:SIDE, :SIDE]
    assert euler_characteristic(discs(6)) == 16
    assert euler_characteristic(~discs(6)) == -16
    assert euler_characteristic(y % 24 < 8) == 0  # four bands around the torus
    assert euler_characteristic((y % 24 < 8) | (x % 24 < 8)) == -16  # a net of 16 meshes
    assert euler_characteristic(np.ones((SIDE, SIDE), bool)) == 0
    assert euler_characteristic(np.zeros((SIDE, SIDE), bool)) == 0
    ring = abs(torus_distance(0, 0) - 12) < 3
    assert (euler_characteristic(ring), len(pieces(ring).area), len(pieces(~ring, closed=False).area)) == (0, 1, 2)


def test_shapes_of_known_sets():
    """A disc is round to the roughness of its edge; a bar of w x l has 4 pi w l / (pi/4 2 (w + l))^2."""
    disc = pieces(torus_distance(0, 90) <= 15)
    assert disc.chi.tolist() == [1]
    np.testing.assert_allclose(disc.roundness, 1, atol=0.1)
    np.testing.assert_allclose(disc.radius, 15, atol=1.1)
    bar = np.zeros((SIDE, SIDE), bool)
    bar[90:94, 40:80] = True
    np.testing.assert_allclose(pieces(bar).roundness, 4 * np.pi * 4 * 40 / (np.pi / 4 * 2 * 44) ** 2)
    assert pieces(bar | np.roll(bar, (30, 70), (0, 1))).area.tolist() == [160, 160]


# ------------------------------------------------------------------------------------------------ uniform states


def test_uniform_states_are_fixed_points_of_the_process():
    for feed, kill in ((0.03, 0.055), (0.09, 0.05), (0.01, 0.03)):
        process = sj.GrayScott(feed_rate=feed, kill_rate=kill, shape=(8, 8), dtype="float64")
        u, v = blue_state(feed, kill)
        state = {"u": torch.full((1, 8, 8), u, dtype=torch.float64), "v": torch.full((1, 8, 8), v, dtype=torch.float64)}
        for name, rate in process.rate(state).items():
            assert float(rate.abs().max()) < 1e-15, name


@pytest.mark.parametrize("feed", [0.004, 0.02, 0.0625, 0.1])
def test_blue_ends_at_the_saddle_node_curve(feed):
    kill = float(saddle_node(feed))
    assert blue_state(feed, kill * (1 + 1e-9)) is None
    u, v = blue_state(feed, kill * (1 - 1e-12))
    # one eigenvalue of the Jacobian passes through zero there
    assert abs(np.linalg.det(jacobian(u, v, feed, kill))) < 1e-6 * np.linalg.norm(jacobian(u, v, feed, kill))


@pytest.mark.parametrize("kill", [0.01, 0.03, 0.045, 0.0551, 0.062])
def test_the_hopf_curve_is_where_a_pair_of_eigenvalues_crosses_the_axis(kill):
    def largest(feed):
        return np.linalg.eigvals(jacobian(*blue_state(feed, kill), feed, kill)).real.max()

    feed = float(hopf(kill))
    exists_from = brentq(lambda f: float(saddle_node(f)) - kill, 1e-9, 1 / 16)
    found = brentq(largest, max(exists_from * (1 + 1e-9), 0.9 * feed), 1.1 * feed, xtol=1e-15)
    np.testing.assert_allclose(found, feed, rtol=1e-7)
    values = np.linalg.eigvals(jacobian(*blue_state(feed, kill), feed, kill))
    assert abs(values.real).max() < 1e-9
    assert abs(values.imag).min() > 1e-3
    assert largest(0.98 * feed) > 0 > largest(1.02 * feed)


def test_growth_rate_is_what_a_small_wave_does():
    """A wave of 1e-7 on blue under RK4 against the eigenvalue, at a Turing-unstable point."""
    feed, kill, side, waves = 0.03, 0.0553, 64, 5
    u, v = blue_state(feed, kill)
    process = sj.GrayScott(
        feed_rate=feed, kill_rate=kill, shape=(8, side), dt=0.5, scheme="rk4", stencil="fourth", dtype="float64"
    )
    q = 2 * np.pi * waves / process.lengths[1]
    matrix = jacobian(u, v, feed, kill) - q**2 * np.diag([2e-5, 1e-5])
    values, vectors = np.linalg.eig(matrix)
    leading = int(values.real.argmax())
    assert values.real[leading] == growth_rate(u, v, feed, kill, np.array(q))
    assert growth_rate(u, v, feed, kill, np.linspace(0, 600, 300)).max() > 0
    shape = np.real(vectors[:, leading, None] * np.exp(2j * np.pi * waves * np.arange(side) / side))
    state = {
        name: torch.from_numpy(np.broadcast_to(level + 1e-7 * wave, (1, 8, side)).copy())
        for name, level, wave in zip("uv", (u, v), shape, strict=True)
    }
    later = state
    for t in range(200):
        later = process.step(later, t, Noise(0))
    expected = np.real(
        np.exp(values[leading] * 100) * vectors[1, leading] * np.exp(2j * np.pi * waves * np.arange(side) / side)
    )
    found = (later["v"][0, 0].numpy() - v) / 1e-7
    np.testing.assert_allclose(found, expected, atol=0.03 * abs(expected).max())


# ------------------------------------------------------------------------------------------------ classes


def seen(*frames):
    """Measures of frames of v, repeated to three if there is one."""
    v = np.stack(frames if len(frames) > 1 else frames * 3)[None].astype(np.float32)
    process = sj.GrayScott(shape=(SIDE, SIDE))
    axes = {"time": np.arange(v.shape[1]) * 250.0, **process.coordinates()}
    dims = ("ensemble", "time", "y", "x")
    return measure(process, Trajectory(xr.Dataset({"u": (dims, 1 - v), "v": (dims, v)}, axes)))


def soft(cells):
    from scipy import ndimage

    return 0.35 * ndimage.gaussian_filter(cells.astype(float), 1.0, mode="wrap")


def test_classes_of_pictures_with_known_topology():
    y, x = np.mgrid[:SIDE, :SIDE]
    flat, stripes = np.zeros((SIDE, SIDE)), y % 16 < 7
    worms = stripes & (x > 5)
    far = np.roll(discs(6), (12, 12), (0, 1))
    film = torus_distance(40, 40)
    expected = {
        "red": [flat],
        "blue": [flat + 0.3],
        "spots": [soft(discs(6))],
        "holes": [soft(~discs(6))],
        "worms": [soft(worms)],
        "labyrinth": [soft(stripes)],
        "bubbles": [soft(abs(film - 30) < 3)],
        "chaotic spots": [soft(discs(6)), soft(far), soft(discs(6))],
        "waves": [soft(np.roll(stripes, s, 0)) for s in (0, 8, 0)],
    }
    assert set(expected) == set(CLASSES)
    assert {name: classify(seen(*frames)) for name, frames in expected.items()} == {name: name for name in CLASSES}


@given(st.sampled_from(["spots", "worms", "holes"]), st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.booleans())
@settings(max_examples=20, deadline=None)
def test_classes_do_not_depend_on_place_or_orientation(name, dy, dx, turned):
    y, x = np.mgrid[:SIDE, :SIDE]
    cells = {"spots": discs(6), "holes": ~discs(6), "worms": (y % 16 < 7) & (x > 5)}[name]
    moved = np.roll(cells.T if turned else cells, (dy, dx), (0, 1))
    assert classify(seen(soft(moved))) == name


def test_measures_of_a_wave():
    """v = a + b sin(2 pi n x / L): wavelength L/n, all energy in one shell, change 1 when shifted by L/4n."""
    x = np.arange(SIDE)
    v = np.broadcast_to(0.2 + 0.1 * np.sin(2 * np.pi * 8 * x / SIDE), (SIDE, SIDE))
    m = seen(v, np.roll(v, SIDE // 32, 1))
    np.testing.assert_allclose([m.wavelength, m.sharpness, m.change, m.mean], [SIDE / 8, 1, 1, 0.2], rtol=1e-5)
    np.testing.assert_allclose([m.deviation, m.contrast], [0.1 / np.sqrt(2), 0.2], rtol=1e-5)
    assert (m.chi, m.pieces, m.gaps, m.islands) == (0, 8, 8, 0)


# ------------------------------------------------------------------------------------------------ the sweep


def test_what_is_said_to_die_dies_and_what_rests_in_blue_stays():
    start = sweep.mixed_start(32, Noise(1))
    dying = sj.GrayScott(feed_rate=0.05, kill_rate=0.09, shape=(32, 32))
    state = start(dying)
    assert not sweep.dies(dying, state)
    state = dying.advance(state, 0, 400, Noise(0))
    assert sweep.dies(dying, state)
    largest = [float(dying.advance(state, 0, n, Noise(0))["v"].max()) for n in (0, 1, 10, 100)]
    assert largest == sorted(largest, reverse=True)
    blue = sj.GrayScott(feed_rate=0.05, kill_rate=0.05, shape=(32, 32))
    state = blue.advance(start(blue), 0, 4000, Noise(0))
    assert sweep.rests_in_blue(blue, state)
    turing = sj.GrayScott(feed_rate=0.03, kill_rate=0.0553, shape=(32, 32))
    level = {n: torch.full((1, 32, 32), x) for n, x in zip("uv", blue_state(0.03, 0.0553), strict=True)}
    assert not sweep.rests_in_blue(turing, level)


def test_half_steps_are_taken_where_whole_ones_would_not_be_stable_at_blue():
    stiff = sj.GrayScott(feed_rate=0.11, kill_rate=0.03, shape=(32, 32), dt=0.5)
    assert (sweep.stable_step(stiff), sweep.stable_step(sj.GrayScott())) == (0.5, 1.0)
    record = sweep.simulate_point(0.11, 0.03, side=32, steps=4000, starts=[sweep.mixed_start(32, Noise(0))])
    assert record["contrast"] < 1e-3
    np.testing.assert_allclose(record["mean"], blue_state(0.11, 0.03)[1], rtol=1e-4)


def test_a_sweep_does_not_depend_on_threads_or_on_an_interruption(tmp_path):
    import numba

    rates = [(0.03, 0.062), (0.03, 0.057), (0.05, 0.07), (0.018, 0.055), (0.062, 0.061), (0.09, 0.04)]
    options = {"side": 48, "steps": 3000, "seed": 3}
    whole = sweep.sweep(tmp_path / "whole.npy", rates, see=lambda n, _: False, **options)

    def stop(n, _):
        if n >= 2:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        sweep.sweep(tmp_path / "broken.npy", rates, see=stop, **options)
    kept = np.load(tmp_path / "broken.npy")
    assert 2 <= kept["done"].sum() < len(rates)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        again = sweep.sweep(tmp_path / "broken.npy", rates, see=lambda n, _: False, **options)
    finally:
        numba.set_num_threads(threads)
    assert whole.tobytes() == again.tobytes()
    assert whole["done"].all()


@pytest.mark.slow
def test_a_killed_atlas_resumes_to_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    small = ["--points", "5", "6", "--side", "48", "--steps", "3000", "--seed", "2"]
    command = [sys.executable, "-m", "sojourn", "run", "gray-scott-atlas", *small, "--out"]
    subprocess.run([*command, whole], check=True, capture_output=True)
    victim = subprocess.Popen([*command, broken], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and victim.poll() is None:
        if (broken / "points.npy").exists() and np.load(broken / "points.npy", mmap_mode="r")["done"].sum() > 8:
            break
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert Run.open(broken).status == "interrupted"
    subprocess.run([sys.executable, "-m", "sojourn", "resume", broken], check=True, capture_output=True)
    assert (whole / "points.npy").read_bytes() == (broken / "points.npy").read_bytes()
    first, second = (Run.open(path).record["results"] for path in (whole, broken))
    assert first == second
    assert sum(first["classes"].values()) == 30
    assert set(first["named"]) == set(PRESETS) == set(PUBLISHED)
    assert {p.name for p in (broken / "figures").iterdir()} == {"atlas.png", "classes.png"}
    kept = xr.open_zarr(broken / "atlas.zarr", consolidated=False)
    assert dict(kept.sizes) == {"feed_rate": 5, "kill_rate": 6, "row": 48, "column": 48}
    assert len(json.loads((broken / "run.json").read_text())["summary"]) > 24
    # above and right of the saddle-node curve, and far from it, all is red; left of it, at a high F, blue
    assert float(kept["mean"].sel(feed_rate=0.11, kill_rate=0.072, method="nearest")) < 1e-3
    assert float(kept["mean"].sel(feed_rate=0.11, kill_rate=0.03, method="nearest")) > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": (1, 5)}, "points=(1, 5) is no plane"),
        ({"side": 8}, "side=8 is too small"),
        ({"steps": 2000}, "steps=2000 leaves no time before the last 2000"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_impossible_settings_are_one_line(options, message):
    with pytest.raises(sj.InputError) as error:
        GrayScottAtlas(**options)
    assert message in str(error.value)
