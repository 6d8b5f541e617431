"""Jeffery's orbits: the period and the orbit's constant by integration, limits, and the equation in another form."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp

from sojourn.errors import InputError
from sojourn.processes.blood.closed_forms import swimmer_constant
from sojourn.processes.blood.jeffery import angular_velocity, axis_rate, period, shape_factor


def shear(rate=1.0):
    """u = (rate y, 0, 0)."""
    g = torch.zeros(3, 3, dtype=torch.float64)
    g[0, 1] = rate
    return g


def unit(*p):
    p = torch.tensor(p, dtype=torch.float64)
    return p / torch.linalg.vector_norm(p, dim=-1, keepdim=True)


def integrate(rate, p, time):
    def slope(_, y):
        return rate(torch.from_numpy(y).reshape(p.shape)).numpy().ravel()

    end = solve_ivp(slope, (0, time), p.numpy().ravel(), method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    return torch.from_numpy(end).reshape(p.shape)


@pytest.mark.parametrize(
    ("r", "published"), [(2.0, 15.708), (10.0, 63.460), (0.5, 15.708), (0.1, 63.460), (1.0, 12.566)]
)
def test_the_period(r, published):
    """Six orbits come back after it and not before: half of it leads to the mirror image across the flow."""
    assert period(r, 1.0) == pytest.approx(published, abs=5e-4)
    start = unit(
        [0.3, 1.0, 0.2], [1.0, 0.0, 0.0], [-0.1, 0.4, 2.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.2, -0.9, 0.01]
    )
    rate = 80.0
    time = period(r, rate)

    def turning(p):
        return axis_rate(p, shear(rate), r)

    half = integrate(turning, start, time / 2)
    torch.testing.assert_close(half, start * torch.tensor([-1.0, -1.0, 1.0]).double(), rtol=0, atol=1e-8)
    torch.testing.assert_close(integrate(turning, half, time / 2), start, rtol=0, atol=1e-8)
    quarter = integrate(turning, start, time / 4)
    assert float((quarter[0] - start[0]).abs().max()) > 0.1


def test_orbits_are_kept():
    """With the vorticity along z, (p_x^2 / r^2 + p_y^2) / p_z^2 stays: the square of the orbit's constant."""
    r, p = 5.0, unit([0.3, 1.0, 0.2], [1.0, 0.2, 2.0])
    later = integrate(lambda p: axis_rate(p, shear(), r), p, 7.0)

    def constant(p):
        return (p[:, 0] ** 2 / r**2 + p[:, 1] ** 2) / p[:, 2] ** 2

    torch.testing.assert_close(constant(later), constant(p), rtol=1e-8, atol=0)
    torch.testing.assert_close(
        torch.linalg.vector_norm(later, dim=-1), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-9
    )


def test_the_equation_in_another_form():
    """dp/dt = W p + L (E p - p (p.E p)), a gradient of its own for every robot."""
    generator = torch.Generator().manual_seed(2)
    g = torch.randn(40, 3, 3, dtype=torch.float64, generator=generator)
    p = torch.nn.functional.normalize(torch.randn(40, 3, dtype=torch.float64, generator=generator), dim=-1)
    for r in (0.1, 1.0, 3.0):
        strain, twist = (g + g.mT) / 2, (g - g.mT) / 2
        factor = (r**2 - 1) / (r**2 + 1)
        stretched = torch.einsum("nij,nj->ni", strain, p)
        expected = torch.einsum("nij,nj->ni", twist, p) + factor * (
            stretched - p * (p * stretched).sum(-1, keepdim=True)
        )
        torch.testing.assert_close(axis_rate(p, g, r), expected)
        # About its own axis it spins at half the vorticity along it.
        curl = torch.stack((g[:, 2, 1] - g[:, 1, 2], g[:, 0, 2] - g[:, 2, 0], g[:, 1, 0] - g[:, 0, 1]), -1)
        torch.testing.assert_close((angular_velocity(p, g, r) * p).sum(-1), (curl * p).sum(-1) / 2)


def test_needles_are_carried_like_lines_of_the_fluid():
    """L = 1: p follows a line element, dx/dt = G x, normalised."""
    g = torch.tensor([[0.2, 1.0, 0.3], [-0.4, -0.5, 0.1], [0.7, 0.2, 0.3]], dtype=torch.float64)
    p = unit(0.3, -0.2, 0.8)
    carried = torch.linalg.matrix_exp(1.5 * g) @ p
    found = integrate(lambda p: axis_rate(p, g, 1e9), p, 1.5)
    torch.testing.assert_close(found, carried / torch.linalg.vector_norm(carried), rtol=0, atol=1e-9)


@pytest.mark.parametrize("angle", [0.4, 2.9])
def test_a_swimmer_in_a_channel_keeps_its_constant(angle):
    """Zoettl and Stark: swinging (H < 2) and tumbling (H > 2), the turning by this equation in three dimensions."""
    half_width, flow, v = 20e-6, 100e-6, 40e-6
    position, axis = (
        torch.tensor([5e-6, 0.0, 0.0]).double(),
        torch.tensor([-math.sin(angle), 0.0, -math.cos(angle)]).double(),
    )

    def constant(x, p):
        tilt = torch.atan2(-p[0], -p[2])
        return float(swimmer_constant(x[0], tilt, half_width=half_width, peak_velocity=flow, swim_speed=v))

    def rate(state):
        x, p = state[:3], state[3:]
        gradient = torch.zeros(3, 3, dtype=torch.float64)
        gradient[2, 0] = -2 * flow * x[0] / half_width**2
        u = torch.tensor([0.0, 0.0, flow * (1 - float(x[0]) ** 2 / half_width**2)], dtype=torch.float64)
        return torch.cat((u + v * p, axis_rate(p, gradient, 1.0)))

    start = constant(position, axis)
    assert (start < 2) == (angle < 1)
    state = torch.cat((position, axis))
    seen = []
    for _ in range(8):
        state = integrate(rate, state, 0.4)
        seen.append(constant(state[:3], state[3:]))
    assert seen == pytest.approx([start] * 8, rel=1e-7)
    assert abs(float(state[0]) - 5e-6) > 1e-7


def test_gradients_and_bad_input():
    p = unit([0.3, 1.0, 0.2], [1.0, 0.2, 2.0]).requires_grad_()
    g = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    r = torch.tensor([2.0, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(angular_velocity, (p, g, r))
    assert shape_factor(1.0) == 0
    with pytest.raises(
        InputError, match=r"axis \(2, 3\) and gradient \(3,\) are not \(\.\.\., 3\) and \(\.\.\., 3, 3\)"
    ):
        angular_velocity(p, torch.zeros(3), 1.0)
    with pytest.raises(InputError, match=r"aspect_ratio=-2 is not above zero"):
        period(-2, 1.0)
    with pytest.raises(
        InputError, match=r"shear_rate=0 is not above zero; give the number a second or text such as '1 Hz'"
    ):
        period(2, 0)
