"""Checking a derivation line by line: numbers that refute, and SymPy that proves.

Each relation is evaluated in several worlds (numbers for indices, sizes, stand-ins for unknown functions) at several
points. One at which the two sides differ refutes it. An equation that holds is then proved by SymPy, where SymPy can.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from sojourn.derivations.document import Document, Given, Step
from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values import closer, comparisons, means
from sojourn.derivations.values.averages import Average
from sojourn.derivations.values.derivatives import by_table
from sojourn.derivations.values.laws import entries
from sojourn.derivations.values.meaning import Meaning, shape
from sojourn.derivations.values.points import points
from sojourn.derivations.values.quadrature import evaluate, rough
from sojourn.derivations.values.scope import Scope, labels, names
from sojourn.derivations.values.worlds import OutOfRange, worlds
from sojourn.errors import InputError

TOLERANCE = 1e-8
_POINTS, _FEWEST, _BATCHES, _MOST_OPERATIONS = 8, 3, 3, 250


@dataclass(frozen=True)
class Verdict:
    """What became of one line.

    Attributes:
        line: its number in the file.
        source: as it was written.
        status: "defines", "proved" (by SymPy), "holds" (at all points tried) or "not checked" (as its reason says).
        detail: what it defines, or how it was found.
    """

    line: int
    source: str
    status: str
    detail: str


@dataclass(frozen=True)
class Counterexample:
    """Numbers for which a line is wrong.

    Attributes:
        line, source: the line.
        sign: the relation.
        values: what the symbols are, by name.
        left, right: what the two sides are there.
        hint: what may have been meant, or "".
    """

    line: int
    source: str
    sign: str
    values: dict[str, str]
    left: float
    right: float
    hint: str = ""

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        where = f"at {at} " if at else ""
        sides = f"the left side is {self.left:.6g} and the right side {self.right:.6g}"
        return f"does not follow: {where}{sides}" + (f"; {self.hint}" if self.hint else "")


@dataclass(frozen=True)
class Checked:
    """The verdicts in the order of lines; `counterexample` to the first line that does not follow, or None."""

    verdicts: tuple[Verdict, ...]
    counterexample: Counterexample | None


def check(document: Document) -> Checked:
    """Checks all lines up to the first that does not follow.

    Raises:
        InputError: a line cannot be evaluated; the message begins with file and line.
    """
    scope = Scope()
    given = [node for entry in document.entries if isinstance(entry, Given) for node in entry.nodes]
    steps = [entry for entry in document.entries if isinstance(entry, Step)]
    scope.find_indices([*given, *(step.relation for step in steps)])
    verdicts: list[Verdict] = []
    last: Any = (None, None)  # the last right side, and the first side of its chain
    for entry in document.entries:
        try:
            if isinstance(entry, Given):
                for node in entry.nodes:
                    scope.take(node)
            elif isinstance(entry, Step):
                found, last = _step(scope, entry, last)
                if isinstance(found, Counterexample):
                    return Checked(tuple(verdicts), found)
                verdicts.append(found)
        except (InputError, RecursionError) as error:
            said = error if isinstance(error, InputError) else "it is nested too deeply; write it in smaller steps"
            raise InputError(f"{document.name}:{entry.line}: {said}") from None
    return Checked(tuple(verdicts), None)


def _step(scope: Scope, step: Step, last: Any) -> tuple[Verdict | Counterexample, Any]:
    relation = step.relation
    if isinstance(relation, n.Distributed):
        relation = n.Relation((relation.symbols[0], relation.law), ("law",))
    if not isinstance(relation, n.Relation):
        raise InputError("a step is a relation such as a = b; what is given stands in list items, - $...$")
    sides, signs = list(relation.sides), list(relation.signs)
    first = sides[0] if sides[0] is not None else last[1]
    if sides[0] is None:
        if last[0] is None:
            raise InputError("the line goes on from a right side, but none stands before it")
        sides[0] = last[0]
    whole = n.Relation(tuple(sides), tuple(signs))
    if step.reason.lower().startswith(("unchecked", "not checked", "不检验", "未检验")):
        return Verdict(step.line, step.source, "not checked", "as its reason says"), (sides[-1], first)
    defines = _defines(scope, sides[0], signs[0], sides[1])
    if defines:
        scope.define(sides[0], sides[1])
        sides, signs = sides[1:], signs[1:]
    outcomes = [_compare(scope, step, first, *pair) for pair in zip(sides, signs, sides[1:], strict=False)]
    scope.seen |= set(labels(whole, scope))
    found = [outcome for outcome in outcomes if isinstance(outcome, Verdict)]
    wrong = [outcome for outcome in outcomes if isinstance(outcome, Counterexample)]
    if wrong:
        return wrong[0], (sides[-1], first)
    if not found:
        return Verdict(step.line, step.source, "defines", scope.name(_head(relation.sides[0]))), (sides[-1], first)
    least = min(found, key=lambda verdict: verdict.status == "proved")
    return least, (sides[-1], first)


def _head(node: Any) -> n.Symbol:
    return node.head if isinstance(node, n.Call) else node


def _defines(scope: Scope, left: Any, sign: str, right: Any) -> bool:
    """Whether a line gives a meaning to a symbol (or function) that had none."""
    if sign == "define" and isinstance(left, (n.Symbol, n.Call)):
        return True
    if sign != "=" or not isinstance(left, (n.Symbol, n.Call)):
        return False
    name = scope.name(_head(left))
    if isinstance(left, n.Call) and (
        left.given or left.primes or not all(isinstance(a, n.Symbol) for a in left.arguments)
    ):
        return False
    if isinstance(left, n.Call) and left.head.name in ("p", "q", "N", "U"):
        return False
    if isinstance(left, n.Symbol):
        return not scope.knows_symbol(left) and scope.label(left) not in set(labels(right, scope))
    return not scope.knows(name) and name not in set(names(right, scope))


def _compare(scope: Scope, step: Step, chain: Any, left: Any, sign: str, right: Any) -> Verdict | Counterexample:
    """One relation, in all worlds."""
    if sign in ("approx", "!="):
        raise InputError(
            f"the sign {'≈' if sign == 'approx' else '≠'} cannot be checked; write = or a bound, or begin the reason "
            "with 'unchecked'"
        )
    used = {*names(left, scope), *names(right, scope)}
    proved, problem = True, None
    fair: Counter[int] = Counter()  # points that count, for each pair of numbers
    pairs: list[tuple[Any, Any, str]] = []
    tried = worlds(scope, n.Relation((left, right), (sign,)))
    for world in tried:
        m = Meaning(scope, world)
        try:
            pairs = _pairs(m, chain, left, sign, right)
        except OutOfRange:
            continue
        for k, (first, second, hint) in enumerate(pairs):
            try:
                enough, wrong, both = _differ(m, first, sign if sign in ("<", "<=", ">", ">=") else "=", second)
            except InputError as error:
                problem = error
                continue
            if wrong is None and sign in ("<", ">") and _proves(first, second):
                hint = "the sides are equal: write \\le or \\ge"
                wrong = _at_one(m, first, second)
            if wrong is not None:
                values, a, b = wrong
                shown = _shown(m, values, used)
                unknown = "" if shown or not m.touched else "for one choice of what is unknown"
                hint = hint or _hint(m, sign, left, right) or unknown
                return Counterexample(step.line, step.source, sign, shown, a, b, hint)
            fair[k] += enough
            proved &= both and sign in ("=", "define") and _proves(first, second)
        if not m.touched and sign in ("=", "define"):  # all worlds are like this one
            break
    if not pairs:
        raise InputError("the line speaks of indices before the beginning; say from where on it holds")
    if not all(fair[k] for k in range(len(pairs))):
        raise problem or InputError(
            "a side is not a real number at the points tried, or its integral does not settle; "
            "say in list items where the letters are"
        )
    where = "".join(
        f", {name} in {sorted({w.values[name] for w in tried})}" for name in sorted(used & set(tried[0].values))
    )
    if proved:
        return Verdict(step.line, step.source, "proved", "by SymPy" + where)
    return Verdict(step.line, step.source, "holds", f"at {max(fair.values())} points" + where)


def _pairs(m: Meaning, chain: Any, left: Any, sign: str, right: Any) -> list[tuple[Any, Any, str]]:
    """The numbers to compare, entry by entry, each with a word on what it means if they differ."""
    if sign == "law":
        return comparisons.laws(m, left, right)
    if sign == "proportional":
        return comparisons.ratio(m, chain, left, right)
    first, second = (by_table_each(m, m.value(side)) for side in (left, right))
    sizes = [v.shape if isinstance(v, sp.MatrixBase) else () for v in (first, second)]
    if sizes[0] != sizes[1]:
        if 0 not in (first, second):
            raise InputError(f"the left side is {shape(first)} and the right side {shape(second)}")
        first, second = (sp.zeros(*(sizes[0] or sizes[1])) if v == 0 else v for v in (first, second))
    return [(a, b, "") for a, b in zip(entries(first), entries(second), strict=True)]


def by_table_each(m: Meaning, value: Any) -> Any:
    """Ito's table on a side, where there are differentials."""
    if not (m.scope.processes or m.scope.brownian):
        return value
    return value.applyfunc(lambda e: by_table(m, e)) if isinstance(value, sp.MatrixBase) else by_table(m, value)


def _differ(m: Meaning, left: Any, sign: str, right: Any) -> tuple[int, closer.Wrong | None, bool]:
    """The number of points that count, the first where the relation fails, and whether both sides are real together."""
    left, right = sp.sympify(left), sp.sympify(right)
    symbols = left.free_symbols | right.free_symbols
    fair, coarse, both = 0, rough(left) or rough(right), True
    where: dict[Any, np.ndarray] = {}
    for batch in range(_BATCHES):
        where = points(m, symbols, _POINTS if symbols else 1, random.Random(f"{m.world.seed} {batch}"))
        (a, off), (b, off_too) = (evaluate(side, where) for side in (left, right))
        with np.errstate(all="ignore"):  # what overflows is not real and does not count
            doubt = off + off_too
            real = np.isfinite(a) & np.isfinite(b)
            both &= bool((np.isfinite(a) == np.isfinite(b)).all())
            a, b = (np.where(real, side, np.nan) for side in (a, b))
            scale = 1 + np.abs(a) + np.abs(b)
            fine = real & closer.lawful(m, where) & (doubt <= (2e-3 if coarse else 1e-5) * scale)
            slack = TOLERANCE * scale + (3 if coarse else 30) * doubt
            wrong = (
                fine
                & {
                    "=": np.abs(a - b) > slack,
                    "<=": a > b + slack,
                    ">=": a < b - slack,
                    "<": a > b + slack,
                    ">": a < b - slack,
                }[sign]
            )
        if wrong.any():
            candidates = np.flatnonzero(wrong)
            size = sum((np.abs(v[candidates]) for v in where.values()), np.zeros(len(candidates)))
            k = int(candidates[int(np.argmin(size))])
            return fair, ({s: float(v[k]) for s, v in where.items()}, float(a[k]), float(b[k])), both
        fair += int(fine.sum())
        if fair >= _FEWEST or not symbols:
            break
    return fair, closer.failure(m, left, sign, right, where) if fair else None, both


def _at_one(m: Meaning, left: Any, right: Any) -> tuple[dict[Any, float], float, float]:
    """The sides at one point."""
    where = points(m, left.free_symbols | right.free_symbols, 1, random.Random(0))
    a, b = (float(evaluate(side, where)[0][0]) for side in (left, right))
    return {s: float(v[0]) for s, v in where.items()}, a, b


def _proves(left: Any, right: Any) -> bool:
    """Whether SymPy shows that two sides are equal, by means that end soon."""
    difference = sp.sympify(left) - sp.sympify(right)
    if difference == 0:
        return True
    if difference.has(Average, sp.Piecewise, sp.Max, sp.Min, sp.Abs) or sp.count_ops(difference) > _MOST_OPERATIONS:
        return False
    if sp.expand(difference) == 0:
        return True
    opened = sp.expand_log(sp.powdenest(difference, force=True), force=True)
    if sp.expand(sp.numer(sp.together(opened))) == 0:
        return True
    return sp.count_ops(opened) <= _MOST_OPERATIONS // 3 and sp.simplify(opened) == 0


def _hint(m: Meaning, sign: str, left: Any, right: Any) -> str:
    """Equal in law, where both sides are random and not the same."""
    try:
        if sign != "=" or not all(means.draws(m, m.value(side)) for side in (left, right)):
            return ""
        for first, second, _ in comparisons.laws(m, left, right):
            if _differ(m, first, "=", second)[1] is not None:
                return ""
    except (InputError, OutOfRange):
        return ""
    return "they are equal in law: write \\overset{d}{=}"


def _shown(m: Meaning, values: dict[Any, float], used: set[str]) -> dict[str, str]:
    """Numbers by readable names, indices first."""
    out = {name: str(k) for name, k in m.world.values.items() if name in used}
    for s, v in values.items():
        fraction = sp.nsimplify(v, rational=True, tolerance=1e-12)
        out[str(s).replace("bar ", "bar_")] = str(fraction) if fraction.q < 1000 else f"{v:.6g}"
    return out if not math.isnan(sum(values.values())) else {}
