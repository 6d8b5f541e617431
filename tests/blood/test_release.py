"""Release against its equation, and Higuchi's law against the exact moving front."""

import math

import pytest
import torch
from scipy.optimize import brentq

from sojourn.errors import InputError
from sojourn.processes.blood.release import first_order_release, higuchi_release

from .near import near


def exact_front(t, diffusivity, loading, solubility):
    """c = C_s erf(x / 2 sqrt(D t)) / erf(y) up to the front at 2 y sqrt(D t), where (A - C_s) dx/dt = D dc/dx.

    Paul and McSpadden, J. Membr. Sci. 1 (1976), 33.
    """

    def balance(y):
        return math.sqrt(math.pi) * y * math.exp(y**2) * math.erf(y) - solubility / (loading - solubility)

    return 2 * solubility * math.sqrt(diffusivity * t / math.pi) / math.erf(brentq(balance, 1e-9, 10, xtol=1e-15))


@pytest.mark.parametrize(
    ("share", "low", "high"), [(1.0001, 0.113, 0.115), (2, 0.02, 0.06), (8, 0.008, 0.012), (1000, 0, 1e-4)]
)
def test_higuchi_beside_the_exact_front(share, low, high):
    t, d, s = 3600.0, 1e-13, 2.0
    error = 1 - higuchi_release(t, d, share * s, s) / exact_front(t, d, share * s, s)
    assert low <= error < high


def test_higuchis_own_argument():
    """A line from 0 to C_s over the emptied layer h: (A - C_s / 2) h released, D C_s / h flowing; by steps in time."""
    d, a, s, steps = 1e-13, 10.0, 2.0, 20_000
    released, dt = 1e-9, 3600 / steps
    for _ in range(steps):
        layer = released / (a - s / 2)
        middle = released + dt / 2 * d * s / layer
        released += dt * d * s / (middle / (a - s / 2))
    assert higuchi_release("1 h", d, a, s) == near(released, rel=1e-3)


def test_first_order():
    """dm/dt = k (m_0 - m)."""
    t = torch.linspace(0, 5, 30, dtype=torch.float64, requires_grad=True)
    share = first_order_release(t, 0.7)
    (rate,) = torch.autograd.grad(share.sum(), t)
    torch.testing.assert_close(rate, 0.7 * (1 - share.detach()))
    assert first_order_release(0, 1.0) == 0
    assert first_order_release(math.log(2), 1.0) == near(0.5)
    assert first_order_release(1e-12, 1e-6) == near(1e-18)


def test_bad_input():
    with pytest.raises(
        InputError, match=r"loading=1 is below solubility=2, so all is dissolved; choose first_order_release"
    ):
        higuchi_release(1.0, 1e-13, 1.0, 2.0)
    with pytest.raises(InputError, match=r"t=-1 is below zero; count from the beginning of the release"):
        first_order_release(-1, 1.0)
    with pytest.raises(InputError, match=r"diffusivity='1 um' is not a diffusivity; give square metres a second"):
        higuchi_release(1.0, "1 um", 2.0, 1.0)
