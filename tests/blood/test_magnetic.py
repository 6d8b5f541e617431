"""Fields and what they do to moments: Maxwell's equations, energies, the turning field, and slipping past step-out."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from sojourn.errors import InputError
from sojourn.processes.blood.magnetic import (
    MagneticField,
    magnetic_force,
    magnetic_torque,
    mean_rotation,
    step_out_rate,
)

from .near import near

G = [["0.4 T/m", 0.1, 0], [0.1, -0.1, 0.05], [0, 0.05, -0.3]]
FIELD = MagneticField.gradient(("3 mT", 0, "-1 mT"), G)


def places(count=20):
    return torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 1e-3


def test_force_and_torque_are_slopes_of_the_energy():
    """-m.B by place, and by turning m."""
    m = torch.tensor([1e-15, -2e-15, 0.5e-15], dtype=torch.float64)
    x = places().requires_grad_()
    (slope,) = torch.autograd.grad((FIELD.field(x, 0.0) @ m).sum(), x)
    torch.testing.assert_close(magnetic_force(m, FIELD.jacobian).expand(20, 3), slope, rtol=1e-12, atol=0)
    angle = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    twist = torch.stack(
        (
            torch.stack((torch.zeros(()).double(), -angle[2], angle[1])),
            torch.stack((angle[2], torch.zeros(()).double(), -angle[0])),
            torch.stack((-angle[1], angle[0], torch.zeros(()).double())),
        )
    )
    b = FIELD.field(places(1)[0], 0.0)
    (turning,) = torch.autograd.grad(torch.linalg.matrix_exp(twist) @ m @ b, angle)
    torch.testing.assert_close(magnetic_torque(m, b), turning, rtol=1e-12, atol=0)


def test_fields_obey_maxwell():
    x = places(1)[0].requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda x: FIELD.field(x, 0.0), x)
    torch.testing.assert_close(jacobian, FIELD.jacobian)
    assert float(jacobian.trace()) == pytest.approx(0, abs=1e-15)
    torch.testing.assert_close(jacobian, jacobian.mT)
    there = torch.tensor([3e-3, 0.0, -1e-3], dtype=torch.float64)
    torch.testing.assert_close(FIELD.field(torch.zeros(3).double(), 5.0), there, rtol=1e-12, atol=0)


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 2, -2), (-3, 0, 0)])
def test_the_turning_field(axis):
    """Of one size, across the axis, and dB/dt = 2 pi f n x B."""
    field, f = MagneticField.rotating("3 mT", "20 Hz", axis), 20.0
    n = torch.tensor(axis, dtype=torch.float64)
    n = n / torch.linalg.vector_norm(n)
    t = torch.linspace(0, 0.13, 50, dtype=torch.float64, requires_grad=True)
    b = field.field(torch.zeros(50, 3).double(), t)
    torch.testing.assert_close(
        torch.linalg.vector_norm(b, dim=-1), torch.full((50,), 3e-3, dtype=torch.float64), rtol=1e-12, atol=0
    )
    torch.testing.assert_close(b @ n, torch.zeros(50).double(), rtol=0, atol=1e-17)
    rate = torch.stack([torch.autograd.grad(b[:, k].sum(), t, retain_graph=True)[0] for k in range(3)], -1)
    expected = 2 * math.pi * f * torch.linalg.cross(n.expand(50, 3), b)
    torch.testing.assert_close(rate.detach(), expected.detach(), rtol=1e-10, atol=1e-12)


def test_none_and_uniform():
    x = places()
    assert not MagneticField.none().field(x, 1.0).any()
    uniform = MagneticField.uniform((0, "2 mT", 0))
    there = torch.tensor([0.0, 2e-3, 0.0], dtype=torch.float64).expand(20, 3)
    torch.testing.assert_close(uniform.field(x, 1.0), there, rtol=1e-12, atol=0)
    assert not magnetic_force(torch.ones(3).double(), uniform.jacobian).any()
    shown = ["MagneticField(none)", "MagneticField(steady=(0 T, 2 mT, 0 T))", "MagneticField(rotating=3 mT at 20 1/s)"]
    assert [repr(f) for f in (MagneticField.none(), uniform, MagneticField.rotating(3e-3, 20, (0, 0, 1)))] == shown


@pytest.mark.parametrize("rate", [0.3, 0.99, 1.05, 1.5, 4.0, -1.5])
def test_stepping_out(rate):
    """The lag a of a body in a turning field, da/dt = w - w_c sin a, integrated over many turns."""
    limit, turns = 50.0, 40
    w = rate * limit

    def late(_, a):
        return w - limit * np.sin(a)

    if abs(rate) > 1:
        # Over whole slips the mean is exact: the time from 0 to 2 pi n.
        mean_slip = np.sign(w) * math.sqrt(w**2 - limit**2)
        span = 2 * math.pi * turns / abs(mean_slip)
    else:
        span = 300 / limit
    solution = solve_ivp(late, (0, span), [0.0], rtol=1e-10, atol=1e-10)
    slipped = solution.y[0, -1]
    mean = w - slipped / span if abs(rate) > 1 else w - late(0, slipped)
    assert mean_rotation(w, limit) == near(mean, rel=1e-6)


def test_step_out_in_vectors():
    """w = C m x B(t), dm/dt = w x m, with the moment across the axis: it follows below m B C and slips above."""
    c, m, b = 5e14, "2e-14 A m^2", "3 mT"
    limit = step_out_rate(m, b, c)
    assert limit == near(2e-14 * 3e-3 * c)
    for ratio in (0.8, 1.6):
        w = ratio * limit
        field = MagneticField.rotating(b, w / (2 * math.pi), (0, 0, 1))

        def turning(t, e, field=field):
            moment = torch.from_numpy(e)
            spin = c * magnetic_torque(2e-14 * moment, field.field(torch.zeros(3).double(), float(t)))
            return torch.linalg.cross(spin, moment).numpy()

        slip = math.sqrt(max(w**2 - limit**2, 0)) or limit
        span = 2 * math.pi * 12 / slip
        times = np.linspace(0, span, 2000)
        e = solve_ivp(turning, (0, span), field.cosine.numpy() / 3e-3, rtol=1e-8, atol=1e-10, t_eval=times).y
        angle = np.unwrap(np.arctan2(e[1], e[0]))
        turned = angle[-1] - angle[0] if ratio > 1 else angle[-1] - angle[1000]
        assert turned / (span if ratio > 1 else span - times[1000]) == near(mean_rotation(w, limit), rel=1e-4)
        assert np.abs(e[2]).max() < 1e-12


def test_slipping_far_past_step_out():
    """w_c^2 / (2 w), where the difference of two large numbers would be lost."""
    assert mean_rotation(1e9, 1.0) == near(0.5e-9)
    w = torch.tensor([0.2, 0.9, 1.1, 3.0, -3.0], dtype=torch.float64, requires_grad=True)
    c = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mean_rotation, (w, c))


def test_control_passes_gradients():
    b = torch.tensor([1e-3, 2e-3, 0.0], dtype=torch.float64, requires_grad=True)
    size = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    field = MagneticField.gradient(b, size * torch.diag(torch.tensor([1.0, 1.0, -2.0]).double()))
    x = torch.tensor([1.0, 2.0, 3.0]).double()
    found = torch.autograd.grad(field.field(x, 0.0).sum(), (b, size))
    torch.testing.assert_close(found, (torch.ones(3).double(), torch.tensor(-3.0).double()))


def test_bad_fields():
    with pytest.raises(
        InputError, match=r"jacobian has the trace 0\.1 T/m, but div B = 0; make its diagonal sum to zero"
    ):
        MagneticField.gradient((0, 0, 0), [[0.1, 0, 0], [0, 0, 0], [0, 0, 0]])
    with pytest.raises(InputError, match=r"jacobian differs from its transpose by 0\.2 T/m, but rot B = 0"):
        MagneticField.gradient((0, 0, 0), [[0, 0.2, 0], [0, 0, 0], [0, 0, 0]])
    with pytest.raises(InputError, match=r"steady\[0\]='3 mm' is not a magnetic field; give teslas"):
        MagneticField.uniform(("3 mm", 0, 0))
    with pytest.raises(InputError, match=r"steady='3 mT' is not a vector; give three components"):
        MagneticField.uniform("3 mT")
    with pytest.raises(InputError, match=r"steady has shape \(2,\); give three components"):
        MagneticField.uniform((1, 2))
    with pytest.raises(InputError, match=r"axis=\(0, 0, 0\) has no direction"):
        MagneticField.rotating("3 mT", "1 Hz", (0, 0, 0))
    with pytest.raises(InputError, match=r"B=-0\.003 is below zero; turn the axis round instead"):
        MagneticField.rotating("-3 mT", "1 Hz", (0, 0, 1))
    with pytest.raises(InputError, match=r"frequency='600 rpm' counts angles; give whole turns a second"):
        MagneticField.rotating("3 mT", "600 rpm", (0, 0, 1))
    with pytest.raises(InputError, match=r"step_out=-1 is below zero; give m B C"):
        mean_rotation(1.0, -1.0)


def test_fields_that_nobody_makes():
    """A number without a unit above 0.5 T is 3 mT more often than 3 T; with its unit it may be a scanner's."""
    assert MagneticField.uniform(("3 T", 0, 0)).steady[0] == 3
    assert MagneticField.uniform(torch.tensor([3.0, 0, 0])).steady[0] == 3
    with pytest.raises(InputError, match=r"steady\[0\]=3 is 3 T, as in a scanner; write '3 T' or '3 mT'"):
        MagneticField.uniform((3, 0, 0))
    with pytest.raises(InputError, match=r"B=3 is 3 T, as in a scanner"):
        MagneticField.rotating(3, "1 Hz", (0, 0, 1))
    for most in (("30 T", 0, 0), torch.tensor([0, 0, -30.0])):
        with pytest.raises(InputError, match=r"steady=30 T is above the 11\.7 T of the strongest magnet for a body"):
            MagneticField.uniform(most)
    for given in (3.0, "0.4 T/m"):
        with pytest.raises(InputError, match=r"jacobian=.* is not a matrix; give its three rows"):
            MagneticField.gradient((0, 0, 0), given)
    with pytest.raises(InputError, match=r"frequency has shape \(2,\); give one number"):
        MagneticField.rotating("1 mT", torch.ones(2), (0, 0, 1))
    with pytest.raises(InputError, match=r"B has shape \(2,\); give one number"):
        MagneticField.rotating(torch.ones(2) / 1000, 1, (0, 0, 1))
