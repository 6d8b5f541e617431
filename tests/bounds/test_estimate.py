"""An estimate says what it is: printed ends never move inwards, records are plain, an empty interval is told apart."""

import json
import math
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.bounds.estimate import Estimate

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(FINITE, st.floats(0, 1e6), st.floats(0, 1e6))
def test_printed_ends_are_outside(value, below, above):
    found = Estimate(value, value - below, value + above)
    low, high = re.search(r"\[(.*), (.*)\]", str(found)).groups()
    assert Decimal(low) <= Decimal(found.low)
    assert Decimal(high) >= Decimal(found.high)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.0123, 0.01012, 0.0156), "0.01230 [0.01012, 0.01560] (95%, asymptotic)"),
        (Estimate(0.5, -math.inf, 0.7123456789), "0.5 [-∞, 0.712346] (95%, asymptotic)"),
        (Estimate(3.0, 3.0, 3.0, unit="s"), "3 s [3, 3] (95%, asymptotic)"),
        (Estimate(2.5, 2.0, 3.0, guarantee="none"), "2.5"),
        (Estimate(2.5, 2.0, 3.0, confidence=1 - 1e-9), "2.50 [2.00, 3.00] (99.9999999%, asymptotic)"),
        (
            Estimate(2.5, 2.0, 3.0, family=4, method="betting"),
            "2.50 [2.00, 3.00] (95%, 4 quantities together, betting, asymptotic)",
        ),
    ],
)
def test_words(estimate, text):
    assert str(estimate) == text


def test_an_empty_interval():
    found = Estimate(0.5, math.nan, math.nan, assumes="every value lies in [0, 1]", method="betting")
    assert found.empty
    assert 0.5 not in found
    assert str(found) == "no value fits the data: that every value lies in [0, 1] is refuted (95%, betting)"
    assert found.to_dict()["interval"] == []


def test_a_record_is_plain():
    found = Estimate(0.5, 0.25, math.inf, assumes="a", limits=("b",), observations=7)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["interval"] == [0.25, None]
    assert record["limits"] == ["b"]
    assert record["observations"] == 7
    assert found.explain().endswith("Assumes that a.\nNot covered: b.")
