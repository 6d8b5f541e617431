"""Text with units: exact decimals, round trips, and messages that say what would be accepted."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import InputError
from sojourn.processes.blood.units import in_a_body, one, positive, show, si


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("7.8 um", "m", 7.8e-6),
        ("7.8µm", "m", 7.8e-6),
        ("3 mT", "T", 0.003),
        ("2.5 dyn/cm^2", "Pa", 0.25),
        ("2.5 dyn/cm**2", "Pa", 0.25),
        ("1e-15 A m^2", "A m^2", 1e-15),
        ("2 mm/s", "m/s", 0.002),
        ("36.85 degC", "K", 310.0),
        ("1.2 cP", "Pa s", 0.0012),
        ("45 %", "", 0.45),
        ("0.45", "", 0.45),
        ("1 Hz", "1/s", 1.0),
        ("3 N/(m s)", "N/m/s", 3.0),
        ("-0.1 mm", "m", -1e-4),
    ],
)
def test_text_is_the_nearest_float(text, unit, number):
    assert si(text, unit, name="x") == number


def test_millimetres_of_mercury():
    """13595.1 kg/m^3 under 9.80665 m/s^2, to the digits of the definitions."""
    assert si("1 mmHg", "Pa", name="x") == pytest.approx(13.5951 * 9.80665, rel=1e-6)


def test_numbers_and_tensors_stay():
    diameter = torch.tensor([1e-6, 2e-6], requires_grad=True)
    assert si(20e-6, "m", name="diameter") == 20e-6
    assert si(diameter, "m", name="diameter") is diameter
    assert positive(diameter, "m", name="diameter") is diameter


@given(
    st.floats(1e-20, 1e8),
    st.sampled_from([1, -1]),
    st.sampled_from(
        ["m", "m/s", "m^2/s", "m^3", "Pa", "Pa s", "T", "T/m", "A m^2", "K", "s", "1/s", "N m", "J", "kg", ""]
    ),
)
def test_what_is_shown_reads_back(size, sign, unit):
    """Five digits are kept: 5e-5 of the value."""
    assert si(show(sign * size, unit), unit, name="x") == pytest.approx(sign * size, rel=5.001e-5)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (20e-6, "m", "20 um"),
        (999.9999e-6, "m", "1 mm"),
        (1e-3, "m", "1 mm"),
        (-2e-3, "m/s", "-2 mm/s"),
        (1.2e-3, "Pa s", "1.2 mPa s"),
        (1e-15, "A m^2", "1 fA m^2"),
        (3.79e-13, "m^2/s", "0.379 um^2/s"),
        (90e-18, "m^3", "90 um^3"),
        (310.15, "K", "310.15 K"),
        (8000, "1/s", "8000 1/s"),
        (3600, "s", "3600 s"),
        (0.45, "", "0.45"),
        (0.0, "m", "0 m"),
    ],
)
def test_prefixes(number, unit, text):
    assert show(number, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [
        ("3 mT", "m", "diameter='3 mT' is not a length; give metres or text such as '20 um'"),
        ("20", "m", "diameter='20' is not a length; give metres or text such as '20 um'"),
        ("20 umm", "m", "diameter='20 umm' has an unknown unit; give metres"),
        ("um", "m", "diameter='um' is not a number with a unit"),
        ("20 (um", "m", "diameter='20 (um' is not a number with a unit"),
        ("9^9^9^9^9 m", "m", "diameter='9^9^9^9^9 m' is not a number with a unit"),
        ("2 m^9^9^9^9", "m", "is not a number with a unit"),
        ("1e999 m", "m", "diameter='1e999 m' is not finite"),
        (float("nan"), "m", "diameter=nan is not finite; give metres"),
        (torch.tensor([1.0, torch.inf]), "m", "diameter holds values that are not finite"),
        (None, "m", "diameter=None is not a length"),
        (True, "m", "diameter=True is not a length"),
        ("3 m", "T/m", "diameter='3 m' is not in T/m; give it in T/m or text such as '1 T/m'"),
        ("3 m", "", "diameter='3 m' is not a share; give a number or text such as '45 %'"),
    ],
)
def test_what_cannot_be_read(value, unit, message):
    with pytest.raises(InputError) as error:
        si(value, unit, name="diameter")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_above_zero():
    with pytest.raises(InputError, match="radius='0 um' is not above zero; give metres or text such as '20 um'"):
        positive("0 um", "m", name="radius")
    with pytest.raises(InputError, match="radius holds -1, which is not above zero"):
        positive(torch.tensor([1.0, -1.0]), "m", name="radius")


def test_pint_waits_for_text():
    code = (
        "import sys; from sojourn.processes.blood.units import si, show; si(1e-6, 'm', name='x'); show(1e-6, 'm'); "
        "print('pint' in sys.modules); si('1 um', 'm', name='x'); print('pint' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]


def test_degrees_are_no_kelvins():
    with pytest.raises(InputError, match=r"temperature=37 K is below freezing; did you mean 310\.15 K or '37 degC'\?"):
        positive(37, "K", name="temperature")
    with pytest.raises(InputError, match=r"temperature=250 K is below freezing; a body has 310\.15 K"):
        positive(torch.tensor([310.0, 250.0]), "K", name="temperature")
    assert positive("1e-9 K", "K", name="temperature") == 1e-9  # no Brownian motion
    assert positive("37 degC", "K", name="temperature") == pytest.approx(310.15)


@pytest.mark.parametrize(("number", "unit"), [(10.1, "m/s"), (-10.1, "m/s"), (12.1, "T"), (torch.tensor(1e3), "T")])
def test_what_no_body_has(number, unit):
    in_a_body(number / 1000, unit, name="x")
    with pytest.raises(InputError, match=r"^x=.* (faster than blood|strongest magnet).*; give "):
        in_a_body(number, unit, name="x")


def test_one_number():
    assert one(3.0, name="x") == 3.0
    found = one(torch.ones(1, 1, requires_grad=True), name="x")
    assert found.shape == ()
    assert found.requires_grad
    for shape in ((2,), (0,), (1, 3)):
        with pytest.raises(InputError, match=r"x has shape \(.*\); give one number"):
            one(torch.ones(shape), name="x")
