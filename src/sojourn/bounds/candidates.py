"""The inequalities that `best_bound` tries, and how each is applied to what is known of a sum's terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sojourn.bounds.assumptions import DEPENDENCES, Assumptions, Fact
from sojourn.bounds.convex_order import bentkus, bentkus_variance
from sojourn.bounds.inequality import Inequality, inequality
from sojourn.bounds.martingales import azuma_hoeffding, fan_grama_liu, freedman, freedman_bennett
from sojourn.bounds.moments import cantelli, chebyshev, markov_of_sum, vysochanskij_petunin
from sojourn.bounds.normal_approximation import berry_esseen, berry_esseen_independent
from sojourn.bounds.rounding import Ball, above, ball
from sojourn.bounds.sums import (
    bennett,
    bernstein,
    chernoff_bernoulli,
    hoeffding,
    hoeffding_variance,
    sub_gaussian,
)
from sojourn.bounds.suprema import kolmogorov, marshall

Side = Literal["upper", "lower", "both"]


@dataclass(frozen=True)
class Candidate:
    """An inequality as `best_bound` needs it.

    Attributes:
        inequality: with its event and its hypotheses.
        two_sided: it bounds both tails at once.
        maximal: it bounds the maximum over the partial sums.
        variable: a theorem on one variable. Where the terms depend too much, it holds for their mean as one variable,
            whose variance is not above that of a term.
        unimodal: the sum must have one mode.
        twin: never above this one for the last sum, and shown in its place where both apply.
    """

    inequality: Inequality[...]
    two_sided: bool = False
    maximal: bool = False
    variable: bool = False
    unimodal: bool = False
    twin: Inequality[...] | None = None


CANDIDATES = (
    Candidate(markov_of_sum),
    Candidate(chebyshev, two_sided=True, variable=True),
    Candidate(cantelli, variable=True),
    Candidate(vysochanskij_petunin, two_sided=True, variable=True, unimodal=True),
    Candidate(bentkus),
    Candidate(bentkus_variance),
    Candidate(chernoff_bernoulli),
    Candidate(hoeffding),
    Candidate(hoeffding_variance),
    Candidate(bennett),
    Candidate(bernstein),
    Candidate(sub_gaussian),
    Candidate(berry_esseen),
    Candidate(berry_esseen_independent, twin=berry_esseen),
    Candidate(kolmogorov, two_sided=True, maximal=True, twin=chebyshev),
    Candidate(marshall, maximal=True, twin=cantelli),
    Candidate(azuma_hoeffding, maximal=True, twin=hoeffding),
    Candidate(freedman, maximal=True, twin=bernstein),
    Candidate(freedman_bennett, maximal=True, twin=bennett),
    Candidate(fan_grama_liu, maximal=True, twin=hoeffding_variance),
)


@dataclass(frozen=True)
class Applied:
    """A candidate with its hypotheses filled in: a bound at t on the sum, for any n; and what it used, in words."""

    bound: Inequality[...]
    uses: str


def applied(candidate: Candidate, assumptions: Assumptions, side: Side, maximal: bool) -> Applied | str:
    """The candidate under these assumptions; or the reason for which it does not apply."""
    theorem = candidate.inequality
    if maximal and not candidate.maximal:
        return "bounds the last sum, not the maximum"
    whole = not _holds(theorem, assumptions)
    if whole and not candidate.variable:
        return f"needs {_TERMS[theorem.needs]}"
    both_at_once = candidate.two_sided or side == "upper"
    mirrored = assumptions.reflected()
    sides = [assumptions] if both_at_once else [mirrored] if side == "lower" else [assumptions, mirrored]
    facts = [one.facts() for one in sides]
    if reason := next((reason for known in facts if (reason := _lacks(candidate, known))), None):
        return reason
    twin = candidate.twin
    if twin is not None and not maximal and _holds(twin, assumptions):
        return f"never below {twin.name} here"

    def formula(t: Ball, *, n: int = 1) -> Ball:
        t, terms = (t / n, 1) if whole else (t, n)
        return sum((theorem.formula(t, **_hypotheses(theorem, known, terms)) for known in facts), ball(0))

    formula.__name__, formula.__doc__ = theorem.name, theorem.__doc__
    bound = inequality(theorem.event, source=theorem.source, needs=assumptions.dependence)(formula)
    return Applied(bound, _uses(theorem, facts, whole))


_TERMS = {
    "iid": "identical and independent terms",
    "independent": "independent terms",
    "martingale": "martingale differences",
    "uncorrelated": "uncorrelated terms",
}

_FROM = {"variation": "variance", "width": "range", "proxy": "sub_gaussian"}  # keywords of theorems -> names of facts

_WORDS = {
    "mean": "the mean",
    "range": "a range",
    "variance": "a variance",
    "third_moment": "a third moment",
    "largest": "a largest deviation",
    "increment": "a largest increment",
    "sub_gaussian": "a sub-Gaussian variance proxy",
}


def _holds(theorem: Inequality[...], assumptions: Assumptions) -> bool:
    """Whether the terms are free enough of each other; a single one is."""
    return assumptions.n == 1 or DEPENDENCES.index(assumptions.dependence) <= DEPENDENCES.index(theorem.needs)


def _lacks(candidate: Candidate, facts: dict[str, Fact]) -> str | None:
    """What is missing, in one clause."""
    if candidate.unimodal and "unimodal" not in facts:
        return "needs a sum with one mode"
    for name in _needed(candidate.inequality):
        if name not in facts:
            return f"needs {_WORDS[name]}"
    if "third_moment" in _needed(candidate.inequality) and facts["variance"].why:
        return "needs the variance itself, not a bound for it"
    return None


def _needed(theorem: Inequality[...]) -> list[str]:
    return [_FROM.get(name, name) for name in theorem.keywords if name != "n"]


def _hypotheses(theorem: Inequality[...], facts: dict[str, Fact], n: int) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in theorem.keywords:
        if name == "n":
            given[name] = n
            continue
        value = facts[_FROM.get(name, name)].value
        if name == "variation":
            value = _total(value, n)
        elif name == "width":
            value = _width(*value)
        given[name] = value
    return given


def _total(value: float, n: int) -> float:
    return above(lambda: n * ball(value))


def _width(a: float, b: float) -> float:
    return above(lambda: ball(b) - ball(a))


def _uses(theorem: Inequality[...], facts: Sequence[dict[str, Fact]], whole: bool) -> str:
    """What it used, and what that follows from: "independent terms, range, variance 0.25 (Bhatia-Davis)"."""
    words: list[str] = []
    if whole:
        words.append("the mean as one variable")
    elif theorem.needs in _TERMS:
        words.append(_TERMS[theorem.needs])
    for name in _needed(theorem):
        fact = facts[0][name]
        words.append(name.replace("_", " ") + (f" {_number(fact.value)} ({fact.why})" if fact.why else ""))
    return ", ".join(words + ["both tails added"] * (len(facts) > 1))


def _number(value: Any) -> str:
    return f"({value[0]:.4g}, {value[1]:.4g})" if isinstance(value, tuple) else f"{value:.4g}"
