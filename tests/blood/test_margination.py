"""Robots that red cells push to the wall: the steady law across a vessel, the step, the kernel, gradients."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import cumulative_simpson
from scipy.stats import chi2

import sojourn as sj
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.dispersion import Margination, margination_drift
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.motion import move
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.solver import Flow
from sojourn.processes.blood.walls import normal_mobility

REAL = torch.float64
R, A = 2e-6, 0.5e-6


def tube(excess=None, steepness=1.0, hematocrit=0.45, **given):
    """Robots in one long vessel of radius R, in which red cells mix about as much as Brownian motion does."""
    network, zero = VesselNetwork.tube(2 * R, 1.0), torch.zeros(1, dtype=REAL)
    q, mu = zero + math.pi * R**2 * 5e-5, zero + 1.2e-3
    flow = Flow(network, torch.zeros(2, dtype=REAL), q, zero + hematocrit, mu, 0.0, 0.0, 0)
    margination = None if excess is None else Margination(excess, steepness)
    return BloodRobots(flow, Robot(A), **{"shear_strength": 0.01, "margination": margination, **given})


def law(process):
    """Places r and the share of robots within them, of D_n d(ln c)/dr = s r d(ln P)/dr with c robots to an area."""
    s, D = float(process.vessels.mixing), float(process.body.diffusivity)
    excess, m = process.margination.excess, process.margination.steepness
    r = np.linspace(0, R - A, 20_001)
    brownian = D * normal_mobility(torch.from_numpy(R - A - r), A).numpy()
    slope = (excess - 1) * m * r ** (m - 1) / (R**m + (excess - 1) * r**m)
    share = np.ones_like(r)
    share[1:] = s * r[1:] / (s * r[1:] + brownian[1:])  # red cells' part in the diffusion
    c = np.exp(cumulative_simpson(share * slope, x=r, initial=0))
    within = cumulative_simpson(c * r, x=r, initial=0)
    return r, within / within[-1]


def spread(process, n, seconds):
    """Distances from the axis after a time that is many R^2 / D, from where robots come in."""
    state = process.initial(n, Noise(5))
    state["along"].fill_(0.5)
    return process.advance(state, 0, round(seconds / process.dt), Noise(11))["across"].norm(dim=1).numpy()


def misfit(shares, bins=40):
    """Chi-square of what should be uniform on [0, 1], over the value that chance exceeds once in 1e6."""
    counts, expected = np.histogram(shares, bins, (0, 1 + 1e-12))[0], len(shares) / bins
    return ((counts - expected) ** 2 / expected).sum() / chi2.isf(1e-6, bins - 1)


@pytest.mark.parametrize(
    ("excess", "steepness", "dt"), [(4.0, 3.0, 1e-3), (20.0, 8.0, None), (1000.0, 1.0, None), (0.01, 1.0, None)]
)
def test_the_steady_law(excess, steepness, dt):
    """With the walls' own D_n: an excess that is steep, strong, or of the axis; chi-square, 1e-6."""
    process = tube(excess, steepness, dt=dt)
    r = spread(process, 60_000, 2.0)
    assert misfit(np.interp(r, *law(process))) < 1
    assert misfit((r / (R - A)) ** 2) > 1.5  # of the uniform law


def test_without_brownian_motion_the_law_is_the_profile():
    """int (1 + (E - 1) (r/R)^m) r dr in closed form, at a temperature of nothing; chi-square, 1e-6."""
    excess, m = 4.0, 3.0
    process = tube(excess, m, temperature=1e-20)

    def within(r):
        return r**2 / 2 + (excess - 1) * r ** (m + 2) / ((m + 2) * R**m)

    r = spread(process, 60_000, 2.0)
    assert misfit(within(r) / within(R - A)) < 1


def test_without_red_cells_nobody_is_pushed():
    """Brownian motion keeps its own steps, and so its uniform law."""
    pushed, free = tube(20.0, 8.0, hematocrit=0.0, dt=1e-3), tube(hematocrit=0.0, dt=1e-3)
    start = free.initial(500, Noise(1))
    for run in (BloodRobots.advance, lambda process, *rest: super(BloodRobots, process).advance(*rest)):
        found, expected = (run(process, start, 0, 20, Noise(2)) for process in (pushed, free))
        for name, value in expected.items():
            torch.testing.assert_close(found[name].double(), value.double(), rtol=1e-10, atol=1e-20)


def test_the_step_has_the_drift():
    """With the same normals a step differs by v dt outwards, v = D d(ln P)/dr with the red cells' D = s r alone."""
    process = tube(4.0, 3.0)
    state, xi = process.initial(300, Noise(3)), Noise(4).sequence(0, 300, 6, REAL)
    here = process.vessels.of(state["vessel"].long())
    given = (process.body, state["across"], state["axis"], torch.zeros(300, 3, dtype=REAL))
    steps = [move(here, *given, process.field.jacobian, 1e-3, xi, x).across for x in (process.margination, None)]
    r = state["across"].norm(dim=1)
    v = margination_drift(process.vessels.mixing * r, r, R, excess=4.0, steepness=3.0)
    torch.testing.assert_close(
        steps[0] - steps[1], 1e-3 * (v / r)[:, None] * state["across"], rtol=1e-9, atol=1e-9 * float(v.max()) * 1e-3
    )


@pytest.mark.parametrize(("excess", "steepness"), [(4.0, 3.0), (0.2, 2.5), (30.0, 1.0)])
def test_a_step_of_the_kernel_is_a_step(excess, steepness):
    """From common states, through nodes, in a field with a gradient."""
    flow = VesselNetwork.honeycomb(2, 2, diameter="12 um", length="30 um", inlet_velocity="2 mm/s").solve()
    robot = Robot("0.5 um", magnetic_moment="1e-15 A m^2", swim_speed="40 um/s", aspect_ratio=2.0)
    field = MagneticField.gradient((0, 1e-5, 0), [[0.5, 0.2, 0], [0.2, -0.4, 0.1], [0, 0.1, -0.1]])
    process, noise = BloodRobots(flow, robot, field=field, margination=Margination(excess, steepness)), Noise(3)
    state, crossed = process.initial(200, noise), 0
    for k in range(0, 400, 10):
        found, expected = process.advance(state, k, 1, noise), process.step(state, k, noise)
        for name, value in expected.items():
            scale = 1e-6 if name in ("along", "across") else 1.0
            torch.testing.assert_close(found[name] / scale, value / scale, rtol=1e-9, atol=1e-9)
        crossed += int((found["vessel"] != state["vessel"]).sum())
        state = process.advance(found, k + 1, 9, noise)
    assert crossed > 10


def distance(excess, steepness):
    """The mean square of the distance from the axis after 30 steps, over R^2."""
    process, noise = tube(excess, steepness, dt=1e-3), Noise(9)
    with torch.no_grad():
        state = process.initial(64, noise)
        state["along"].fill_(0.5)
    state = process.advance(state, 0, 30, noise)
    return state["across"].square().sum(1).mean() / R**2


@pytest.mark.parametrize("which", [0, 1])
def test_gradients_are_those_of_finite_differences(which):
    """Through `advance`, whose kernel hands over to `step` where a gradient is asked for."""
    values, small = [4.0, 3.0], 1e-5
    given = [torch.tensor(x, dtype=REAL, requires_grad=k == which) for k, x in enumerate(values)]
    (found,) = torch.autograd.grad(distance(*given), given[which])
    ends = [float(distance(*(x + sign * small * (k == which) for k, x in enumerate(values)))) for sign in (1, -1)]
    assert float(found) == pytest.approx((ends[0] - ends[1]) / (2 * small), rel=1e-5)
    assert abs(float(found)) > 1e-4


def test_a_steep_profile_asks_for_a_short_step():
    """sqrt(2 D dt) is a quarter of the length over which P changes at the wall, with all that D may be there."""
    process = tube(50.0, 12.0)
    x = (R - A) / R
    slope = 49 * 12 * x**11 / (R * (1 + 49 * x**12))
    D = float(process.body.diffusivity) + float(process.vessels.mixing) * (R - A)
    assert math.sqrt(2 * D * process.dt) * slope == pytest.approx(0.25, rel=1e-9)
    assert process.dt < tube(4.0, 1.0).dt == tube().dt
    with pytest.raises(InputError, match="carries a robot through the wall of vessel 0; give at most"):
        tube(50.0, 12.0, dt="8 ms")


def test_the_page_runs_as_written():
    """docs/blood.md: robots that are pushed move on, and some attempts hold in every vessel, but not all."""
    page = (Path(__file__).parents[2] / "docs" / "blood.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    found: dict = {}
    exec(compile(first.split("run =")[0] + second, "docs/blood.md", "exec"), found)
    run = sj.simulate(found["robots"], steps=200, ensemble=100, seed=0, progress=False)
    assert float(run.state()["shear_exposure"].min()) > 0
    held = found["ligands"].probability("0.5 um", found["flow"].wall_shear_stress.abs())
    assert 0 < float(held.min()) < float(held.max()) < 0.6


def test_as_text():
    assert repr(Margination("400 %", 3)) == "Margination(excess=4, steepness=3)"
    assert "Margination(excess=4, steepness=3), dt=" in repr(tube(4.0, 3.0))
    assert "Margination" not in repr(tube())
    assert repr(tube()).endswith("ms', shear_strength='0.01')")  # what is as usual is left out


def test_bad_input():
    with pytest.raises(InputError, match=r"steepness=0\.5 is outside \[1, 1000\]; a profile with a cusp"):
        Margination(2, 0.5)
    with pytest.raises(InputError, match="excess=0 is not above zero"):
        Margination(0, 2)
    with pytest.raises(InputError, match="margination is a float; give a Margination or None"):
        tube(margination=4.0)
    with pytest.raises(InputError, match="shear_strength=0 with margination: red cells that do not mix push nobody"):
        tube(4.0, 2.0, shear_strength=0)
    with pytest.raises(InputError, match=r"excess has the shape \(2,\); give one number, the same for all robots"):
        tube(torch.tensor([2.0, 3.0]), 2.0)
