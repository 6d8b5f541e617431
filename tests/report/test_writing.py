"""How numbers are written: digits from the interval's width, ends that never move inwards."""

import math
import re
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sojourn.report.writing import digest, ends, percent, written

from .made import estimate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (estimate(0.99621, 0.99305, 0.99815), "0.9962 [0.9930, 0.9982]"),
        (estimate(13.284, 13.11, 13.47, "s"), "13.28 [13.11, 13.47] s"),
        (estimate(3.2e-7, 2.9e-7, 3.6e-7, "mol"), "3.20 [2.90, 3.60] × 10⁻⁷ mol"),
        (estimate(81920.4, 80000.2, 83000.9), "81\u202f920 [80\u202f000, 83\u202f001]"),
        (estimate(-0.5, -1.25, 0.25), "−0.5 [−1.3, 0.3]"),
        (estimate(0.5, -math.inf, 0.6), "0.5 [−∞, 0.6]"),
        (estimate(1.0, 1.0, 1.0), "1 [1, 1]"),
        (estimate(2.34567, math.nan, math.nan, guarantee="none"), "2.346"),
        (0, "0"),
        (81920, "81\u202f920"),
        (-12, "−12"),
        (0.0067379, "0.006738"),
        (0.00080753, "8.075 × 10⁻⁴"),
        (-1.5e9, "−1.5 × 10⁹"),
        (0.1820, "0.182"),
        (True, "✓"),
        (None, "–"),
        ("B3/S23", "B3/S23"),
        ("25 us", "25 µs"),
        ("3 users", "3 users"),
    ],
)
def test_a_value_is_written_as_one_would_write_it(value, text):
    assert written(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (estimate(0.0321, 0.0287, 0.0358), "3.21% [2.87%, 3.58%]"),
        (estimate(1.0, 0.39, 1.0), "100% [39%, 100%]"),
        (0.5, "50%"),
        (3, "300%"),
        ("B3/S23", None),
        (True, None),
    ],
)
def test_shares_as_per_cent(value, text):
    found = percent(value)
    assert (found and found.replace("\u00a0", " ")) == text


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e9), st.floats(0, 1))
def test_the_written_interval_holds_the_true_one_and_is_little_wider(low, width, share):
    high = low + width
    assume(high > low and width > 1e-9 * max(abs(low), abs(high)))
    text = written(estimate(low + share * width, low, high)).replace("\u202f", "").replace("−", "-")
    raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    power = re.search(r"× 10(\S+)", text.replace("\u00a0", " "))
    scale = Decimal(10) ** int(power[1].translate(raised) if power else 0)
    inside = re.search(r"\[(.+),\u00a0(.+)\]", text)
    down, up = (Decimal(inside[k]) * scale for k in (1, 2))
    assert down <= Decimal(str(low))
    assert up >= Decimal(str(high))
    # two digits of the width: each end moves by a tenth of it at most, or by a unit where numbers are whole
    room = max(Decimal(str(high)) - Decimal(str(low)), Decimal(10))
    assert up - down <= (Decimal(str(high)) - Decimal(str(low))) + 2 * room / 10


def test_ends_tell_what_is_known():
    assert ends(estimate(0.5, 0.4, 0.6)) == (0.4, 0.6)
    assert ends(estimate(0.5, 0.4, math.inf)) == (0.4, math.inf)
    assert ends(7) == (7, 7)
    assert ends(0.5) is None
    assert ends(True) is None
    assert ends(estimate(0.5, math.nan, math.nan, guarantee="none")) is None


def test_a_digest_depends_on_values_not_on_the_order_of_names():
    assert digest({"a": 1, "b": [1.5, None]}) == digest({"b": [1.5, None], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.0000001})
