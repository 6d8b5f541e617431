"""A step of a robot against differentiated diffusivities, Jeffery's equation, free space, tubes, conserved numbers."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp
from scipy.spatial.transform import Rotation
from scipy.stats import chi2, kstest, ncx2

from sojourn.noise import Noise
from sojourn.processes.blood.closed_forms import active_displacement, orientation_memory
from sojourn.processes.blood.dispersion import taylor_aris_diffusivity
from sojourn.processes.blood.jeffery import angular_velocity
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.mobility import BOLTZMANN
from sojourn.processes.blood.motion import Body, Vessels, bounce, flow, move, reflected, rotated
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.solver import Flow

REAL = torch.float64
R, A = 5e-6, 0.5e-6
SIGMAS = 4.9  # two-sided, 1e-6


def real(*x):
    return torch.tensor(x, dtype=REAL)


def frames(n, seed=0):
    return torch.from_numpy(Rotation.random(n, np.random.default_rng(seed)).as_matrix())


def vessels(n, shear=0.0, mixing=0.0, radius=R, seed=0):
    ones = torch.ones(n, dtype=REAL)
    return Vessels(
        ones, radius * ones, shear * ones, mixing * ones, frames(n, seed), torch.zeros(n, 3, dtype=REAL), ones
    )


def body(robot=None, viscosity=1.2e-3, temperature=310.15):
    robot = robot or Robot(A)
    m = robot.mobility(viscosity)
    mean, energy = (m.along + 2 * m.across) / 3, BOLTZMANN * temperature
    numbers = (robot.largest_radius, energy * mean, mean, energy * m.tumble, m.tumble)
    rest = (robot.swim_speed, robot.magnetic_moment, robot.shape_factor)
    return Body(*(torch.as_tensor(x, dtype=REAL) for x in (*numbers, *rest)))


def steps(where, what, y, axis, xi, dt=1e-3, field=(0.0, 0.0, 0.0), gradient=None):
    n = len(y)
    jacobian = torch.zeros(3, 3, dtype=REAL) if gradient is None else gradient
    return move(where, what, y, axis, real(*field).expand(n, 3), jacobian, dt, xi)


def points(n, seed=1, limit=R - A):
    """Places across, uniform up to the wall, and axes."""
    random = np.random.default_rng(seed)
    r, angle = limit * np.sqrt(random.random(n)), 2 * np.pi * random.random(n)
    axis = random.normal(size=(n, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    return torch.from_numpy(np.stack([r * np.cos(angle), r * np.sin(angle)], 1)), torch.from_numpy(axis)


def diffusivity(y, where, what, dt=1e-3):
    """(n, 3, 3): B B^T / 2 dt, column j of B being the odd part of what the jth normal does."""
    n, columns = len(y), []
    for j in range(3):
        xi = torch.zeros(n, 6, dtype=REAL)
        xi[:, j] = 1
        moves = [steps(where, what, y, real(1.0, 0, 0).expand(n, 3), sign * xi, dt) for sign in (1, -1)]
        there, back = (torch.cat([m.along[:, None], m.across], 1) for m in moves)
        columns.append((there - back) / 2)
    root = torch.stack(columns, 2)
    return root @ root.mT / (2 * dt)


@pytest.mark.parametrize("mixing", [0.0, 3e-8])
def test_the_drift_is_the_divergence_of_the_diffusivity(mixing):
    """div D by automatic differentiation of the noise itself; where D has no closed form it needs none."""
    y, _ = points(400)
    y.requires_grad_()
    where, what = vessels(len(y), mixing=mixing), body()
    D = diffusivity(y, where, what)
    divergence = torch.stack(
        [
            sum(torch.autograd.grad(D[:, i, j].sum(), y, retain_graph=True)[0][:, j - 1] for j in (1, 2))
            for i in (0, 1, 2)
        ],
        1,
    )
    # The step is quadratic in its normals, so signs of 1 average it exactly.
    drift = torch.zeros(len(y), 3, dtype=REAL)
    for a, b, c in itertools.product((1.0, -1.0), repeat=3):
        moved = steps(
            where, what, y.detach(), real(0, 0, 1.0).expand(len(y), 3), real(a, b, c, 0, 0, 0).expand(len(y), 6)
        )
        drift += torch.cat([moved.along[:, None], moved.across], 1) / 8e-3
    torch.testing.assert_close(drift, divergence.detach(), rtol=1e-8, atol=1e-14)
    assert divergence[:, 0].abs().max() < 1e-20


def test_a_step_near_contact_has_the_exact_law():
    """Where D_n = D_0 x / a in the gap x, x is the square of a plane Brownian motion: 2 x / (D_0 dt / a) after a step
    is noncentral chi-square with two degrees of freedom. Kolmogorov and Smirnov's test, 1e-6, from in contact on."""
    n, what, wide = 100_000, body(), 1e-3
    where = Vessels(*(x.expand(n, *x.shape[1:]) for x in vessels(1, radius=wide)))
    xi = Noise(1).sequence(0, n, 6, REAL)
    dt = 1e-5 * A**2 / float(what.diffusivity)
    unit = float(what.diffusivity) * dt / A / 2
    for start in (0.0, 0.3 * unit, 5 * unit, 100 * unit):
        y = torch.stack([torch.full((n,), wide - A - start, dtype=REAL), torch.zeros(n, dtype=REAL)], 1)
        moved = steps(where, what, y, real(0, 0, 1.0).expand(n, 3), xi, dt)
        gap = (wide - A) - (y + moved.across).norm(dim=1)
        assert gap.min() > -1e-6 * unit
        assert kstest(gap.numpy() / unit, ncx2(2, start / unit).cdf).pvalue > 1e-6


def test_force_and_noise_have_one_mobility():
    """Fluctuation and dissipation: the speed for a force is D / kT times it, walls included."""
    gradient = torch.diag(real(0.3, -0.1, -0.2)) + real(*[0.0] * 9).reshape(3, 3)
    gradient[0, 1] = gradient[1, 0] = 0.25
    y, axis = points(300)
    where, what = vessels(len(y)), body(Robot(A, magnetic_moment=1e-15))
    zero = torch.zeros(len(y), 6, dtype=REAL)
    pushed, still = steps(where, what, y, axis, zero, gradient=gradient), steps(where, what, y, axis, zero)
    moved = torch.cat([(pushed.along - still.along)[:, None], pushed.across - still.across], 1) / 1e-3
    force = torch.einsum("nij,nj->ni", where.frame, 1e-15 * axis @ gradient)
    expected = torch.einsum("nij,nj->ni", diffusivity(y, where, what), force) / (BOLTZMANN * 310.15)
    torch.testing.assert_close(moved, expected, rtol=1e-9, atol=1e-18)


def test_flow_and_swimming():
    y, axis = points(50)
    where, what = vessels(50, shear=2 * 1e-3 / R**2), body(Robot(A, swim_speed=3e-5))
    moved = steps(where, what, y, axis, torch.zeros(50, 6, dtype=REAL))
    still = steps(where, body(), y, axis, torch.zeros(50, 6, dtype=REAL))
    swum = torch.einsum("nij,nj->ni", where.frame, axis) * 3e-8
    torch.testing.assert_close(moved.along - still.along, swum[:, 0], rtol=1e-9, atol=1e-20)
    torch.testing.assert_close(moved.across - still.across, swum[:, 1:], rtol=1e-9, atol=1e-20)
    # Faxen: the mean of u over the sphere's surface is u + a^2/6 lap u, here of 2 U (1 - r^2/R^2).
    r = y.norm(dim=1)
    expected = 2e-3 * (1 - (r / R) ** 2) + A**2 / 6 * (-8e-3 / R**2)
    torch.testing.assert_close(still.along / 1e-3, expected, rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("ratio", [1.0, 5.0, 0.2])
def test_rotation_is_jefferys_with_the_torque_of_the_field(ratio):
    y, axis = points(200)
    where, dt, field = vessels(200, shear=2e-3 / R**2), 1e-10, (1e-3, -2e-3, 3e-3)
    what = body(Robot(A / 5, aspect_ratio=ratio, magnetic_moment=1e-15))
    moved = steps(where, what, y, axis, torch.zeros(200, 6, dtype=REAL), dt, field)
    tangent, n1, n2 = where.frame.unbind(1)
    outward = y[:, :1] * n1 + y[:, 1:] * n2
    slope = -2 * where.shear[:, None, None] * tangent[:, :, None] * outward[:, None, :]  # du_i/dx_j
    rate = angular_velocity(axis, slope, ratio)
    rate = rate + what.spin * torch.linalg.cross(1e-15 * axis, real(*field).expand(200, 3))
    expected = torch.linalg.cross(rate, axis)
    torch.testing.assert_close((moved.axis - axis) / dt, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(("angle", "error"), [(1e-3, 1e-15), (0.5, 1e-13), (1.0, 2e-10), (2.0, 3e-7)])
def test_rotations_are_rotations(angle, error):
    _, e = points(500, seed=3)
    _, turn = points(500, seed=4)
    found = rotated(e, angle * turn)
    assert (found.norm(dim=1) - 1).abs().max() < 1e-15
    exact = torch.from_numpy(Rotation.from_rotvec((angle * turn).numpy()).apply(e.numpy()))
    assert (found - exact).abs().max() < error + 1e-15


def test_mirrored_in_the_wall():
    y = torch.tensor([[3.0, 0], [0, -6.0], [-3.0, 4.0], [0, 0]], dtype=REAL) * 1e-6
    limit = torch.full((4,), 4.5e-6, dtype=REAL)
    expected = torch.tensor([[3.0, 0], [0, -3.0], [-2.4, 3.2], [0, 0]], dtype=REAL) * 1e-6
    torch.testing.assert_close(reflected(y, limit, torch.ones(4, dtype=REAL)), expected, rtol=1e-12, atol=1e-20)
    expected[1:3] = torch.tensor([[0, -3.75], [-2.55, 3.4]], dtype=REAL) * 1e-6
    torch.testing.assert_close(reflected(y, limit, torch.full((4,), 0.5, dtype=REAL)), expected, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize(("strength", "left"), [(0.3, 0.5), (3.0, 0.01)])
def test_how_far_a_wall_throws_back(strength, left):
    """A step from the uniform law moves the mean distance from the wall less than with plain mirroring: to higher order
    in the step over a, which is 0.07 here. By midpoints in the distance from the axis, and Gauss and Hermite's for the
    normals."""
    n, what = 2000, body()
    limit = R - A
    where = Vessels(*(x.expand(n, *x.shape[1:]) for x in vessels(1, mixing=strength * float(what.diffusivity) / A)))
    dt = (0.008 * limit) ** 2 / (2 * float(where.mixing[0]) * limit)
    r = limit * (torch.arange(n, dtype=REAL) + 0.5) / n
    y = torch.stack([r, 0 * r], 1)
    points, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    throw = bounce(where, what, dt)
    change = torch.zeros(2, dtype=REAL)
    for (a, v), (b, w) in itertools.product(zip(points, weights, strict=True), repeat=2):
        moved = steps(where, what, y, real(1.0, 0, 0).expand(n, 3), real(0, a, b, 0, 0, 0).expand(n, 6), dt)
        for k, factor in enumerate((throw, torch.ones_like(throw))):
            moved_out = reflected(y + moved.across, r * 0 + limit, factor).norm(dim=1) - r
            change[k] += v * w * float(moved_out @ (2 * r / limit / n))
    assert abs(float(change[0])) < left * abs(float(change[1]))


# ------------------------------------------------------------------------------------------------- what comes of it


def tube(radius, mean_velocity, robot, length=1.0, **given):
    """Robots in one long vessel along x, without red cells."""
    network = VesselNetwork.tube(2 * radius, length)
    q = real(math.pi * radius**2 * mean_velocity)
    zero = torch.zeros(1, dtype=REAL)
    steady = Flow(network, torch.zeros(2, dtype=REAL), q, zero, zero + 1.2e-3, 0.0, 0.0, 0)
    return BloodRobots(steady, robot, **given)


def inside(process, n, across, along=0.5, axis=None):
    state = process.initial(n, Noise(5))
    state["across"], state["along"] = across.clone(), torch.full((n,), along, dtype=REAL)
    if axis is not None:
        state["axis"] = axis.clone()
    return state


def test_a_swimmer_in_free_space():
    """<e.e0> = exp(-2 D_R t) and the mean square displacement, each within SIGMAS of its own standard error."""
    n, dt, speed = 20_000, 0.01, 5e-6
    process = tube(2e-3, 0.0, Robot(A, swim_speed=speed), dt=dt)
    state = inside(process, n, torch.zeros(n, 2, dtype=REAL))
    D, turning = float(process.body.diffusivity), float(process.body.turning)
    assert 0.378e-12 < D < 0.380e-12
    assert turning == pytest.approx(1.136, abs=2e-3)
    now, noise = state, Noise(7)
    for k in range(3):
        now = process.advance(now, 40 * k, 40, noise)
        t = 40 * dt * (k + 1)
        memory = (now["axis"] * state["axis"]).sum(1)
        exact = orientation_memory(t, turning)
        assert (
            abs(float(memory.mean()) - exact) < SIGMAS * float(memory.std()) / n**0.5 + 2 * turning**2 * dt * t * exact
        )
        squares = (process.places(now) - process.places(state)).square().sum(1)
        exact = active_displacement(t, diffusivity=D, rotational_diffusivity=turning, swim_speed=speed)
        # The walls 2 mm away slow by 9/16 a/R; a step's error is of the first order in D_R dt.
        slack = (3 * A / 2e-3 + turning * dt) * exact
        assert abs(float(squares.mean()) - exact) < SIGMAS * float(squares.std()) / n**0.5 + slack


@pytest.mark.parametrize(("velocity", "hematocrit", "dt", "steps"), [(0.0, 0.0, 4e-3, 4000), (5e-5, 0.45, 1e-3, 3000)])
def test_the_uniform_law_stays(velocity, hematocrit, dt, steps):
    """Between walls with D(h), with and without what red cells add: half begin at the wall and half on the axis, and
    after many R^2/D all are spread uniformly. Chi-square, 1e-6."""
    n, radius = 40_000, 2e-6
    process = tube(radius, velocity, Robot(A), dt=dt, shear_strength=0.01)
    process.flow.hematocrit.fill_(hematocrit)
    limit = radius - A
    start = torch.zeros(n, 2, dtype=REAL)
    start[: n // 2, 0] = 0.999 * limit
    state = process.advance(inside(process, n, start), 0, steps, Noise(11))
    q = (state["across"].square().sum(1) / limit**2).numpy()
    assert q.max() <= 1 + 1e-12
    counts = np.histogram(q, 40, (0, 1 + 1e-12))[0]
    assert ((counts - n / 40) ** 2 / (n / 40)).sum() < chi2.isf(1e-6, 39)
    angle = np.arctan2(*state["across"].numpy().T)
    counts = np.histogram(angle, 20, (-np.pi, np.pi))[0]
    assert ((counts - n / 20) ** 2 / (n / 20)).sum() < chi2.isf(1e-6, 19)


def spreading(process):
    """The mean velocity and the effective diffusivity of long times, by quadrature over the accessible disc.

    <D_t> + 2/b^2 int_0^b [int_0^r (u - <u>) s ds]^2 / (r D_n) dr, b = R - a: Aris's formula for a D that depends on r.
    """
    where, what = process.vessels, process.body
    limit = float(where.radius - what.radius)

    def at(r):
        D = diffusivity(real(r, 0.0)[None], Vessels(*where), what)[0]
        return float(D[0, 0]), float(D[1, 1])

    shear = float(where.shear)
    mean = quad(lambda r: 2 * r / limit**2 * float(flow(where, what, real(r))), 0, limit)[0]
    top = mean + shear * limit**2 / 2  # on the axis

    def excess(r):
        return (top - mean) * r**2 / 2 - shear * r**4 / 4

    along = quad(lambda r: 2 * r / limit**2 * at(r)[0], 0, limit)[0]
    return mean, along + 2 / limit**2 * quad(lambda r: excess(r) ** 2 / (r * at(r)[1]), 0, limit * (1 - 1e-9))[0]


def test_spreading_is_taylor_and_ariss_for_a_small_robot():
    process = tube(R, 5e-6, Robot(R / 1e4), dt=1e-10)
    mean, spread = spreading(process)
    D = float(process.body.diffusivity)
    assert mean == pytest.approx(5e-6, rel=1e-3)
    assert spread == pytest.approx(taylor_aris_diffusivity(D, 5e-6, R), rel=2e-3)


def test_robots_spread_along_a_tube_as_they_should():
    """Mean and variance along a tube between 6 and 18 s, R^2/D being 4 s; the variance's error is sqrt(2/n) of it."""
    n, dt = 20_000, 2e-3
    process = tube(2e-6, 1e-5, Robot(0.2e-6), dt=dt)
    mean, spread = spreading(process)
    assert spread > 5 * float(process.body.diffusivity)
    start, _ = points(n, limit=1.8e-6)
    first = process.advance(inside(process, n, start), 0, 3000, Noise(3))
    last = process.advance(first, 3000, 6000, Noise(3))
    means, variances = ([float(getattr(x["along"], f)()) for x in (first, last)] for f in ("mean", "var"))
    error = SIGMAS * float((last["along"] - first["along"]).std()) / n**0.5
    assert abs(means[1] - means[0] - 12 * mean) < error + 0.001 * 12 * mean
    error = SIGMAS * (2 / n) ** 0.5 * (variances[0] + variances[1])
    assert abs(variances[1] - variances[0] - 24 * spread) < error + 0.01 * 24 * spread


def drift_of_the_constant(dt):
    """How far Zottl and Stark's constant moves in half a second, of a cold swimmer in a plane through the axis."""
    speed, peak = 5e-5, 2e-4
    process = tube(R, peak / 2, Robot(1e-8, swim_speed=speed), temperature=1e-20, dt=dt)
    frame = process.vessels.frame[0]
    psi, x = 0.6, 1e-6
    axis = -(math.cos(psi) * frame[0] + math.sin(psi) * frame[1])
    state = inside(process, 1, real(x, 0.0)[None], axis=axis[None])
    start = 0.5 * peak / speed * (x / R) ** 2 + 1 - math.cos(psi)
    state = process.advance(state, 0, round(0.5 / dt), Noise(0))
    x = float(state["across"][0, 0])
    return 0.5 * peak / speed * (x / R) ** 2 + 1 + float(state["axis"][0] @ frame[0]) - start


def test_a_swimmer_upstream_keeps_its_constant_to_the_first_order():
    coarse, middle, fine = (drift_of_the_constant(dt) for dt in (2e-4, 1e-4, 5e-5))
    assert abs(fine) < 0.01
    assert middle / fine == pytest.approx(2, rel=0.02)
    assert coarse / middle == pytest.approx(2, rel=0.04)


def test_a_long_body_tumbles_through_a_tube_as_the_equations_say():
    """A cold spheroid that swims in space, against an integrator of high order: half the step, half the error."""
    speed, peak, ratio = 5e-5, 2e-4, 4.0
    robot = Robot(2e-8, swim_speed=speed, aspect_ratio=ratio)
    shape = robot.shape_factor
    axis = np.array([0.3, 0.5, -0.8]) / np.linalg.norm([0.3, 0.5, -0.8])

    def rate(_, z):
        y, e = z[:2], z[3:]
        gradient = np.zeros((3, 3))
        gradient[0, 1:] = -2 * peak / R**2 * y  # tangent, n1, n2
        strain, spin = (gradient + gradient.T) / 2, (gradient - gradient.T) / 2
        u = peak * (1 - y @ y / R**2 - 2 / 3 * (robot.largest_radius / R) ** 2)
        turned = spin @ e + shape * (strain @ e - e * (e @ strain @ e))
        return np.concatenate([speed * e[1:], [u + speed * e[0]], turned])

    end = 0.05
    exact = solve_ivp(rate, (0, end), np.concatenate([[1e-6, -5e-7, 0], axis]), rtol=1e-11, atol=1e-13).y[:, -1]
    errors = []
    for dt in (1e-4, 5e-5):
        process = tube(R, peak / 2, robot, temperature=1e-20, dt=dt)
        frame = process.vessels.frame[0]
        state = inside(process, 1, real(1e-6, -5e-7)[None], axis=torch.from_numpy(axis)[None] @ frame)
        state = process.advance(state, 0, round(end / dt), Noise(0))
        found = torch.cat([state["across"][0] / R, (state["along"] - 0.5) / R, frame @ state["axis"][0]])
        errors.append(found.numpy() - exact / np.array([R, R, R, 1, 1, 1]))
    assert np.abs(errors[1]).max() < 0.01
    np.testing.assert_allclose(errors[0], 2 * errors[1], rtol=0.05, atol=1e-5)


def test_the_field_turns_robots_to_itself():
    """In a field without flow, <cos> of the angle follows Langevin's function coth x - 1/x, x = m B / kT."""
    n, dt, field = 20_000, 1e-3, 1e-5
    process = tube(1e-4, 0.0, Robot(A, magnetic_moment=1e-15), field=MagneticField.uniform((0, 0, field)), dt=dt)
    state = process.advance(inside(process, n, torch.zeros(n, 2, dtype=REAL)), 0, 3000, Noise(2))
    cosine = state["axis"][:, 2]
    x = 1e-15 * field / (BOLTZMANN * 310.15)
    exact = 1 / math.tanh(x) - 1 / x
    assert abs(float(cosine.mean()) - exact) < SIGMAS * float(cosine.std()) / n**0.5 + 0.005
