"""The driver and its stores: exact values, independence of chunks and interruptions, observers, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import sojourn as sj
from sojourn import driver
from sojourn.observers import Metrics, NonFiniteError, StopWhen

sys.path.insert(0, str(Path(__file__).parent))
from walk import Walk


def by_hand(walk, steps, ensemble, seed):
    noise = sj.Noise(seed)
    state = walk.initial(ensemble, noise.split("initial"))
    states = [state["x"]]
    for t in range(steps):
        state = walk.step(state, t, noise)
        states.append(state["x"])
    return torch.stack(states, dim=1).numpy()


def test_equals_the_definition_by_hand():
    path = sj.simulate(Walk(), steps=17, save_every=5, ensemble=3, seed=4)
    expected = by_hand(Walk(), 17, 3, 4)[:, [0, 5, 10, 15, 17]]
    np.testing.assert_array_equal(path.dataset["x"].values, expected)
    np.testing.assert_array_equal(path.dataset["time"].values, np.array([0, 5, 10, 15, 17]) * 0.5)
    assert path.dataset["x"].dims == ("ensemble", "time", "place")
    assert path.dataset["x"].attrs == {"units": "m", "long_name": "position"}


@settings(max_examples=20, deadline=None)
@given(pause=st.floats(0, 1e-3), save_every=st.integers(1, 40))
def test_chunks_change_nothing(pause, save_every):
    previous, driver._PAUSE_SECONDS = driver._PAUSE_SECONDS, pause
    try:
        path = sj.simulate(Walk(), steps=40, save_every=save_every, seed=9)
    finally:
        driver._PAUSE_SECONDS = previous
    np.testing.assert_array_equal(path.state()["x"].numpy(), by_hand(Walk(), 40, 1, 9)[:, -1])


@pytest.mark.parametrize(
    ("call", "step", "calls"), [(1.0, 1e-3, 30), (0.0, 1.0, 501), (0.0, 1e-3, 30), (0.3, 0.3, 501)]
)
def test_how_often_observers_see_the_state(monkeypatch, call, step, calls):
    """By a clock that a call of `advance` moves by `call` and each of its steps by `step`, s: a call that costs much
    whatever its steps gets many of them, and slow steps stay few to a chunk."""
    clock, sizes = [0.0], []

    class Slow(Walk):
        def advance(self, state, t, steps, noise):
            clock[0] += call + step * steps
            sizes.append(steps)
            return state

    monkeypatch.setattr(driver, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    sj.simulate(Slow(), steps=1000, progress=False)
    assert sum(sizes) == 1000
    assert len(sizes) <= calls
    assert call + step * max(sizes) <= max(0.2, 4 * (call + step))


def test_store_equals_memory_and_xarray_opens_it(tmp_path):
    memory = sj.simulate(Walk(), steps=30, save_every=4, ensemble=2, seed=1)
    stored = sj.simulate(Walk(), steps=30, save_every=4, ensemble=2, seed=1, out=tmp_path / "walk.zarr")
    xr.testing.assert_equal(memory.dataset, stored.dataset.load())
    with xr.open_zarr(tmp_path / "walk.zarr", chunks=None) as opened:
        np.testing.assert_array_equal(opened["x"].values, memory.dataset["x"].values)
        assert opened.attrs["committed"] == 9
        assert opened.attrs["parameters"] == {"drift": 0.1, "places": 5, "dt": 0.5}


def test_resume_after_an_exception_is_exact(tmp_path):
    class Trip:
        every = 50

        def see(self, step, state):
            if step == 250:
                raise KeyboardInterrupt
            return False

        def close(self):
            pass

    out = tmp_path / "walk.zarr"
    with pytest.raises(KeyboardInterrupt):
        sj.simulate(Walk(), steps=400, save_every=20, seed=5, out=out, observers=[Trip()])
    assert 0 < len(sj.Trajectory.open(out)) < 21
    other = {"x": torch.ones(1, 5, dtype=torch.float64)}
    with pytest.raises(sj.InputError, match="was begun from another 'x'"):
        sj.simulate(Walk(), other, steps=400, save_every=20, seed=5, out=out, resume=True)
    resumed = sj.simulate(Walk(), steps=400, save_every=20, seed=5, out=out, resume=True)
    whole = sj.simulate(Walk(), steps=400, save_every=20, seed=5)
    xr.testing.assert_equal(resumed.dataset.load(), whole.dataset)
    again = sj.simulate(Walk(), steps=400, save_every=20, seed=5, out=out, resume=True)
    assert len(again) == 21


KILLED = """
import sys; sys.path.insert(0, sys.argv[1])
from walk import Walk
import sojourn as sj
from sojourn import trajectory
from sojourn.observers import StopWhen
import time
trajectory._FLUSH_SECONDS = 0.002
slowly = StopWhen(lambda state: time.sleep(0.005), every=3)  # five seconds in all: each kill finds it alive
options = dict(observers=[slowly], steps=3000, save_every=3, ensemble=4, seed=2, progress=False)
sj.simulate(Walk(places=300), out="walk.zarr", resume=True, **options)
"""


@pytest.mark.slow
def test_25_kills_at_random_moments(tmp_path):
    """After each SIGKILL the store is readable and every committed frame is the true one; the resumed end is exact."""
    walk = Walk(places=300)
    whole = sj.simulate(walk, steps=3000, save_every=3, ensemble=4, seed=2)
    wait = np.random.default_rng(0).uniform(0.0, 0.15, 25)
    kills, store = 0, tmp_path / "walk.zarr"
    for pause in wait:
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(Path(__file__).parent)], cwd=tmp_path)
        before = _committed(store)
        while process.poll() is None and _committed(store) == before:
            time.sleep(0.005)
        time.sleep(pause)
        kills += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        part = sj.Trajectory.open(store)
        count = len(part)
        assert count >= before
        np.testing.assert_array_equal(part.dataset["x"].values, whole.dataset["x"].values[:, :count])
    assert kills == 25
    end = sj.simulate(walk, steps=3000, save_every=3, ensemble=4, seed=2, out=store, resume=True, progress=False)
    xr.testing.assert_equal(end.dataset.load(), whole.dataset)


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, 0.002, 0.005, 0.01, 0.02])
def test_a_kill_while_the_store_is_made_can_be_resumed(tmp_path, pause):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(Path(__file__).parent)], cwd=tmp_path)
    while process.poll() is None and not any(tmp_path.iterdir()):
        time.sleep(0.0005)
    time.sleep(pause)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert {p.name for p in tmp_path.iterdir()} <= {"walk.zarr", ".walk.zarr.partial"}
    walk, out = Walk(places=300), tmp_path / "walk.zarr"
    end = sj.simulate(walk, steps=3000, save_every=3, ensemble=4, seed=2, out=out, resume=True, progress=False)
    assert len(end) == 1001
    np.testing.assert_array_equal(end.state()["x"], sj.simulate(walk, steps=3000, ensemble=4, seed=2).state()["x"])


def test_the_guard_and_the_stopping_rule_see_the_start(tmp_path):
    broken = {"x": torch.full((1, 5), float("nan"), dtype=torch.float64)}
    with pytest.raises(NonFiniteError, match="not finite"):
        sj.simulate(Walk(), broken, steps=5, out=tmp_path / "w.zarr")
    assert len(sj.Trajectory.open(tmp_path / "w.zarr")) == 0
    assert len(sj.simulate(Walk(), steps=5, save_every=1, observers=[StopWhen(lambda s: True, every=50)])) == 1


def test_the_state_at_which_a_run_is_stopped_is_kept(tmp_path):
    for out in (None, tmp_path / "w.zarr"):
        rule = StopWhen(lambda s: bool(s["x"].mean() > 3), every=1)
        path = sj.simulate(Walk(drift=1.0), steps=1000, save_every=100, seed=3, observers=[rule], out=out)
        last = round(float(path.dataset["time"][-1]) / 0.5)
        assert 0 < last < 100
        assert len(path) == 2
        np.testing.assert_array_equal(path.state()["x"], by_hand(Walk(drift=1.0), last, 1, 3)[:, -1])
        assert path.state()["x"].mean() > 3


def test_numpy_integers_are_whole_numbers():
    path = sj.simulate(Walk(), steps=np.int64(4), save_every=np.int32(2), seed=np.uint8(3), ensemble=np.int16(2))
    xr.testing.assert_equal(path.dataset, sj.simulate(Walk(), steps=4, save_every=2, seed=3, ensemble=2).dataset)
    with pytest.raises(sj.InputError, match=r"seed=1.5 is not a whole number"):
        sj.simulate(Walk(), steps=1, seed=1.5)


def _committed(store):
    try:
        return json.loads((store / "zarr.json").read_text())["attributes"].get("committed", 0)
    except FileNotFoundError:
        return 0


def test_observers():
    seen = []
    path = sj.simulate(
        Walk(drift=1.0),
        steps=1000,
        save_every=1,
        seed=3,
        observers=[
            Metrics(lambda s: {"mean": float(s["x"].mean())}, 10, lambda step, v: seen.append((step, v["mean"]))),
            StopWhen(lambda s: bool(s["x"].mean() > 20), every=1),
        ],
    )
    means = path.dataset["x"].mean(("ensemble", "place")).values
    assert means[-1] > 20 >= means[:-1].max()
    assert path.dataset.attrs["status"] == "stopped"
    assert [step for step, _ in seen] == list(range(0, len(means), 10))
    np.testing.assert_allclose([v for _, v in seen], means[::10], rtol=1e-14)


def test_a_field_that_stops_being_finite_ends_the_run_and_keeps_the_frames(tmp_path):
    with pytest.raises(NonFiniteError, match=r"field 'x' of member 0 is not finite at \(0,\)"):
        sj.simulate(Walk(drift=1e307), steps=500, save_every=1, out=tmp_path / "w.zarr")
    kept = sj.Trajectory.open(tmp_path / "w.zarr").dataset["x"].values
    assert np.isfinite(kept).all()
    assert kept.shape[1] == 36  # 35 steps of 5e306 stay below the largest double, 36 do not


def test_the_last_finite_state_is_found_and_kept_between_frames(tmp_path):
    for out in (None, tmp_path / "w.zarr"):
        with pytest.raises(NonFiniteError, match=r"after step 36; the state after step 35 is kept.*lower dt=0.5"):
            sj.simulate(Walk(drift=1e307), steps=500, save_every=20, out=out)
    kept = sj.Trajectory.open(tmp_path / "w.zarr")
    assert kept.dataset["time"].values.tolist() == [0, 10.0, 17.5]
    assert np.isfinite(kept.dataset["x"].values).all()
    with pytest.raises(sj.InputError, match="stopped being finite; begin anew"):
        sj.simulate(Walk(drift=1e307), steps=500, save_every=20, out=tmp_path / "w.zarr", resume=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": -1}, "steps=-1 is negative"),
        ({"steps": 1, "save_every": 0}, "save_every=0 is below 1"),
        ({"steps": 1, "ensemble": 0}, "ensemble=0 is not possible"),
        ({"steps": 10**9, "save_every": 1, "ensemble": 1000}, "GB of memory"),
        ({"steps": 10**15, "save_every": 1, "out": "w.zarr"}, "1,000,000,000,000,001 frames"),
        ({"steps": 1, "seed": 2**64}, "is not in"),
        ({"steps": 1, "device": "abacus"}, "device='abacus' is not here"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(sj.InputError, match=message):
        sj.simulate(Walk(), **arguments)


def test_bad_states(tmp_path):
    good = Walk().initial(2, sj.Noise(0))["x"]
    for state, message in [
        ({"y": good}, r"state has fields \['y'\]"),
        ({"x": good.float()}, r"dtype torch.float32.*convert with"),
        ({"x": good[:, :4]}, r"shape \(2, 4\); needed is \(ensemble, 5\)"),
    ]:
        with pytest.raises(sj.InputError, match=message):
            sj.simulate(Walk(), state, steps=1)
    (tmp_path / "taken").mkdir()
    with pytest.raises(sj.InputError, match="exists already"):
        sj.simulate(Walk(), steps=1, out=tmp_path / "taken")
    sj.simulate(Walk(), steps=4, out=tmp_path / "w.zarr")
    with pytest.raises(sj.InputError, match="was begun with seed=0, not 1"):
        sj.simulate(Walk(), steps=4, out=tmp_path / "w.zarr", resume=True, seed=1)
    with pytest.raises(sj.InputError, match="was begun with save_every=None, not 2"):
        sj.simulate(Walk(), steps=4, out=tmp_path / "w.zarr", resume=True, save_every=2)


@dataclass(frozen=True)
class Ending(Walk):
    """A walk that ends."""

    @property
    def horizon(self):
        return 7


def test_a_process_with_an_end_goes_there_by_itself_and_no_further(tmp_path):
    whole = sj.simulate(Ending(), save_every=3, seed=2)
    assert whole.dataset["time"].values.tolist() == [0, 1.5, 3.0, 3.5]
    xr.testing.assert_equal(whole.dataset, sj.simulate(Ending(), steps=7, save_every=3, seed=2).dataset)
    np.testing.assert_array_equal(whole.state()["x"].numpy(), by_hand(Walk(), 7, 1, 2)[:, -1])
    assert len(sj.simulate(Ending(), steps=0)) == 1
    part = sj.simulate(Ending(), steps=5, seed=2)
    np.testing.assert_array_equal(part.state()["x"].numpy(), by_hand(Walk(), 5, 1, 2)[:, -1])
    with pytest.raises(sj.InputError, match="steps=8 is beyond the end of Ending, which is after 7 steps"):
        sj.simulate(Ending(), steps=8)
    with pytest.raises(sj.InputError, match="Walk goes on for ever; say how far with steps="):
        sj.simulate(Walk())
    sj.simulate(Ending(), seed=2, out=tmp_path / "w.zarr")
    again = sj.simulate(
        Ending(), steps=7, seed=2, out=tmp_path / "w.zarr", resume=True
    )  # the end is what was asked for
    xr.testing.assert_equal(again.dataset.load(), sj.simulate(Ending(), seed=2).dataset)
