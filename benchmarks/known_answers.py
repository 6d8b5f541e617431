"""Tests of intervals of other packages where the right answer is known: coverage, rounding, refusals, empty sets."""

from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np
from scipy.stats import binom

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Row:
    """What was tested, what should come, what came; `holds` is None where the package promises nothing of the kind."""

    test: str
    expected: str
    got: str
    holds: bool | None

    @property
    def verdict(self):
        return {True: "holds", False: "fails", None: "not promised"}[self.holds]


def rare(generator, size):
    return (generator.random(size) < 1e-4).astype(float)


def fair(generator, size):
    return (generator.random(size) < 0.5).astype(float)


def arcsine(generator, size):
    return generator.beta(0.1, 0.1, size)


LAWS = {rare: "Bernoulli(1e-4)", fair: "Bernoulli(0.5)", arcsine: "Beta(0.1, 0.1)"}


def exact_coverage(name, interval, n, p, promised):
    """The probability of all counts whose interval has p, counts of probability below 1e-12 left out as covered."""
    missed = 0.0
    for k in range(n + 1):
        weight = binom.pmf(k, n, p)
        if weight > 1e-12:
            low, high = interval(k, n)
            missed += 0.0 if low <= p <= high else weight
    holds = missed <= 1 - CONFIDENCE + 1e-9 or (False if promised else None)
    return Row(f"{name}: Bernoulli({p:g}), n = {n}", "95% or more", f"{100 * (1 - missed):.2f}%", holds)


def simulated_coverage(name, interval, n, repeats, law, mean, promised):
    """How many of the intervals of `repeats` samples have the mean; NaN and an error count as a miss."""
    generator = np.random.default_rng(20_240_501)
    faults = [fault(interval, law(generator, n), mean) for _ in range(repeats)]
    return coverage(f"{name}: {LAWS[law]}, n = {n}", faults, promised)


def at_all_times(name, sequence, n, repeats):
    """How many sequences have the mean at every number of observations up to n."""
    generator = np.random.default_rng(20_240_502)
    faults = [fault(sequence, fair(generator, n), 0.5) for _ in range(repeats)]
    return coverage(f"{name}: Bernoulli(0.5), looked at for n = 1 ... {n}", faults, True)


def fault(interval, values, mean):
    """Why the interval, or one of the sequence, does not have the mean; "" where it has."""
    try:
        low, high = map(np.asarray, interval(values))
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    if np.any(np.isnan(low) | np.isnan(high)):
        return "NaN"
    return "" if np.all((low <= mean) & (mean <= high)) else "off"


def coverage(test, faults, promised):
    misses = [why for why in faults if why]
    holds = bool(len(misses) <= binom.isf(1e-6, len(faults), 1 - CONFIDENCE)) or (False if promised else None)
    special = [why for why in misses if why != "off"]
    why = f"; {len(special)} by {special[-1]}" if special else ""
    return Row(test, "95% or more", f"{100 * (1 - len(misses) / len(faults)):.1f}% of {len(faults)}{why}", holds)


def looking(name, interval, n=1000, p=0.5):
    """The exact probability that an interval for one n has p at every n up to `n`: paths die where it has not."""
    alive = np.array([1.0])
    for size in range(1, n + 1):
        alive = np.append(alive * (1 - p), 0.0) + np.append(0.0, alive * p)
        low, high = interval(np.arange(size + 1), size)
        alive[(low > p) | (high < p)] = 0.0
    got = f"{100 * alive.sum():.1f}%"
    return Row(f"{name}: Bernoulli({p:g}), looked at for n = 1 ... {n}", "95% or more", got, None)


def last_bit(name, interval, alpha, largest=30):
    """How many ends, taken as exact rationals, cut off more than alpha / 2: the tail is summed in rationals."""
    inside = total = 0
    for n in range(1, largest + 1):
        for k in range(n + 1):
            low, high = (Fraction(float(end)) for end in interval(k, n))
            inside += k > 0 and upper_tail(n, k, low) > alpha / 2
            inside += k < n and upper_tail(n, n - k, 1 - high) > alpha / 2
            total += (k > 0) + (k < n)
    return inwards(f"{name}, all counts up to n = {largest}", inside, total)


def upper_tail(n, k, p):
    return sum(comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))


def inwards(name, inside, total):
    return Row(f"{name}: rounding", "no end on the wrong side", f"{inside} of {total}", inside == 0 or None)


def refusal(name, interval):
    """Values up to 10 given to a method for [0, 1]."""
    values = 10 * np.random.default_rng(3).random(100)
    expected = "an error that names the value"
    try:
        low, high = interval(values)
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        return Row(f"{name}: values off [0, 1]", expected, f"{type(error).__name__}: {said}", said != "no message")
    return Row(f"{name}: values off [0, 1]", expected, f"[{low:.3g}, {high:.3g}], mean {values.mean():.3g}", False)


def contradiction(name, interval):
    """200 zeros, then 200 ones: an interval says that a mean fits; where none does, that should be said."""
    test, expected = f"{name}: 200 zeros, then 200 ones", "an interval, or word that it is empty"
    try:
        low, high = interval(np.r_[np.zeros(200), np.ones(200)])
    except Exception as error:
        return Row(test, expected, f"{type(error).__name__}: {error}".splitlines()[0], False)
    return Row(test, expected, f"[{low:.4f}, {high:.4f}]", bool(low <= high))


def last(ends):
    return float(ends[0][-1]), float(ends[1][-1])


def crossed(ends):
    return max(ends[0]), min(ends[1])
