"""Suprema of independent terms and of classes of functions: every bound against the exact law, in rationals."""

import itertools
import math
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from sojourn.bounds.suprema import bousquet, etemadi, levy
from sojourn.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
from enumerated import tails, up

HALF = Fraction(1, 2)


def sums(law, n):
    """All sums of n independent terms: (probability, S_1 ... S_n)."""
    return [
        (math.prod(p for p, _ in terms), list(itertools.accumulate(x for _, x in terms)))
        for terms in itertools.product(law, repeat=n)
    ]


@pytest.mark.parametrize(
    "law",
    [
        [(HALF, Fraction(1)), (HALF, Fraction(-1))],
        [(Fraction(1, 4), Fraction(3)), (Fraction(3, 4), Fraction(-1))],
        [(Fraction(1, 8), Fraction(5)), (Fraction(7, 8), Fraction(1))],
    ],
    ids=["fair", "skew", "with a drift"],
)
def test_etemadi(law):
    every, n = sums(law, 9), 9

    def tail(a):
        return up(max(sum(p for p, s in every if abs(s[k]) >= Fraction(a)) for k in range(n)))

    for t, exact in tails((p, max(map(abs, s))) for p, s in every):
        assert Fraction(etemadi(t, tail=tail)) >= exact
        assert etemadi(t, tail=tail(float(t / 3))) >= etemadi(t + 1, tail=tail)


@pytest.mark.parametrize(
    "law",
    [
        [(HALF, Fraction(1)), (HALF, Fraction(-1))],
        [(Fraction(1, 8), Fraction(5)), (Fraction(3, 8), Fraction(1)), (HALF, Fraction(0))],
    ],
    ids=["fair", "mixed"],
)
def test_levy(law):
    symmetric = [(p / 2, s * x) for p, x in law for s in (1, -1)]
    every = sums(symmetric, 5)
    for size in (lambda x: x, abs):
        ends = dict(tails((p, size(s[-1])) for p, s in every))
        for t, exact in tails((p, max(map(size, s))) for p, s in every):
            tail = up(sum(p for p, s in every if size(s[-1]) >= t))
            assert Fraction(levy(t, tail=tail)) >= exact
            assert t not in ends or tail == up(ends[t])


def test_a_tail_is_taken_at_or_below_its_place():
    seen = []
    etemadi(1, tail=lambda a: seen.append(a) or 0.01)
    assert all(Fraction(a) <= Fraction(1, 3) for a in seen)
    assert etemadi.deviation(0.05, tail=lambda a: math.exp(-a)) == pytest.approx(3 * math.log(60), rel=1e-14)


@pytest.mark.parametrize(
    "functions",
    [
        [[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]],
        [[1, Fraction(-1, 3), Fraction(-1, 3), Fraction(-1, 3)], [-2, 1, 1, 0], [0, 0, HALF, -HALF]],
        [[HALF, -HALF, HALF, -HALF]],
    ],
    ids=["signs", "skew", "one function"],
)
def test_bousquet_on_a_finite_class(functions):
    n = 5
    assert all(sum(f) == 0 and max(f) <= 1 for f in functions)
    z = [max(sum(f[x] for x in points) for f in functions) for points in itertools.product(range(4), repeat=n)]
    variance = up(max(sum(Fraction(v) ** 2 for v in f) / 4 for f in functions))
    mean = up(Fraction(sum(z)) / len(z))
    for t, exact in tails((Fraction(1, len(z)), v - Fraction(mean)) for v in z):
        assert Fraction(bousquet(t, n=n, variance=variance, expectation=mean)) >= exact
        doubled = bousquet(2 * t, n=n, variance=4 * variance, expectation=2 * mean, largest=2)
        assert doubled == pytest.approx(bousquet(t, n=n, variance=variance, expectation=mean), rel=1e-14)
    for x in (0.1, 1.0, 5.0, 40.0):
        v = n * variance + 2 * mean
        deviation = bousquet.deviation(math.exp(-x), n=n, variance=variance, expectation=mean)
        assert deviation <= (math.sqrt(2 * v * x) + x / 3) * (1 + 1e-12)


def test_a_tail_is_a_probability():
    with pytest.raises(InputError, match=r"tail=-0\.1 is negative; give a number that is zero or more"):
        etemadi(1, tail=-0.1)
