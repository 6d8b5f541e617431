"""Exact laws: the distribution of X_t, where it is known, recognised by the form of the coefficients.

Linear SDEs with additive noise are normal (Brownian motion, Ornstein-Uhlenbeck, the bridge); geometric Brownian
motion is lognormal; square-root diffusions (CIR, squared Bessel) are non-central chi-squared, and their roots (Bessel)
non-central chi.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from sojourn.calculus import linear
from sojourn.calculus.distributions import (
    Distribution,
    GaussianVector,
    LogNormal,
    NoncentralChi,
    NoncentralChiSquared,
    Normal,
)
from sojourn.calculus.inequalities import positive
from sojourn.calculus.integrals import definite
from sojourn.calculus.moments import bound, start_of
from sojourn.calculus.names import unused
from sojourn.calculus.shown import Shown
from sojourn.calculus.state_space import coefficients
from sojourn.calculus.steps import Mean, Step
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


def law(X: ItoProcess, t: Any) -> Law:
    """The law of X_t, from the initial value, or from X_0 where there is none.

    Numbers that the process was given take the places of their symbols, exactly: 0.1 is 1/10.

    Raises:
        InputError: the time is not positive; the process has jumps or no noise; its law is not known here; or the
            initial value is not in the state space.
    """
    t = _exact(t)
    if t.is_number and not t.is_positive:
        raise InputError(f"t={t} of a law is not positive; the law at time 0 is the initial value")
    if X.jump_columns:
        raise InputError(f"the law of a process with jumps of {', '.join(map(str, X.jump_columns))} is not known here")
    numbers = {s: _exact(v) for s, v in X.given().items() if isinstance(v, (int, float, np.number))}
    X = X.subs(numbers) if numbers else X
    if X.covariance().is_zero_matrix:
        raise InputError(f"{X.state} has no noise; its law is its solution, see `solve`")
    found = _vector(X, t) if len(X.states) > 1 else _recognise(X, t)
    process, distribution, notes = found
    return Law(process, X.states, distribution, t, notes)


@dataclass(frozen=True, eq=False, repr=False)
class Law(Shown):
    """The distribution of the state at a time.

    Attributes:
        process: what the process is called.
        states: the symbols of the state, in which `density` and `cdf` are written.
        distribution: with its parameters.
        time: t.
        notes: conditions under which the law holds.
    """

    process: str
    states: tuple[sp.Symbol, ...]
    distribution: Distribution | GaussianVector
    time: sp.Expr
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the distribution is called."""
        return self.distribution.name

    @property
    def lines(self) -> tuple[Step, ...]:
        """Names, mean and variance; of one state the density."""
        x, title = self.states[0], Step("", None, f"{self.process}, {self.name} law")
        if len(self.states) > 1:
            return title, Step("", "mean", self.mean), Step("", "covariance", self.variance)
        spread = Step("", sp.Function("Var")(x), self.variance)
        letter = sp.Function(unused("p q", sp.Tuple(*self.states)))
        return title, Step("", Mean(x), self.mean), spread, Step("", letter(x), self.density)

    @property
    def mean(self) -> Any:
        """E[X_t]; of several states a column vector."""
        return self.distribution.mean

    @property
    def variance(self) -> Any:
        """Var[X_t]; of several states the covariance matrix."""
        return self.distribution.variance

    @property
    def support(self) -> tuple[sp.Expr, sp.Expr]:
        """Where the density is positive, of each state."""
        return self.distribution.support

    @property
    def density(self) -> sp.Expr:
        """p(x) in the symbols of the state, within the support."""
        return self._written(self.distribution.density)

    @property
    def cdf(self) -> sp.Expr:
        """P(X_t <= x) in the symbol of the state, within the support; InputError for several states."""
        return self._written(self._scalar("cdf").cdf)

    def quantile(self, u: Any) -> sp.Expr:
        """x with P(X_t <= x) = u, for a number or a symbol u.

        Raises:
            InputError: u is no probability between 0 and 1, or there is no closed form.
        """
        u = _exact(u)
        if u.is_number and not (u.is_positive and (1 - u).is_positive):
            raise InputError(f"u={u} of a quantile is no probability between 0 and 1")
        found = self._scalar("quantile").quantile(u)
        if found is None:
            raise InputError(f"the quantile of a {self.name} law has no closed form; use frozen().ppf(u)")
        return found

    @property
    def score(self) -> tuple[sp.Expr, ...]:
        """grad log p, one expression for each state."""
        score = self._written(self.distribution.score)
        return (score,) if len(self.states) == 1 else tuple(score)

    def frozen(self, **values: float) -> Any:
        """SciPy's frozen distribution, with numbers for the symbols that are left: `frozen(t=1, X_0=0.5)`.

        Raises:
            InputError: a symbol is left without a number, or there is no such symbol.
        """
        names = {s.name for s in self._symbols}
        for name in values:
            if name not in names:
                raise InputError(f"the law has no symbol {name!r}; it has {', '.join(sorted(names)) or 'none'}")
        lacking = sorted(names - set(values))
        if lacking:
            raise InputError(f"the law needs numbers for {', '.join(lacking)}; give them: frozen({lacking[0]}=...)")
        places = {s: values[s.name] for s in self._symbols}
        time = self.time.subs(places)
        if not time.is_positive:
            raise InputError(f"t={time} of a law is not positive; the law at time 0 is the initial value")

        def number(e: Any) -> float:
            value = complex(sp.N(sp.sympify(e).subs(places)))
            if abs(value.imag) > 1e-9 * (1 + abs(value.real)) or not np.isfinite(value.real):
                raise InputError(f"{e} is {value} at {values}; the law needs finite real parameters")
            return value.real

        for what, e in self.distribution.positive.items():
            if number(e) <= 0:
                raise InputError(
                    f"{what} {e} is {number(e):g} at {values or 'these numbers'}; the law needs it positive"
                    + ("" if not self.notes else f": {' '.join(self.notes)}")
                )
        return self.distribution.frozen(number)

    def sample(self, n: int, seed: int, **values: float) -> np.ndarray:
        """n independent draws of X_t, shape (n,) or (n, states); symbols need numbers as in `frozen`."""
        if not isinstance(n, int) or n < 1:
            raise InputError(f"n={n!r} draws are not a whole number >= 1")
        return np.asarray(self.frozen(**values).rvs(size=n, random_state=np.random.default_rng(seed)))

    def _written(self, f: Callable[[Any], Any]) -> Any:
        """f in the symbols of the state, evaluated where they are positive if the support is."""
        if len(self.states) > 1:
            return f(self.states)
        state: Any = next(iter(self.states))
        x = sp.Dummy("x", positive=True) if self.support[0] == 0 else state
        return f(x).subs(x, state)

    @property
    def _symbols(self) -> set[Any]:
        parts = [e for e in vars(self.distribution).values() if isinstance(e, (sp.Expr, sp.MatrixBase))]
        found: set[Any] = set().union(*(e.free_symbols for e in parts))
        hidden = self.distribution.symbol if isinstance(self.distribution, GaussianVector) else None
        return (found - {hidden}) | (self.time.free_symbols & {hidden} if hidden else set())

    def _scalar(self, what: str) -> Distribution:
        if isinstance(self.distribution, GaussianVector):
            raise InputError(f"the {what} of several states has no closed form; use frozen()")
        return self.distribution


Found = tuple[str, Any, tuple[str, ...]]


def _recognise(X: ItoProcess, t: sp.Expr) -> Found:
    """The law of one state. Gaussian laws are tested for real x, where sign(x) is no constant; the others for x > 0."""
    x = sp.Dummy("x", real=True)
    a, v = coefficients(X, x)
    slope = sp.simplify(sp.diff(a, x))
    if not v.has(x) and not slope.has(x):
        return _gaussian(X, t, slope, sp.simplify(a - slope * x))
    x = sp.Dummy("x", positive=True)
    a, v = coefficients(X, x)
    if not v.has(sp.Piecewise) and not a.has(sp.Piecewise):
        rate, spread = sp.simplify(a / x), sp.simplify(v / x**2)
        if not rate.has(x) and not spread.has(x):
            return _geometric(X, t, rate, spread)
        timeless = X.time not in a.free_symbols | v.free_symbols
        slope, spread = sp.simplify(sp.diff(a, x)), sp.simplify(v / x)
        if timeless and not spread.has(x) and not slope.has(x):
            return _square_root(X, t, sp.simplify(a - slope * x), -slope, spread)
        product: Any = sp.expand(a * x)
        if timeless and not v.has(x) and product.is_polynomial(x):
            c0, c2 = product.coeff(x, 0), product.coeff(x, 2)
            if sp.simplify(product - c0 - c2 * x**2) == 0 and c0 != 0:
                return _bessel(X, t, c0, -c2, v)
    raise InputError(
        f"the law of {X.state} with drift {X.drifts[0]} and B^2 = {X.covariance()[0, 0]} is not known here: it is "
        f"neither linear with additive noise, nor geometric Brownian motion, CIR or Bessel; use moments(), or simulate"
    )


def _gaussian(X: ItoProcess, t: sp.Expr, slope: sp.Expr, rest: sp.Expr) -> Found:
    tau = X.time
    mean, variance = (e.subs(tau, t) for e in (linear.mean(X), linear.variance(X)))
    notes: tuple[str, ...] = ()
    bridge = _bridge_end(tau, slope, rest)
    if bridge is not None:
        end, _ = bridge
        if (t - end).is_nonnegative:
            raise InputError(f"t={t} is not before the bridge's end {end}; its law is known for 0 < t < {end}")
        notes = (f"0 < t < {end}.",)
        process = "Brownian bridge"
    elif slope == 0:
        process = "Brownian motion with drift" if tau not in (rest + X.covariance()[0, 0]).free_symbols else ""
        process = process or "Brownian motion with drift and variance that depend on time"
    else:
        process = "Ornstein-Uhlenbeck process"
        if tau in (slope + rest + X.covariance()[0, 0]).free_symbols:
            process += " with coefficients that depend on time"
    if bridge is None:
        coefficients = (slope, rest, X.covariance()[0, 0])
        notes = tuple(
            f"{e} is not zero." for e in _divisors(mean, variance) if t.free_symbols.isdisjoint(e.free_symbols)
        )
        notes += tuple(f"t is before the first zero of {e}." for e in _divisors(*coefficients) if e.has(tau))
    return process, Normal(mean, variance), notes


def _divisors(*expressions: Any) -> list[Any]:
    """The factors of denominators that are not known to differ from zero, outside of integrals."""
    found: dict[Any, None] = {}
    for expression in expressions:
        whole: dict[Any, Any] = {
            e: sp.Dummy(positive=e.is_positive) for e in expression.atoms(sp.Integral, sp.Function)
        }
        for power in expression.xreplace(whole).atoms(sp.Pow):
            base, exponent = power.as_base_exp()
            if exponent.is_nonnegative:
                continue
            for factor in sp.Mul.make_args(sp.factor(base)):
                e: Any = factor.as_base_exp()[0].xreplace({name: f for f, name in whole.items()})
                if not e.is_number and not (e.is_nonzero or e.is_positive or e.is_negative):
                    found[-e if e.could_extract_minus_sign() else e] = None
    return list(found)


def _bridge_end(t: sp.Symbol, slope: sp.Expr, rest: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """(T, b) where the drift is (b - x) / (T - t)."""
    if slope == 0:
        return None
    end, goal = sp.simplify(t - 1 / slope), sp.simplify(-rest / slope)
    return None if t in end.free_symbols | goal.free_symbols else (end, goal)


def _geometric(X: ItoProcess, t: sp.Expr, rate: sp.Expr, spread: sp.Expr) -> Found:
    start = _positive_start(X, zero=False)
    s = bound(X)
    growth = definite((rate - spread / 2).subs(X.time, s), s, 0, t)
    variance = definite(spread.subs(X.time, s), s, 0, t)
    notes = () if start.is_positive else (f"{start} > 0.",)
    return "geometric Brownian motion", LogNormal(sp.log(start) + growth, variance), notes


def _square_root(X: ItoProcess, t: sp.Expr, alpha: sp.Expr, kappa: sp.Expr, s2: sp.Expr) -> Found:
    """dX = (alpha - kappa X) dt + sqrt(s2 X) dW: X_t / c is chi-squared, df = 4 alpha / s2, nc = X_0 e^(-kappa t) / c.

    c = s2 (1 - e^(-kappa t)) / (4 kappa). Source: Cox, Ingersoll and Ross (1985), equation (18).
    """
    start = _positive_start(X, zero=True)
    notes = _needs_positive(X, alpha, "the drift at 0")
    c = s2 * t / 4 if kappa == 0 else s2 * (1 - sp.exp(-kappa * t)) / (4 * kappa)
    df = sp.simplify(4 * alpha / s2)
    process = "CIR process" if kappa != 0 else "squared Bessel process"
    if kappa.is_zero is None:
        notes += (f"{kappa} is not zero.",)
    notes += _at_zero(df)
    return process, NoncentralChiSquared(_short(c), df, _short(start * sp.exp(-kappa * t) / c)), notes


def _bessel(X: ItoProcess, t: sp.Expr, c0: sp.Expr, kappa: sp.Expr, v: sp.Expr) -> Found:
    """dX = (c0 / X - kappa X) dt + sqrt(v) dW: X^2 is a square-root process, alpha = 2 c0 + v, rate 2 kappa, 4 v."""
    start = _positive_start(X, zero=True)
    notes = _needs_positive(X, c0, "the factor of 1/x in the drift")
    c = v * t if kappa == 0 else v * (1 - sp.exp(-2 * kappa * t)) / (2 * kappa)
    df = sp.simplify((2 * c0 + v) / v)
    process = "Bessel process" if kappa == 0 else "radial Ornstein-Uhlenbeck process"
    if kappa.is_zero is None:
        notes += (f"{kappa} is not zero.",)
    notes += _at_zero(df)
    return process, NoncentralChi(_short(c), df, _short(start**2 * sp.exp(-2 * kappa * t) / c)), notes


def _at_zero(df: sp.Expr) -> tuple[str, ...]:
    if (df - 2).is_nonnegative:
        return ("0 is never reached (Feller's condition holds).",)
    if (df - 2).is_negative:
        return ("0 is reached; the law is that of the process reflected there.",)
    condition = positive(df - 2, strict=False)
    return (f"0 is never reached if {condition} (Feller's condition); else the process is reflected there.",)


def _needs_positive(X: ItoProcess, e: sp.Expr, what: str) -> tuple[str, ...]:
    if e.is_nonpositive:
        raise InputError(f"{what} of {X.state} is {e}; the law is known here where it is positive")
    return () if e.is_positive else (f"{e} > 0.",)


def _positive_start(X: ItoProcess, *, zero: bool) -> sp.Expr:
    start: Any = start_of(X)[0]
    if X.starts is None:
        start = sp.Symbol(start.name, positive=True)
    start = _exact(start)
    if start.is_negative or (start.is_zero and not zero):
        raise InputError(f"initial={start} of {X.state} is not positive; its law is known for positive values")
    return start


def _vector(X: ItoProcess, t: sp.Expr) -> Found:
    k = linear.vector_coefficients(X)
    S, start = sp.ImmutableMatrix(X.covariance()), sp.ImmutableMatrix(start_of(X))
    A, c = sp.ImmutableMatrix(k.A), sp.ImmutableMatrix(k.c)
    return "linear system with additive noise", GaussianVector(A, c, S, start, X.time, t), ()


def _exact(value: Any) -> sp.Expr:
    value = sp.sympify(value)
    return sp.nsimplify(value, rational=True) if value.has(sp.Float) else value


def _short(e: sp.Expr) -> sp.Expr:
    return sp.simplify(e) if e.count_ops() < 150 and not e.has(sp.Integral) else e
