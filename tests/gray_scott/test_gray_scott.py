"""Gray-Scott as a process: conservation, symmetries, boundaries, gradients, fields in space, starts and bad input."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import sojourn as sj
from sojourn.processes.gray_scott.presets import PRESETS

sys.path.insert(0, str(Path(__file__).parent))
from smooth import SMOOTH, difference, run, smooth_state

SCHEMES = ["euler", "heun", "rk4", "etdrk4"]
NOISE = sj.Noise(3)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
@pytest.mark.parametrize("shape", [(32,), (12, 20), (6, 8, 10)])
def test_without_feed_and_drain_matter_is_conserved(scheme, boundary, shape):
    process = sj.GrayScott(
        0.0, 0.0, shape=shape, boundary=boundary, scheme=scheme, dtype="float64", start="fourier", dt=0.5
    )
    start = process.initial(2, NOISE)
    after = run(process, start, 20)
    total = [(s["u"] + s["v"]).flatten(1).sum(1) for s in (start, after)]
    torch.testing.assert_close(total[1], total[0], rtol=1e-13, atol=0)
    assert float(after["u"].mean()) < float(start["u"].mean()) - 1e-3  # and something did happen


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("stencil", ["second", "isotropic", "fourth"])
def test_shifts_and_turns_of_a_torus_commute_with_the_dynamics(scheme, stencil):
    process = sj.GrayScott(shape=(20, 20), scheme=scheme, stencil=stencil, dtype="float64", start="fourier", dt=0.5)
    start = process.initial(1, NOISE)
    after = run(process, start, 10)
    for move in (
        lambda f: torch.roll(f, (3, -5), (1, 2)),
        lambda f: f.transpose(1, 2),
        lambda f: torch.rot90(f, 1, (1, 2)),
    ):
        moved = run(process, {k: move(f) for k, f in start.items()}, 10)
        assert difference(moved, {k: move(f) for k, f in after.items()}) < 1e-13


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("stencil", ["second", "isotropic", "fourth"])
def test_neumann_walls_are_mirrors(scheme, stencil):
    """Between walls = half of a torus of twice the length that starts symmetric."""
    common = {"scheme": scheme, "stencil": stencil, "dtype": "float64", "dt": 0.5}
    walls = sj.GrayScott(shape=(10, 12), boundary="neumann", start="fourier", **common)
    torus = sj.GrayScott(shape=(20, 24), **common)
    start = walls.initial(1, NOISE)
    doubled = {k: torch.cat([f, f.flip(1)], 1) for k, f in start.items()}
    doubled = {k: torch.cat([f, f.flip(2)], 2) for k, f in doubled.items()}
    after = {k: f[:, :10, :12] for k, f in run(torus, doubled, 10).items()}
    tolerance = 1e-13 if scheme != "etdrk4" else 2e-3  # the torus keeps other waves: equal only where resolved
    assert difference(run(walls, start, 10), after) < tolerance


def test_spectral_neumann_walls_are_mirrors_where_resolved():
    common = {**SMOOTH, "scheme": "etdrk4", "dt": 0.5}
    walls = sj.GrayScott(shape=(24,), extent=1.0, boundary="neumann", **common)
    torus = sj.GrayScott(shape=(48,), extent=2.0, **common)
    start = smooth_state(walls)
    doubled = {k: torch.cat([f, f.flip(1)], 1) for k, f in start.items()}
    after = {k: f[:, :24] for k, f in run(torus, doubled, 40).items()}
    assert difference(run(walls, start, 40), after) < 1e-12


def test_dirichlet_walls_hold_the_fed_state():
    """Pure diffusion to walls at u = 1: u - 1 = sin(pi x) exp(-D pi^2 t), to the order of the stencil."""
    errors = []
    for n in (16, 32):
        process = sj.GrayScott(
            0.0, 0.0, 0.01, 0.01, shape=(n,), extent=1.0, boundary="dirichlet", scheme="rk4", dt=0.05, dtype="float64"
        )
        shape = torch.sin(np.pi * (torch.from_numpy(process.coordinates()["x"]) + 0.5))[None]
        after = run(process, {"u": 1 + shape, "v": torch.zeros_like(shape)}, 100)
        errors.append(float((after["u"] - 1 - shape * np.exp(-0.01 * np.pi**2 * 5)).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
    rest = sj.GrayScott(shape=(8, 8), boundary="dirichlet", dtype="float64")
    fed = {"u": torch.ones(1, 8, 8, dtype=torch.float64), "v": torch.zeros(1, 8, 8, dtype=torch.float64)}
    assert difference(run(rest, fed, 5), fed) == 0.0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients_in_state_and_parameters(scheme):
    shape = (5, 6)
    field = torch.from_numpy(np.random.default_rng(0).uniform(0.02, 0.06, shape)).requires_grad_()
    numbers = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.06, 0.2, 0.1)]
    u, v = (torch.rand((2, *shape), dtype=torch.float64, generator=torch.Generator().manual_seed(0)) for _ in range(2))

    def after(feed, kill, du, dv, u, v):
        process = sj.GrayScott(feed, kill, du, dv, shape=shape, extent=(5.0, 6.0), scheme=scheme, dtype="float64")
        state = process.advance({"u": u, "v": v}, 0, 2, NOISE)
        return state["u"], state["v"]

    assert torch.autograd.gradcheck(
        after, (field, *numbers, u.requires_grad_(), v.requires_grad_()), eps=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
def test_rates_that_vary_in_space(scheme, boundary):
    common = {"shape": (13, 17), "scheme": scheme, "boundary": boundary, "dtype": "float64", "start": "fourier"}
    number = sj.GrayScott(0.03, 0.06, **common)
    same = sj.GrayScott(torch.full((13, 17), 0.03), torch.full((13, 17), 0.06, dtype=torch.float64), **common)
    start = number.initial(2, NOISE)
    assert difference(run(number, start, 10), run(same, start, 10)) < 1e-8  # 0.03 in float32 differs by 7e-10
    ramp = torch.linspace(0.01, 0.09, 17, dtype=torch.float64).expand(13, 17)
    uneven = sj.GrayScott(ramp, 0.06, **{**common, "dt": 0.01})
    rest = {"u": torch.full((1, 13, 17), 0.5, dtype=torch.float64), "v": torch.zeros(1, 13, 17, dtype=torch.float64)}
    grown = uneven.step(rest, 0, NOISE)["u"] - rest["u"]
    interior = slice(2, -2) if scheme != "etdrk4" or boundary == "neumann" else slice(5, -5)
    expected = (0.01 * 0.5 * ramp)[None]
    tolerance = 3e-7 if scheme != "etdrk4" else 2e-5  # a ramp is no short sum of waves
    assert float((grown - expected)[..., interior].abs().max()) < tolerance


@pytest.mark.parametrize("scheme", SCHEMES)
def test_chunks_and_ensembles_change_no_bit(scheme):
    process = sj.GrayScott(shape=(24, 32), scheme=scheme, start="seeds")
    whole = sj.simulate(process, steps=60, save_every=20, ensemble=3, seed=5, progress=False)
    noise = sj.Noise(5)
    state = process.initial(3, noise.split("initial"))
    for t, size in ((0, 7), (7, 30), (37, 23)):
        state = process.advance(state, t, size, noise)
    np.testing.assert_array_equal(whole.state()["v"], state["v"])
    third = process.initial(1, noise.split("initial").members(2))
    np.testing.assert_array_equal(process.advance(third, 0, 60, noise)["v"][0], state["v"][2])


@pytest.mark.parametrize("scheme", ["euler", "heun", "rk4"])
@pytest.mark.parametrize("stencil", ["second", "isotropic", "fourth"])
@pytest.mark.parametrize(
    ("shape", "boundary"),
    [
        ((40,), "periodic"),
        ((17, 33), "periodic"),
        ((20, 19), "neumann"),
        ((18, 35), "dirichlet"),
        ((6, 9, 17), "neumann"),
    ],
)
def test_the_explicit_kernel_equals_its_definition(shape, boundary, stencil, scheme):
    process = sj.GrayScott(
        shape=shape, boundary=boundary, scheme=scheme, stencil=stencil, dtype="float64", start="fourier", dt=0.25
    )
    start = process.initial(2, NOISE)
    after = run(process, start, 20)
    assert difference(process.advance(start, 0, 20, NOISE), after) < 1e-13
    assert difference(after, start) > 1e-3


def test_the_explicit_kernel_equals_its_definition_where_rates_vary():
    field = torch.linspace(0.02, 0.07, 33, dtype=torch.float64).expand(17, 33)
    process = sj.GrayScott(field, 0.5 * field + 0.03, shape=(17, 33), dtype="float64", start="fourier", dt=0.25)
    start = process.initial(2, NOISE)
    assert difference(process.advance(start, 0, 20, NOISE), run(process, start, 20)) < 1e-13


@pytest.mark.parametrize("dealias", ["padded", "none"])
@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
@pytest.mark.parametrize("shape", [(15,), (10, 12), (6, 7, 8)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-6), ("float64", 1e-14)])
def test_the_fused_spectral_scheme_equals_its_definition(shape, boundary, dealias, dtype, tolerance):
    process = sj.GrayScott(
        shape=shape, boundary=boundary, scheme="etdrk4", dealias=dealias, dtype=dtype, start="fourier"
    )
    start = process.initial(2, NOISE)
    assert difference(process.advance(start, 0, 20, NOISE), run(process, start, 20)) < tolerance
    field = torch.full(shape, process.feed_rate, dtype=getattr(torch, dtype))
    uneven = sj.GrayScott(field, shape=shape, boundary=boundary, scheme="etdrk4", dealias=dealias, dtype=dtype)
    assert difference(uneven.advance(start, 0, 20, NOISE), run(uneven, start, 20)) < tolerance


@pytest.mark.parametrize("dealias", ["padded", "none"])
@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
@pytest.mark.parametrize("shape", [(40,), (33, 24), (128, 128), (12, 9, 16)])
def test_a_member_has_the_same_bits_alone_and_among_others(shape, boundary, dealias):
    """The FFT library promises nothing of the kind; if this fails, `step` must transform members one by one."""
    process = sj.GrayScott(shape=shape, boundary=boundary, scheme="etdrk4", dealias=dealias)
    state = process.initial(5, NOISE)
    together = process.advance(state, 0, 3, NOISE)
    for member in (0, 3, 4):
        alone = process.advance({k: f[member : member + 1].clone() for k, f in state.items()}, 0, 3, NOISE)
        assert all(torch.equal(alone[k][0], together[k][member]) for k in state)


def test_a_stored_run_is_labelled_and_resumes_exactly(tmp_path):
    process = sj.GrayScott.preset("spots", shape=(16, 24), feed_rate=torch.full((16, 24), 0.03))
    path = sj.simulate(process, steps=40, save_every=10, out=tmp_path / "g.zarr", progress=False)
    np.testing.assert_allclose(path.dataset["x"], (np.arange(24) - 12) * 2.5 / 256)
    np.testing.assert_allclose(path.dataset["y"], (np.arange(16) - 8) * 2.5 / 256)
    parameters = path.dataset.attrs["parameters"]
    assert parameters["kill_rate"] == 0.062
    assert parameters["feed_rate"]["shape"] == [16, 24]
    again = sj.simulate(process, steps=40, save_every=10, out=tmp_path / "g.zarr", resume=True, progress=False)
    xr.testing.assert_equal(again.dataset.load(), path.dataset.load())
    other = sj.GrayScott.preset("spots", shape=(16, 24), feed_rate=torch.full((16, 24), 0.04))
    with pytest.raises(sj.InputError, match="was begun with parameters"):
        sj.simulate(other, steps=40, save_every=10, out=tmp_path / "g.zarr", resume=True, progress=False)


def test_starts():
    square = sj.GrayScott(shape=(256, 256), start="pearson", dtype="float64").initial(2, NOISE)
    inside = square["v"] > 0.1
    assert inside.sum((1, 2)).tolist() == [21 * 21] * 2  # 20 cells of 256, and the middle one
    assert float((square["u"] - torch.where(inside, 0.5, 1.0)).abs().max()) <= 0.01
    assert float((square["v"] - torch.where(inside, 0.25, 0.0)).abs().max()) <= 0.0025
    for shape in ((64,), (64, 64), (16, 16, 16)):
        bumps = sj.GrayScott(shape=shape, extent=2.0, scheme="etdrk4", start="gaussian").initial(3, NOISE)
        for field in bumps.values():
            np.testing.assert_array_equal(field.flatten(1).amin(1), 0)
            np.testing.assert_array_equal(field.flatten(1).amax(1), 1)
    seeds = sj.GrayScott(shape=(96, 96), start="seeds", dtype="float64").initial(2, NOISE)
    assert 4 * 40 < int((seeds["v"][0] > 0.1).sum()) < 4 * 220
    assert float((seeds["v"][0] - seeds["v"][1]).abs().max()) > 0.1


def test_the_fourier_start_is_a_trigonometric_interpolation():
    process = sj.GrayScott.preset("maze", shape=(32, 32), extent=2.0, scheme="etdrk4", start="fourier", dtype="float64")
    start = process.initial(1, NOISE)
    drawn = NOISE.split("u").uniform(0, 1, (32, 32)).double()
    torch.testing.assert_close(start["u"], 1 + 0.5 * (drawn - 0.5), rtol=0, atol=1e-13)
    fine = sj.GrayScott.preset("maze", shape=(64, 64), extent=2.0, scheme="etdrk4", start="fourier", dtype="float64")
    torch.testing.assert_close(fine.initial(1, NOISE)["v"][:, ::2, ::2], start["v"], rtol=0, atol=1e-13)
    assert float(start["v"].min()) < -0.2
    bubbles = sj.GrayScott.preset(
        "bubbles", shape=(32, 32), extent=2.0, scheme="etdrk4", start="fourier", dtype="float64"
    )
    uniform = {"u": torch.full((1, 32, 32), float(bubbles.initial(1, NOISE)["u"].mean()), dtype=torch.float64)}
    a = 0.098**0.5 / (0.098 + 0.057)
    assert float(uniform["u"].mean()) == pytest.approx((a - (a * a - 4) ** 0.5) / (2 * a), abs=0.01)


def test_presets():
    assert sj.GrayScott(shape=[8, 9], extent=[1.0, 2.0]) == sj.GrayScott(shape=(8, 9), extent=(1.0, 2.0))
    assert sj.GrayScott.preset("u-skate").feed_rate == 0.062
    assert all(sj.GrayScott.preset(name).kill_rate == k for name, (_, k) in PRESETS.items())
    with pytest.raises(sj.InputError, match="no Gray-Scott pattern is called 'labyrinth'; there are: gliders, bubbles"):
        sj.GrayScott.preset("labyrinth")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"diffusivity_u": -0.16}, "diffusivity_u=-0.16 is negative or not finite"),
        ({"feed_rate": float("nan")}, "feed_rate=nan is negative or not finite"),
        ({"feed_rate": torch.zeros(3, 3)}, r"feed_rate has shape \(3, 3\); a field in space needs .* \(256, 256\)"),
        ({"kill_rate": "much"}, "kill_rate='much' is not a number"),
        (
            {"diffusivity_u": 0.16, "diffusivity_v": 0.08, "extent": 256.0, "dt": 2.0},
            r'dt=2 is above the explicit stability limit 1.53 for diffusivity 0.16 on spacing 1 .* scheme="etdrk4"',
        ),
        (
            {"feed_rate": 0.11, "kill_rate": 0.03},
            "dt=1 is above the explicit stability limit 0.963",
        ),  # at the blue state
        ({"scheme": "etdrk4", "dt": 100.0}, "dt=100 is above the stability limit 32.4 of feed_rate and kill_rate"),
        ({"dt": 0.0}, "dt=0.0 is not a time step"),
        ({"shape": (2, 64)}, r"shape=\(2, 64\) is too small for stencil='second'; use 3 cells or more"),
        ({"shape": (64, 4), "stencil": "fourth", "dt": 0.1}, "is too small for stencil='fourth'; use 5 cells or more"),
        ({"shape": (3,), "scheme": "etdrk4"}, 'is too small for scheme="etdrk4"; use 4 cells or more'),
        ({"shape": (4, 4, 4, 4)}, r"shape=\(4, 4, 4, 4\) is not \(x,\), \(y, x\) or \(z, y, x\)"),
        ({"shape": (64, 64.5)}, "in whole numbers of cells"),
        ({"extent": (1.0,)}, r"extent=\(1.0,\) has 1 lengths and shape=\(256, 256\) has 2"),
        ({"extent": -1.0}, "extent=-1.0 is not a length"),
        ({"boundary": "dirichlet", "scheme": "etdrk4"}, "does not go together"),
        ({"boundary": "klein"}, "boundary='klein' is not known; choose one of: periodic, neumann, dirichlet"),
        ({"stencil": "isotropic", "extent": (1.0, 2.0), "dt": 0.01}, 'stencil="isotropic" needs one spacing'),
        ({"scheme": "magic"}, "scheme='magic' is not known"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(sj.InputError, match=message):
        sj.GrayScott(**parameters)


def test_the_limit_holds_at_the_blue_state_too():
    """Small checkerboards on the state with v > 0 die out just below the limit, and grow just above it."""
    from dataclasses import replace

    from sojourn.processes.gray_scott.checks import largest_dt
    from sojourn.processes.gray_scott.uniform import blue_state

    process = sj.GrayScott(0.11, 0.03, shape=(16, 16), dtype="float64", dt=0.1)
    limit, _ = largest_dt(process)
    board = 1e-6 * (-1.0) ** (torch.arange(16)[:, None] + torch.arange(16)).double()
    u, v = blue_state(0.11, 0.03)
    state = {"u": u + board[None], "v": torch.full((1, 16, 16), v, dtype=torch.float64)}
    below, above = replace(process, dt=0.995 * limit), replace(process, dt=0.995 * limit)
    object.__setattr__(above, "dt", 1.005 * limit)
    assert float(run(below, state, 1000)["u"].std()) < 1e-7
    assert float(run(above, state, 1000)["u"].std()) > 1e-5


def test_just_below_the_limit_it_is_stable_and_above_it_is_not():
    from dataclasses import replace

    from sojourn.processes.gray_scott.checks import largest_dt

    process = sj.GrayScott(0.03, 0.06, shape=(16, 16), dtype="float64")
    limit, species = largest_dt(process)
    assert species == "u"
    state = {"u": 1 + 1e-6 * torch.randn(1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))}
    state["v"] = torch.zeros_like(state["u"])
    below = run(replace(process, dt=0.999 * limit), state, 3000)
    assert float((below["u"] - 1).abs().max()) < 1e-6
    above = replace(process, dt=0.999 * limit)
    object.__setattr__(above, "dt", 1.01 * limit)
    assert float((run(above, state, 3000)["u"] - 1).abs().max()) > 1.0
