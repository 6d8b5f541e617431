"""Recovery of Gray-Scott's parameters: exactness, scaling with noise, coverage, refusals, and the scaling symmetry."""

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import binom

import sojourn as sj
from sojourn.bounds.intervals import clopper_pearson
from sojourn.errors import InputError
from sojourn.experiments.gray_scott_recover import RecoverGrayScott
from sojourn.learning.recover import forward as forward_module
from sojourn.learning.recover.forward import NAMES, Tangent, frames_from
from sojourn.learning.recover.frames import read_frames
from sojourn.learning.recover.substrate import substrate
from sojourn.learning.recover.waves import Waves
from sojourn.runs import Run

_STILL = {}


def process(name="maze", **options) -> sj.GrayScott:
    return sj.GrayScott.preset(name, **{"shape": (48, 48), "dtype": "float64", **options})


def true(p: sj.GrayScott) -> np.ndarray:
    return np.array([float(getattr(p, name)) for name in NAMES])


def moving(p: sj.GrayScott, *, steps=40, every=20, warm=600, ensemble=1) -> xr.Dataset:
    """Three frames, by default, of a pattern that is being born."""
    state = p.advance(p.initial(ensemble, sj.Noise(3)), 0, round(warm / p.dt), sj.Noise(0))
    return sj.simulate(p, state, steps=steps, save_every=every, progress=False).dataset


def resting(name: str, steps=40_000, members=1) -> xr.Dataset:
    """One frame of 64 x 64 cells, long after the start."""
    if (name, members) not in _STILL:
        p = process(name, shape=(64, 64))
        state = p.advance(p.initial(members, sj.Noise(1)), 0, steps, sj.Noise(0))
        _STILL[name, members] = sj.simulate(p, state, steps=0, progress=False).dataset
    return _STILL[name, members]


def noisy(data: xr.Dataset, sigma: float, seed: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    return data.assign({str(n): f + sigma * rng.standard_normal(f.shape) for n, f in data.data_vars.items()})


def holds(found, truth: np.ndarray) -> list[bool]:
    estimates = [getattr(found, name) for name in NAMES]
    return [bool(e.low <= t <= e.high) for e, t in zip(estimates, truth, strict=True)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("maze", {}),
        ("spirals", {"scheme": "rk4", "stencil": "fourth"}),
        ("spots", {"boundary": "neumann", "stencil": "isotropic"}),
        ("worms", {"boundary": "dirichlet", "scheme": "heun"}),
        ("maze", {"shape": (128,)}),
        ("maze", {"shape": (16, 20, 24), "start": "fourier", "scheme": "rk4"}),
    ],
)
def test_frames_without_noise_give_the_parameters_to_eight_digits(name, options):
    """The solver that made the frames fits them exactly, so only the iteration's end remains."""
    p = process(name, **options)
    found = sj.recover_gray_scott(moving(p, warm=100 if len(p.shape) == 3 else 600))
    np.testing.assert_allclose(found.values, true(p), rtol=1e-8)
    assert all(holds(found, true(p)))


def test_frames_in_float32_give_the_parameters_to_the_digits_of_float32():
    p = process(dtype="float32")
    found = sj.recover_gray_scott(moving(p))
    np.testing.assert_allclose(found.values, true(p), rtol=2e-6)


def test_an_unknown_scheme_is_fitted_spectrally_and_its_error_is_foretold():
    """Frames of second-order differences without a record: the error is the stated shift, to first order."""
    p = process(scheme="rk4")
    data = moving(p, steps=20, every=10)
    data.attrs = {}
    found = sj.recover_gray_scott(data)
    error = found.values - true(p)
    shift = np.array([found.discretisation[name] for name in NAMES])
    np.testing.assert_allclose(error, shift, rtol=0.2, atol=1e-4 * true(p).min())
    assert np.abs(error / true(p)).max() > 1e-3  # an error worth telling
    spectral = process(scheme="etdrk4", dealias="none")
    data = moving(spectral, steps=20, every=10, warm=100)
    data.attrs = {}
    np.testing.assert_allclose(sj.recover_gray_scott(data).values, true(spectral), rtol=1e-7)


def test_uneven_times_and_several_members():
    p = process(shape=(32, 32))
    data = moving(p, steps=60, every=10, ensemble=2).isel(time=[0, 1, 4, 6])
    np.testing.assert_allclose(sj.recover_gray_scott(data).values, true(p), rtol=1e-8)


def test_errors_and_intervals_are_proportional_to_the_noise():
    """The same draw of noise at 1e-5, 1e-4 and 1e-3: to first order errors and intervals scale with it."""
    p = process("spots")
    data = moving(p)
    found = [sj.recover_gray_scott(noisy(data, sigma, 5)) for sigma in (1e-5, 1e-4, 1e-3)]
    errors = np.array([f.values - true(p) for f in found])
    widths = np.array([[getattr(f, n).high - getattr(f, n).low for n in NAMES] for f in found])
    np.testing.assert_allclose(10 * errors[0], errors[1], rtol=0.1, atol=0.02 * widths[1].min())
    np.testing.assert_allclose(10 * widths[:2], widths[1:], rtol=0.1)
    np.testing.assert_allclose([f.noise for f in found], np.outer((1e-5, 1e-4, 1e-3), (1, 1)), rtol=0.05)


def test_intervals_from_noisy_frames_cover_the_truth():
    """For each parameter at least 5 of 12 seeds: fewer has probability below 2e-8 where 95% intervals hold."""
    p = process("maze", shape=(32, 32))
    data = moving(p)
    hits = np.array([holds(sj.recover_gray_scott(noisy(data, 0.005, seed)), true(p)) for seed in range(12)])
    least = 5
    assert binom.cdf(least - 1, 12, 0.95) < 2e-8
    assert (hits.sum(axis=0) >= least).all()


@pytest.mark.parametrize("name", ["maze", "spots"])
@pytest.mark.parametrize("alone", [False, True])
def test_a_picture_at_rest_gives_the_parameters(name, alone):
    data = resting(name)
    found = sj.recover_gray_scott(data.drop_vars("u") if alone else data)
    np.testing.assert_allclose(found.values, true(process(name)), rtol=2e-2 if alone else 1e-3)
    assert all(holds(found, true(process(name))))


@pytest.mark.parametrize("alone", [False, True])
def test_intervals_from_noisy_pictures_cover_the_truth(alone):
    """As for frames: for each parameter at least 5 of 12 seeds; fewer has probability below 2e-8 at 95%."""
    data = resting("maze")
    data = data.drop_vars("u") if alone else data
    hits = [holds(sj.recover_gray_scott(noisy(data, 0.003, seed)), true(process())) for seed in range(12)]
    assert (np.sum(hits, axis=0) >= 5).all()


def test_a_picture_of_unknown_contrast_keeps_three_numbers():
    """(u, v/c) is at rest for (D_u/c^2, F/c^2, D_v/c, (F + k)/c): what is found must turn so, three numbers stay."""
    data = resting("spots").drop_vars("u")
    found = sj.recover_gray_scott(data)
    c = 0.5
    scaled = data.assign(v=data["v"] / c)
    scaled.attrs = {**data.attrs, "parameters": {**data.attrs["parameters"], "dt": 0.2}}
    other = sj.recover_gray_scott(scaled)
    feed, kill, du, dv = found.values
    np.testing.assert_allclose(
        other.values, [feed / c**2, (feed + kill) / c - feed / c**2, du / c**2, dv / c], rtol=2e-2
    )
    for name in ("length_u", "length_v", "reaction"):
        np.testing.assert_allclose(getattr(other, name).value, getattr(found, name).value, rtol=1e-2)


@pytest.mark.parametrize("name", ["spirals", "gliders"])
@pytest.mark.parametrize("alone", [False, True])
def test_a_picture_that_moves_is_refused(name, alone):
    data = resting(name, steps=5000)
    with pytest.raises(InputError, match=r"not stationary|no stationary state|come to rest"):
        sj.recover_gray_scott(noisy(data.drop_vars("u") if alone else data, 0.003, 0))


def test_what_leaves_no_trace_is_not_determined():
    """Where v = 0, frames of a u that relaxes tell F and D_u alone."""
    p = process(shape=(64,))
    x = torch.from_numpy(p.coordinates()["x"])
    state = {"u": (1 - 0.3 * torch.exp(-200 * x**2))[None], "v": torch.zeros(1, 64, dtype=torch.float64)}
    found = sj.recover_gray_scott(sj.simulate(p, state, steps=40, save_every=20, progress=False))
    np.testing.assert_allclose([found.feed_rate.value, found.diffusivity_u.value], [p.feed_rate, 2e-5], rtol=1e-7)
    assert not {"kill_rate", "diffusivity_v"} & set(found.determined)
    assert "k   = not determined" in str(found)
    assert (found.feed_rate.guarantee, found.feed_rate.confidence) == ("asymptotic", 0.95)
    assert found.to_dict()["kill_rate"]["interval"] == [0.0, None]


def test_uniform_frames_tell_the_rates_and_not_the_diffusivities():
    p = process(shape=(32,))
    state = {"u": torch.full((1, 32), 0.6, dtype=torch.float64), "v": torch.full((1, 32), 0.3, dtype=torch.float64)}
    found = sj.recover_gray_scott(sj.simulate(p, state, steps=40, save_every=20, progress=False))
    np.testing.assert_allclose(found.values[:2], true(p)[:2], rtol=1e-7)
    assert found.determined == NAMES[:2]


@pytest.mark.parametrize("boundary", ["periodic", "neumann", "dirichlet"])
def test_the_adjoint_is_the_transpose_of_the_linearised_flow(boundary, monkeypatch):
    """<M d, e> = <d, M^T e> to float32's rounding; and in small pieces M d is the difference of two runs."""
    monkeypatch.setattr(forward_module, "_SMALL", 0.05)
    p = process(shape=(24, 20), boundary=boundary, scheme="rk4")
    waves = Waves(p.shape, p.spacing, boundary, "second")
    rng = np.random.default_rng(0)
    start = np.stack([s.numpy() for s in p.advance(p.initial(1, sj.Noise(0)), 0, 200, sj.Noise(0)).values()], axis=1)
    gaps = (10.0, 15.0)
    frames = frames_from(p, true(p), start, gaps)
    assert frames is not None
    tangent = Tangent(p, waves, true(p), frames, gaps, np.ones(2))
    d, ends = rng.standard_normal((1, 1, 2, 24, 20)), [rng.standard_normal((1, 1, 2, 24, 20)) for _ in gaps]
    forward = sum(float((a * b).sum()) for a, b in zip(tangent.apply(d), ends, strict=True))
    assert forward == pytest.approx(float((d * tangent.adjoint(ends)).sum()), rel=1e-4)
    d = waves.backward(np.exp(-waves.eigenvalues / 2000) * waves.forward(d))
    after = frames_from(p, true(p), start + 1e-6 * d[0], gaps)
    assert after is not None
    for j, linear in enumerate(tangent.apply(d)):
        np.testing.assert_allclose(linear[0], (after - frames)[:, j + 1] / 1e-6, atol=0.015 * np.abs(linear).max())


@pytest.mark.parametrize("boundary", ["periodic", "neumann", "dirichlet"])
def test_the_substrate_solves_its_equation(boundary):
    waves = Waves((32, 24), (0.01, 0.01), boundary, "second")
    v = np.random.default_rng(0).random((2, 32, 24))
    u = substrate(waves, v, 0.03, 2e-5)
    left = 2e-5 * waves.laplacian(u - 1) - (v**2 + 0.03) * u + 0.03
    np.testing.assert_allclose(left, 0, atol=1e-11)


def test_bad_input_is_told_in_one_line():
    data = moving(process(shape=(16, 16)), warm=10)
    one = data.isel(time=[0])
    cases = [
        (data.drop_vars("v"), "no field 'v'"),
        (data.drop_vars("u"), "no field 'u' in 3 frames"),
        (data.isel(time=[0, 2, 1]), "times do not increase: frame 1 is at 40"),
        (data.assign(v=data["v"].where(data["x"] > 0)), "field v is nan at member 0, frame 0"),
        (xr.Dataset({"v": (("y", "x"), np.ones((8, 8)))}), "axis y has no places"),
        (one.assign(u=one["u"] * 0 + 1, v=one["v"] * 0), "the picture is uniform"),
        (data.assign(u=data["u"] * 0 + 1, v=data["v"] * 0), "nothing is determined"),
        (data.isel(x=slice(0, 9)), "a part of the domain"),
        ({"u": 1}, "not dict"),
    ]
    for bad, message in cases:
        with pytest.raises(InputError, match=message) as error:
            sj.recover_gray_scott(bad)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match='boundary="neumann", but the trajectory says "periodic"'):
        sj.recover_gray_scott(data, boundary="neumann")
    with pytest.raises(InputError, match=r"confidence=2 is not in \(0, 1\)"):
        sj.recover_gray_scott(data, confidence=2)


def test_frames_are_read_with_their_spacing_and_times():
    p = process(shape=(16, 16), boundary="neumann")
    frames = read_frames(moving(p, warm=10), None)
    np.testing.assert_allclose(frames.solver.spacing, p.spacing)
    np.testing.assert_allclose(frames.times, [0, 20, 40])
    assert frames.known
    assert frames.solver.boundary == "neumann"


def test_the_experiment_goes_on_where_it_was_cut(tmp_path):
    """A run that lost its last fits makes the same table as one that did not."""
    experiment = RecoverGrayScott(patterns=("maze",), pictures=("maze",), noises=(0.003,), seeds=2, side=32, rest=8000)
    run = Run.create("gray-scott-recover", experiment.settings(), tmp_path / "run")
    lines = experiment.run(run)
    cases = run.record["results"]["cases"]
    assert [case["fits"] for case in cases] == [2, 2, 2]
    share = run.record["results"]["coverage"]["frames, feed_rate"]
    held = cases[0]["feed_rate"]["held"]
    assert share["value"] == held / 2
    assert share["interval"] == [clopper_pearson(held, 2).low, clopper_pearson(held, 2).high]
    assert any("95%, Clopper-Pearson, at this n, each by itself" in line for line in lines)
    for stage in ("frames maze 0.003", "v alone maze 0.003"):
        run.rewind(stage, 0)
    experiment.run(run)
    assert run.record["results"]["cases"] == cases
    assert (run.path / "figures" / "recovered.png").stat().st_size > 10_000
