"""What coils make of wishes: limits of size and rate, directions kept, div B = rot B = 0, and step-out."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sojourn as sj
from sojourn.control import Coil
from sojourn.control.coil import from_five, pull, symmetric_traceless, to_five
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

REAL = torch.float64
COIL = Coil("3 mT", "0.5 T/m", "0.1 T/s")


def draws(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(1e-3, 1e3))
def test_a_wish_is_shortened_to_the_limits_and_keeps_its_direction(seed, size):
    wish, wished = size * 3e-3 * draws(seed, 3), size * 0.5 * draws(seed + 1, 3, 3)
    field, gradient = COIL.possible(wish, wished)
    obeys = symmetric_traceless(wished)
    for made, asked, length, limit in (
        (field, wish, lambda x: float(x.norm()), 3e-3),
        (gradient, obeys, lambda x: float(np.abs(np.linalg.eigvalsh(x)).max()), 0.5),
    ):
        assert length(made) == pytest.approx(min(length(asked), limit), rel=1e-12)
        torch.testing.assert_close(made * length(asked), asked * length(made), rtol=1e-11, atol=1e-300)
    for again, once in zip(COIL.possible(field, gradient), (field, gradient), strict=True):
        torch.testing.assert_close(again, once, rtol=1e-12, atol=0)


def test_the_symmetric_traceless_part_is_the_nearest_one():
    """What is taken away is orthogonal to all five such matrices; and the five entries name the matrix."""
    wish = draws(0, 7, 3, 3)
    part = symmetric_traceless(wish)
    basis = from_five(torch.eye(5, dtype=REAL))
    assert torch.einsum("nij,kij->nk", wish - part, basis).abs().max() < 1e-14
    torch.testing.assert_close(from_five(to_five(part)), part, rtol=0, atol=1e-15)


def test_the_pull_is_along_its_direction_and_of_size_one():
    n = torch.nn.functional.normalize(draws(3, 3), dim=0)
    torch.testing.assert_close(pull(n) @ n, n, rtol=0, atol=1e-15)
    np.testing.assert_allclose(np.linalg.eigvalsh(pull(n)), [-0.5, -0.5, 1], atol=1e-14)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), interval=st.floats(1e-3, 1e-1))
def test_no_step_is_longer_than_the_rate_and_no_field_beyond_the_limit(seed, interval):
    made = COIL.follow(5e-3 * draws(seed, 8, 3), 0.8 * draws(seed + 1, 8, 3, 3), interval=interval)
    fields = torch.cat([torch.zeros(1, 3, dtype=REAL), made.field])
    gradients = torch.cat([torch.zeros(1, 3, 3, dtype=REAL), made.gradient])
    room = 1 + 1e-12
    assert float(fields.norm(dim=1).max()) <= 3e-3 * room
    assert float(fields.diff(dim=0).norm(dim=1).max()) <= 0.1 * interval * room
    assert float(torch.linalg.matrix_norm(gradients, 2).max()) <= 0.5 * room
    assert float(torch.linalg.matrix_norm(gradients.diff(dim=0), 2).max()) <= 0.1 * interval * 0.5 / 3e-3 * room


def test_to_turn_round_takes_the_whole_range_over_the_rate():
    """From 0 to 3 mT at 100 mT/s are 30 ms, from there to -3 mT 60 ms more."""
    fields = torch.zeros(12, 3, dtype=REAL)
    fields[:4, 0], fields[4:, 0] = 3e-3, -3e-3
    made = COIL.follow(fields, torch.zeros(12, 3, 3, dtype=REAL), interval="10 ms")
    np.testing.assert_allclose(1e3 * made.field[:, 0], [1, 2, 3, 3, 2, 1, 0, -1, -2, -3, -3, -3], atol=1e-12)
    np.testing.assert_allclose(1e3 * made.ramp, [10, 10, 10, 0, 10, 10, 10, 10, 10, 10, 0, 0], atol=1e-12)


def test_field_and_gradient_are_on_their_way_as_long_as_the_slower_needs():
    """A range of 3 mT takes 30 ms at 100 mT/s, one of 0.5 T/m as long."""
    last, field = (torch.zeros(3, dtype=REAL), torch.zeros(3, 3, dtype=REAL)), torch.tensor([0, 0, 1.0], dtype=REAL)
    for share, part, expected in ((0.2, 0.7, 21), (0.7, 0.2, 21), (0, 0, 0)):
        new = 3e-3 * share * field, 0.5 * part * pull(field)
        assert 1e3 * float(COIL.duration(last, new)) == pytest.approx(expected, abs=1e-12)


def test_gradients_pass_the_limits():
    """Against finite differences, with wishes within the limits, beyond them, and held back by the rate."""
    wishes = (torch.from_numpy(np.random.default_rng(5).normal(size=(6, 8)))).requires_grad_()

    def made(w):
        found = COIL.follow(2e-3 * w[:, :3], 0.3 * from_five(w[:, 3:]), interval="20 ms")
        return 1e3 * found.field, found.gradient, 1e3 * found.ramp

    sizes = wishes[:, :3].detach().norm(dim=1)
    assert float(sizes.min()) < 1.5 < float(sizes.max())
    assert torch.autograd.gradcheck(made, wishes)


def still(temperature="1e-9 K", dt=None):
    """A robot that nothing but the field turns."""
    tube = VesselNetwork.tube("200 um", "10 mm", inlet_velocity="1e-12 m/s", hematocrit=0.2).solve()
    robot = Robot("1.634 um", magnetic_moment="1e-14 A m^2")
    return BloodRobots(tube, robot, temperature=temperature, shear_strength=0, dt=dt)


def turns(robots, seconds):
    """How often the axis of a robot that starts along x turns about z."""
    state = robots.initial(1, Noise(0))
    state["axis"] = torch.tensor([[1.0, 0, 0]], dtype=REAL)
    path = sj.simulate(robots, state, steps=round(seconds / robots.dt), save_every=10, progress=False)
    x, y, _ = path.dataset["axis"].values[0].T
    return float(np.unwrap(np.arctan2(y, x))[-1]) / (2 * math.pi)


def test_a_rotating_field_is_followed_up_to_step_out_and_refused_beyond():
    """w_c = m B C, C = 1 / (8 pi mu a^3): at 0.95 of it the robot keeps up, at 1.05, where coils refuse, it slips.

    Then it turns at w - sqrt(w^2 - w_c^2), Adler's mean; a whole number of turns is never reached, so to one turn.
    """
    coil = Coil("0.3 mT", "0.5 T/m", "1 T/s")
    step_out = 1e-14 * 0.3e-3 / (8 * math.pi * 1.2e-3 * 1.634e-6**3) / (2 * math.pi)
    field = coil.rotating("1 mT", 0.95 * step_out, (0, 0, 1), robots=still())
    assert float(field.cosine.norm()) == pytest.approx(0.3e-3)
    robots = replace(still(), field=field, dt=2e-3)
    assert turns(robots, 20 / (0.95 * step_out)) == pytest.approx(20, abs=0.3)
    faster = replace(field, frequency=1.05 * step_out)
    slipping = 20 * (1 - math.sqrt(1 - 1.05**-2))
    assert turns(replace(robots, field=faster), 20 / (1.05 * step_out)) == pytest.approx(slipping, abs=1)
    line = r"^frequency=3\.\d+ 1/s is above the step-out frequency 3\.\d+ 1/s of this robot in 300 uT"
    with pytest.raises(InputError, match=line):
        coil.rotating("1 mT", 1.05 * step_out, (0, 0, 1), robots=still())


def test_what_no_coil_can_be_or_do_is_refused():
    with pytest.raises(InputError, match=r"^field_limit='0 mT' is not above zero; give teslas or text such as '3 mT'"):
        Coil("0 mT", "0.5 T/m", "1 T/s")
    with pytest.raises(
        InputError, match=r"^gradient_limit='3 mT' is not in T/m; give it in T/m or text such as '1 T/m'"
    ):
        Coil("3 mT", "3 mT", "1 T/s")
    with pytest.raises(InputError, match=r"^wishes have shapes \(4, 2\) and \(4, 3, 3\); give fields \(n, 3\)"):
        COIL.follow(torch.zeros(4, 2), torch.zeros(4, 3, 3), interval=1)
    with pytest.raises(InputError, match=r"^fields holds values that are not finite; give teslas or text such as"):
        COIL.follow(torch.full((4, 3), math.nan), torch.zeros(4, 3, 3), interval=1)
    with pytest.raises(
        InputError, match=r"^gradients is not an array of numbers; give a tensor, or nested lists, in T/m"
    ):
        COIL.follow(torch.zeros(4, 3), "0.5 T/m", interval=1)
    with pytest.raises(InputError, match=r"^robots is a Coil; give BloodRobots"):
        COIL.fit(COIL, interval=1)
    slow = Coil("0.3 mT", "0.5 T/m", "1 mT/s")
    with pytest.raises(
        InputError, match=r"^frequency=2 1/s at 300 uT needs more than rate_limit=1 mT/s; give at most 0\.5305"
    ):
        slow.rotating("0.3 mT", "2 Hz", (0, 0, 1), robots=still())
