"""Published laws of blood: values to five digits, limits, symmetries, conservation, gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import InputError
from sojourn.processes.blood.rheology import (
    Separation,
    carreau_viscosity,
    casson_stress,
    cell_share,
    fahraeus_1992,
    fahraeus_2005,
    pries_in_vitro_1992,
    pries_in_vivo_1994,
    pries_in_vivo_2005,
    separation_1989,
    separation_2005,
)

VISCOSITIES = (pries_in_vitro_1992, pries_in_vivo_1994, pries_in_vivo_2005)
LAWS = (*VISCOSITIES, fahraeus_1992, fahraeus_2005)
diameters = st.floats(2.5, 1000.0)
hematocrits = st.floats(0.0, 0.9)


@pytest.mark.parametrize(
    ("law", "values"),
    [
        (pries_in_vitro_1992, (2.3066, 1.3284, 2.4426)),
        (pries_in_vivo_1994, (17.696, 5.8724, 2.5315)),
        (pries_in_vivo_2005, (6.8197, 7.3198, 2.7223)),
        (fahraeus_1992, (0.91351, 0.72964, 0.87860)),
        (fahraeus_2005, (0.86199, 0.71911, 0.89015)),
    ],
)
def test_values(law, values):
    """At 4, 10 and 100 um and a hematocrit of 0.45."""
    assert tuple(float(f"{law(d * 1e-6, 0.45):.5g}") for d in (4, 10, 100)) == values
    found = law(torch.tensor([4e-6, 10e-6, 100e-6]), 0.45)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor(values), rtol=3e-5, atol=0)


@given(diameters, hematocrits)
def test_the_law_of_2005_as_it_is_printed(d, h):
    """Branch by branch, in plain floats."""
    peak = 1.1 * (d - 2.4) / (10.5 - 2.4) if d <= 10.5 else 1.1 * math.exp(-0.03 * (d - 10.5))
    wide = 2.6 * (d - 2.4) / (d + 100 - 2 * 2.4)
    physical, effective = d - 2 * (wide + 0.6 * peak), d - 2 * (wide + peak * (1 + 1.18 * h))
    expected = pries_in_vitro_1992(physical * 1e-6, h) * (d / effective) ** 4
    assert pries_in_vivo_2005(d * 1e-6, h) == pytest.approx(expected, rel=1e-12)


@given(diameters)
def test_hematocrits_that_are_known(d):
    m = d * 1e-6
    assert pries_in_vitro_1992(m, 0.0) == 1
    assert pries_in_vivo_1994(m, 0.0) == pytest.approx((d / (d - 1.1)) ** 2)
    assert pries_in_vivo_2005(m, 0.0) >= 1
    at_45 = 220 * math.exp(-1.3 * d) + 3.2 - 2.44 * math.exp(-0.06 * d**0.645)
    assert pries_in_vitro_1992(m, 0.45) == pytest.approx(at_45)
    for law in (fahraeus_1992, fahraeus_2005):
        assert law(m, 1 - 1e-12) == pytest.approx(1)


@given(diameters, st.floats(0.0, 0.44), st.sampled_from(VISCOSITIES))
def test_more_cells_flow_less(d, h, law):
    assert law(d * 1e-6, h) < law(d * 1e-6, h + 0.01)


@pytest.mark.parametrize("corner", [2.4, 10.5])
def test_the_layer_has_no_jumps(corner):
    h = 0.45
    below, at, above = (pries_in_vivo_2005((corner + e) * 1e-6, h) for e in (-1e-9, 0.0, 1e-9))
    assert below == pytest.approx(at, rel=1e-8)
    assert above == pytest.approx(at, rel=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_the_exponent_passes_zero(dtype):
    """C = 0 at 8.0518 um: the law is smooth there, and h = ln(1 - H) / ln(0.55)."""
    d = torch.linspace(8.0517e-6, 8.0519e-6, 2001, dtype=dtype)
    found = pries_in_vitro_1992(d, 0.3)
    at_45 = pries_in_vitro_1992(d, 0.45)
    share = (found - 1) / (at_45 - 1)
    assert torch.as_tensor(share).tolist() == pytest.approx([math.log(0.7) / math.log(0.55)] * 2001, rel=2e-5)


@pytest.mark.parametrize("law", LAWS)
def test_gradients(law):
    """Around the exponent's zero and without red cells, too."""
    d = torch.tensor([4.0, 8.051829446724936, 10.0, 100.0, 2000.0], dtype=torch.float64, requires_grad=True)
    h = torch.tensor([[0.0], [0.45], [0.8]], dtype=torch.float64, requires_grad=True)
    # At H = 0 differences are one-sided: move into the domain.
    assert torch.autograd.gradcheck(lambda d, h: law(1e-6 * d, h + 1e-5), (d, h))
    assert all(bool(torch.isfinite(g).all()) for g in torch.autograd.grad(law(1e-6 * d, h).sum(), (d, h)))


def test_phase_separation_values():
    even = separation_2005(10e-6, 8e-6, 8e-6, 0.45)
    assert even == pytest.approx((0.0, 1.3839, 0.05302))
    assert float(f"{cell_share(0.2, even):.4g}") == 0.09536
    assert cell_share(0.5, even) == 0.5
    uneven = separation_2005(10e-6, 8e-6, 4e-6, 0.45)
    assert uneven == pytest.approx((-13.29 * 0.055 * 0.6, 1.3839, 0.05302))
    old = separation_1989(10e-6, 8e-6, 4e-6, 0.45)
    assert old == pytest.approx((-0.696 * math.log(2), 1.3839, 0.04))


@given(
    st.floats(0.0, 1.0),
    st.floats(1.5, 50.0),
    st.floats(2.0, 50.0),
    st.floats(2.0, 50.0),
    hematocrits,
    st.sampled_from([separation_1989, separation_2005]),
)
def test_red_cells_are_conserved(flow, feeding, alpha, beta, h, constants):
    """What alpha gets and what beta gets, each by the law, are all; nobody gets cells without flow."""
    a, b = (constants(feeding * 1e-6, x * 1e-6, y * 1e-6, h) for x, y in ((alpha, beta), (beta, alpha)))
    shares = cell_share(flow, a), cell_share(1 - flow, b)
    # 1 - flow is rounded, which B enlarges.
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert all(0 <= share <= 1 for share in shares)
    if flow <= min(a.X0, 0.4999):
        assert shares[0] == 0


def test_the_logit_is_a_line():
    s = separation_2005(10e-6, 9e-6, 6e-6, 0.45)
    flow = torch.linspace(s.X0 + 0.01, 1 - s.X0 - 0.01, 50, dtype=torch.float64)
    expected = s.A + s.B * torch.logit((flow - s.X0) / (1 - 2 * s.X0))
    torch.testing.assert_close(torch.logit(cell_share(flow, Separation(*map(torch.tensor, s)))), expected)


def test_cells_follow_the_flow_in_wide_vessels():
    flow = torch.linspace(0, 1, 11, dtype=torch.float64)
    wide = separation_2005(torch.tensor(10e-3, dtype=torch.float64), 5e-3, 8e-3, 0.45)
    torch.testing.assert_close(cell_share(flow, wide), flow, rtol=0, atol=2e-3)


def test_where_plasma_alone_would_need_all_flow():
    narrow = separation_1989(0.7e-6, 1e-6, 1e-6, 0.45)
    assert narrow.X0 > 0.5
    assert [cell_share(x, narrow) for x in (0.3, 0.5, 0.7)] == [0.0, 0.5, 1.0]


def test_gradients_of_phase_separation():
    flow = torch.tensor([0.02, 0.3, 0.5, 0.8, 0.97], dtype=torch.float64, requires_grad=True)
    um = torch.tensor([10.0, 9.0, 6.0], dtype=torch.float64, requires_grad=True)
    h = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    for constants in (separation_1989, separation_2005):

        def share(flow, um, h, constants=constants):
            return cell_share(flow, constants(1e-6 * um[0], 1e-6 * um[1], 1e-6 * um[2], h))

        assert torch.autograd.gradcheck(share, (flow, um, h))
        edge = float(constants(10e-6, 9e-6, 6e-6, 0.4).X0)
        edges = torch.tensor([0.0, edge, 1 - edge, 1.0], dtype=torch.float64, requires_grad=True)
        found = torch.autograd.grad(share(edges, um, h).sum(), (edges, um, h))
        assert all(bool(torch.isfinite(gradient).all()) for gradient in found)


@given(st.floats(0.0, 1e4), st.floats(1e-4, 0.1), st.floats(0.0, 0.1))
def test_casson(rate, viscosity, least):
    stress = casson_stress(rate, viscosity=viscosity, yield_stress=least)
    assert math.sqrt(stress) == pytest.approx(math.sqrt(least) + math.sqrt(viscosity * rate))
    assert casson_stress(0.0, viscosity=viscosity) == 0.004


def test_carreau():
    assert carreau_viscosity(0.0) == 0.056
    assert carreau_viscosity(1e12) == pytest.approx(0.00345, rel=1e-6)
    thinned = [carreau_viscosity(g) - 0.00345 for g in (1e4, 1e5)]
    assert math.log10(thinned[1] / thinned[0]) == pytest.approx(0.3568 - 1, abs=1e-6)
    torch.testing.assert_close(carreau_viscosity(torch.tensor([-7.0])), carreau_viscosity(torch.tensor([7.0])))


def test_bad_input():
    with pytest.raises(InputError, match=r"diameter=0 is not above 0 m; give a diameter in metres, such as 8e-6"):
        pries_in_vitro_1992(0.0, 0.45)
    with pytest.raises(InputError, match=r"diameter=1e-06 is not above 1\.1 um"):
        pries_in_vivo_1994(torch.tensor([8e-6, 1e-6]), 0.45)
    with pytest.raises(InputError, match=r"hematocrit=45 is not in \[0, 1\); give a share of the volume"):
        pries_in_vivo_2005(8e-6, 45)
    with pytest.raises(InputError, match=r"hematocrit=-0\.1 is not in"):
        fahraeus_2005(8e-6, torch.tensor([0.4, -0.1]))
    with pytest.raises(InputError, match=r"beta=-8e-06 is not above 0 m"):
        separation_2005(8e-6, 8e-6, -8e-6, 0.45)
    with pytest.raises(InputError, match=r"feeding=nan is not above 0 m"):
        separation_1989(math.nan, 8e-6, 8e-6, 0.45)
    with pytest.raises(InputError, match=r"flow_share=1\.2 is outside \[0, 1\]"):
        cell_share(1.2, separation_2005(8e-6, 8e-6, 8e-6, 0.45))
    with pytest.raises(InputError, match=r"shear_rate=-1 is outside \[0, inf\]; give a number of 0 or more"):
        casson_stress(-1.0, viscosity=0.003)
