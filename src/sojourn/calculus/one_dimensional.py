"""One state: scale and speed, exits from an interval, Feller's boundaries.

s'(x) = exp(-int 2 a / B^2 dx),   m(x) = 2 / (B^2 s'),   L f = (1/m) d/dx (f' / s')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.inequalities import positive, sign_of
from sojourn.calculus.integrals import another, antiderivative, definite, exponential
from sojourn.calculus.state_space import Diffusion, diffusion, inside, singular_points, state_space
from sojourn.calculus.steps import Derived, Step
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess

LARGEST = 60  # operations in a function that is no fraction and still is expanded at an end


def scale_density(X: ItoProcess, reference: Any = None) -> sp.Expr:
    """s'(x) = exp(-int 2 a / B^2 dx), from the reference where it is given, else up to a factor."""
    D = diffusion(X)
    inner = sp.expand(sp.cancel(-2 * D.drift / D.variance))
    exponent = antiderivative(inner, D.x) if reference is None else definite(inner, D.x, sp.sympify(reference), D.x)
    return D.back(exponential(_real_logarithms(X, D, exponent)))


def scale_function(X: ItoProcess, reference: Any = None) -> Derived:
    """s with L s = 0: the chance to reach b before a from x is (s(x) - s(a)) / (s(b) - s(a)).

    Args:
        reference: where s = 0 and s' = 1. None: the simplest s; any other is alpha s + beta with alpha > 0.

    Raises:
        InputError: the process has several states, jumps, no noise, or coefficients that depend on time.

    Source: Karlin and Taylor, A Second Course in Stochastic Processes, section 15.3.
    """
    D, density = diffusion(X), scale_density(X, reference)
    f = density.subs(X.states[0], D.x)
    value = antiderivative(f, D.x) if reference is None else definite(f, D.x, sp.sympify(reference), D.x)
    steps = (
        Step("s'(x) = exp(-int 2 a / B^2 dx)", sp.Symbol("s'"), density),
        Step("s(x) = int s' dx", sp.Symbol("s"), D.back(value)),
    )
    free = () if reference is not None else ("s is determined up to alpha s + beta with alpha > 0.",)
    return Derived(D.back(value), steps, free)


def speed_density(X: ItoProcess, reference: Any = None) -> Derived:
    """m(x) = 2 / (B^2 s'), for the s of `scale_function` with the same reference.

    Source: Borodin and Salminen, Handbook of Brownian Motion, section II.4 (Karlin and Taylor leave out the 2).
    """
    D, density = diffusion(X), scale_density(X, reference)
    value = sp.powsimp(sp.factor(2 / D.variance) / density.subs(X.states[0], D.x))
    steps = (
        Step("s'(x) = exp(-int 2 a / B^2 dx)", sp.Symbol("s'"), density),
        Step("m(x) = 2 / (B^2 s')", sp.Symbol("m"), D.back(value)),
    )
    free = () if reference is not None else ("m is determined up to the factor that s is.",)
    return Derived(D.back(value), steps, free)


def exit_probability(X: ItoProcess, low: Any, high: Any) -> Derived:
    """The chance to leave [low, high] at high, as a function of the start x: (s(x) - s(low)) / (s(high) - s(low)).

    Raises:
        InputError: low is not below high, or a singular point of the coefficients lies between them.
    """
    low, high = _interval(X, low, high)
    D, s = diffusion(X), scale_function(X)
    f = s.value.subs(X.states[0], D.x)
    value = _difference(f, D.x, low, D.x) / _difference(f, D.x, low, high)
    step = Step(
        "s(X) is a martingale: P(high first) = (s(x) - s(low)) / (s(high) - s(low))", sp.Symbol("P"), D.back(value)
    )
    return Derived(D.back(value), (*s.steps, step), (f"{low} < {X.states[0]} < {high}.",))


def mean_exit_time(X: ItoProcess, low: Any, high: Any) -> Derived:
    """E of the time to leave (low, high) from x: T with L T = -1 and T(low) = T(high) = 0.

    T(x) = int G(x, y) m(y) dy, G(x, y) = (s(min) - s(low)) (s(high) - s(max)) / (s(high) - s(low)) with min and max of
    x and y. Integrals that are not found stay unevaluated; SymPy's `evalf` gives them numbers.

    Raises:
        InputError: as `exit_probability`.
    """
    low, high = _interval(X, low, high)
    D, s, m = diffusion(X), scale_function(X), speed_density(X)
    x, y = D.x, another(D.x, s.value, m.value, low, high)
    f, mass = s.value.subs(X.states[0], y), m.value.subs(X.states[0], y)
    left = definite(sp.powsimp(sp.expand(_difference(f, y, low, y) * mass)), y, low, x)
    right = definite(sp.powsimp(sp.expand(_difference(f, y, y, high) * mass)), y, x, high)
    below, above = _difference(f, y, low, x), _difference(f, y, x, high)
    value = (above * left + below * right) / _difference(f, y, low, high)
    step = Step("Green's function: T(x) = int G(x, y) m(y) dy", sp.Symbol("T"), D.back(value))
    return Derived(D.back(value), (*s.steps, m.steps[-1], step), (f"{low} < {X.states[0]} < {high}.",))


def feller(X: ItoProcess) -> tuple[Derived, Derived]:
    """The kinds of the lower and the upper end of the state space: regular, exit, entrance or natural.

    The value is a symbol of that name, or a Piecewise of such symbols where parameters decide; where no case holds, the
    kind is not decided. With distance z from the end, B^2 ~ z^beta and s' ~ z^p: beta >= 2 is natural; else p <= -1 is
    an entrance, p >= 1 - beta an exit, and what lies between is regular. Where s' grows or falls as exp(c z^-r), r
    decides the integrals of Feller's test.

    Raises:
        InputError: the state space, or the leading terms of the coefficients at an end, are not found.

    Source: Karlin and Taylor, A Second Course in Stochastic Processes, section 15.6.
    """
    low, high = state_space(X)
    return _kind(X, low, above=True), _kind(X, high, above=False)


def _real_logarithms(X: ItoProcess, D: Diffusion, E: Any) -> Any:
    """E with log(x - r) as log(r - x) where the state space lies below r; they differ by a constant."""
    if not E.has(sp.log):
        return E
    low, high = state_space(X)
    return E.replace(
        lambda e: isinstance(e, sp.log) and e.has(D.x) and inside(D, e.args[0], low, high).is_negative,
        lambda e: sp.log(sp.expand(-e.args[0])),
    )


def _difference(f: Any, x: Any, low: Any, high: Any) -> Any:
    """f(high) - f(low)."""
    if f.has(sp.Integral):
        y = another(x, f, low, high)
        return sp.Integral(sp.diff(f, x).subs(x, y), (y, low, high))
    return f.subs(x, high) - f.subs(x, low)


def _interval(X: ItoProcess, low: Any, high: Any) -> tuple[sp.Expr, sp.Expr]:
    low, high = sp.sympify(low), sp.sympify(high)
    if (high - low).is_positive is False or not (low.is_finite is not False and high.is_finite is not False):
        raise InputError(f"the interval from {low} to {high} needs finite ends, the first below the second")
    for point in singular_points(diffusion(X)):
        if (point - low).is_nonnegative and (high - point).is_nonnegative:
            raise InputError(
                f"the coefficients are singular at {point}, in the interval from {low} to {high}; keep it out"
            )
    return low, high


@dataclass(frozen=True)
class End:
    """s' and B^2 at an end, in the distance z from it (1/|x| from infinity).

    Attributes:
        kappa, e: (log s')' ~ kappa z^e, so s' ~ z^kappa for e = -1, and s' ~ exp(-(kappa/r) z^-r) for r = -e - 1 > 0.
        beta: B^2 ~ z^beta.
    """

    kappa: sp.Expr
    e: sp.Expr
    beta: sp.Expr

    @property
    def power(self) -> sp.Expr:
        """p with s' ~ z^p, for e >= -1."""
        return self.kappa if self.e == -1 else sp.S.Zero

    @property
    def mass_is_finite(self) -> Any:
        """Whether int m is finite at the end, a condition."""
        return positive(self.mass_exponent)

    @property
    def mass_exponent(self) -> sp.Expr:
        """An expression that is positive where int m is finite at the end."""
        return -self.kappa if self.e < -1 else 1 - self.beta - self.power


def end(X: ItoProcess, place: Any, *, above: bool) -> End:
    """The leading powers at an end; `above`: the state lies above it."""
    return _end(diffusion(X), place, above=above)


def _end(D: Diffusion, place: Any, *, above: bool) -> End:
    z = sp.Dummy("z", positive=True)
    side = 1 if above else -1
    x = -side / z if sp.sympify(place).is_infinite else place + side * z
    slope = sp.diff(x, z)
    # s' and B^2 of the process of z: s' dx/dz and B^2 / (dx/dz)^2
    bend = sp.diff(slope, z) / slope
    kappa, e = _leading((-2 * D.drift / D.variance).subs(D.x, x) * slope + bend, z, D)
    _, beta = _leading(D.variance.subs(D.x, x) / slope**2, z, D)
    return End(kappa, e, beta)


def _kind(X: ItoProcess, place: Any, *, above: bool) -> Derived:
    D = diffusion(X)
    found = _end(D, place, above=above)
    if found.e < -1:
        rule = Step(
            "s' ~ exp(-c z^-r) near the end; c, r",
            sp.Symbol("s'"),
            sp.Tuple(found.kappa / (-found.e - 1), -found.e - 1),
        )
    else:
        rule = Step("s' ~ z^p near the end; p", sp.Symbol("s'"), found.power)
    second = Step("B^2 ~ z^beta near the end; beta", sp.Symbol("B^2"), found.beta)
    cases = _cases(D, place, found, above=above)
    value = cases[0][0] if cases[0][1] == sp.true else sp.Piecewise(*cases, evaluate=False)
    return Derived(value, (rule, second), (f"The end is {X.states[0]} = {place}.",))


def _cases(D: Diffusion, place: Any, found: End, *, above: bool) -> list[tuple[Any, Any]]:
    """(kind, condition), of which the first that is true counts; the last may leave parameters out."""
    regular, leaving, entrance, natural = (sp.Symbol(kind) for kind in ("regular", "exit", "entrance", "natural"))
    if found.e < -1 and found.beta < 1 - found.e:
        listed = [(leaving, positive(found.kappa)), (entrance, positive(-found.kappa))]
        listed += _at_equality(D, place, found, above=above) if not sign_of(found.kappa).is_number else []
    elif found.e < -1 or found.beta >= 2:
        listed = [(natural, sp.true)]
    else:
        p = found.power
        listed = [
            (entrance, positive(-1 - p, strict=False)),
            (leaving, positive(p - 1 + found.beta, strict=False)),
            (regular, sp.true),
        ]
    kept = [(kind, condition) for kind, condition in listed if condition != sp.false]
    certain = next((i for i, (_, condition) in enumerate(kept) if condition == sp.true), len(kept))
    return kept[: certain + 1]


def _at_equality(D: Diffusion, place: Any, found: End, *, above: bool) -> list[tuple[Any, Any]]:
    """The kind where the leading coefficient of (log s')' is zero, if it is one kind."""
    nonzero = sp.denom(sp.together(place)) if sp.sympify(place).is_finite is not False else sp.S.One
    product: Any = sp.factor(sign_of(found.kappa))
    factors = [f.as_base_exp()[0] for f in sp.Mul.make_args(product)]
    kinds = {_kind_where_zero(D, place, f, above=above) for f in factors if f.free_symbols and not nonzero.has(f)}
    kind = kinds.pop() if len(kinds) == 1 else None
    return [] if kind is None else [(kind, sp.true)]


def _kind_where_zero(D: Diffusion, place: Any, f: Any, *, above: bool) -> Any:
    """The kind of the end where f is zero; None if it is not a single one or not found."""
    for symbol in sorted(f.free_symbols, key=str):
        slope = sp.diff(f, symbol)
        if slope.has(symbol):
            continue
        zero: dict[Any, Any] = {symbol: sp.factor(-(f - slope * symbol) / slope)}
        drift, variance = list[Any](map(sp.factor, list[Any]((D.drift.subs(zero), D.variance.subs(zero)))))
        there = Diffusion(D.state, D.x, drift, variance)
        try:
            cases = _cases(there, place, _end(there, sp.sympify(place).subs(zero), above=above), above=above)
        except InputError:
            continue
        if len(cases) == 1 and cases[0][1] == sp.true:
            return cases[0][0]
    return None


def _leading(f: sp.Expr, z: sp.Symbol, D: Diffusion) -> tuple[sp.Expr, sp.Expr]:
    """(c, e) with f ~ c z^e as z falls to 0, e a number; (0, 0) for f = 0."""
    if f.is_rational_function(z):
        return _lowest(f, z)
    f = sp.powsimp(sp.expand(sp.powdenest(sp.cancel(sp.together(f)), force=True))) if f.count_ops() < LARGEST else f
    if f == 0:
        return sp.S.Zero, sp.S.Zero
    try:
        c, e = f.leadterm(z) if f.count_ops() < LARGEST else (sp.nan, sp.nan)
    except (ValueError, NotImplementedError, sp.PoleError):
        c, e = sp.nan, sp.nan
    if not sp.sympify(e).is_number or sp.sympify(e) is sp.nan or c.has(z, sp.log(z), sp.AccumBounds):
        raise InputError(
            f"Feller's test needs the leading powers of drift {D.back(D.drift)} and B^2 = {D.back(D.variance)} at an "
            f"end of the state space, which are not found; give numbers to exponents"
        )
    return sp.simplify(c), e


def _lowest(f: Any, z: sp.Symbol) -> tuple[Any, Any]:
    """`_leading` of a rational function."""
    c, e = sp.S.One, 0
    for polynomial, side in zip(sp.fraction(sp.factor(sp.together(f))), (1, -1), strict=True):
        p = sp.Poly(polynomial, z)
        if p.is_zero:
            return sp.S.Zero, sp.S.Zero
        (power,), coefficient = p.terms()[-1]
        c, e = c * coefficient**side, e + side * power
    return sp.factor(c), sp.Integer(e)
