"""The distributions that exact laws are made of: expressions in symbols, and SciPy's distribution for numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import sympy as sp

from sojourn.calculus.exponential import exponential
from sojourn.calculus.integrals import definite
from sojourn.calculus.names import unused
from sojourn.errors import InputError

Number = Callable[[Any], float]


class Distribution(ABC):
    """A distribution on the line; `parameters` are expressions."""

    name: ClassVar[str]
    support: ClassVar[tuple[sp.Expr, sp.Expr]]

    @property
    @abstractmethod
    def mean(self) -> sp.Expr: ...

    @property
    @abstractmethod
    def variance(self) -> sp.Expr: ...

    @property
    @abstractmethod
    def positive(self) -> dict[str, sp.Expr]:
        """What a parameter is called that has to be positive -> the parameter."""

    @abstractmethod
    def density(self, x: Any) -> sp.Expr:
        """p(x), within the support."""

    @abstractmethod
    def cdf(self, x: Any) -> sp.Expr:
        """P(X <= x), within the support."""

    def quantile(self, u: Any) -> sp.Expr | None:
        """x with P(X <= x) = u; None where there is no closed form."""
        return None

    @abstractmethod
    def score(self, x: Any) -> sp.Expr:
        """d log p / dx."""

    @abstractmethod
    def frozen(self, number: Number) -> Any:
        """SciPy's distribution; `number` makes a float of a parameter."""


@dataclass(frozen=True)
class Normal(Distribution):
    """N(m, v)."""

    m: sp.Expr
    v: sp.Expr
    name: ClassVar[str] = "normal"
    support: ClassVar[tuple[sp.Expr, sp.Expr]] = (-sp.oo, sp.oo)

    @property
    def mean(self) -> sp.Expr:
        return self.m

    @property
    def variance(self) -> sp.Expr:
        return self.v

    @property
    def positive(self) -> dict[str, sp.Expr]:
        return {"the variance": self.v}

    def density(self, x: Any) -> sp.Expr:
        return sp.exp(-((x - self.m) ** 2) / (2 * self.v)) / sp.sqrt(2 * sp.pi * self.v)

    def cdf(self, x: Any) -> sp.Expr:
        return (1 + sp.erf((x - self.m) / sp.sqrt(2 * self.v))) / 2

    def quantile(self, u: Any) -> sp.Expr:
        return self.m + sp.sqrt(2 * self.v) * sp.erfinv(2 * u - 1)

    def score(self, x: Any) -> sp.Expr:
        return -(x - self.m) / self.v

    def frozen(self, number: Number) -> Any:
        from scipy import stats

        return stats.norm(number(self.m), np.sqrt(number(self.v)))


@dataclass(frozen=True)
class LogNormal(Distribution):
    """exp(N(m, v))."""

    m: sp.Expr
    v: sp.Expr
    name: ClassVar[str] = "lognormal"
    support: ClassVar[tuple[sp.Expr, sp.Expr]] = (sp.S.Zero, sp.oo)

    @property
    def mean(self) -> sp.Expr:
        return sp.exp(self.m + self.v / 2)

    @property
    def variance(self) -> sp.Expr:
        return (sp.exp(self.v) - 1) * sp.exp(2 * self.m + self.v)

    @property
    def positive(self) -> dict[str, sp.Expr]:
        return {"the variance of the logarithm": self.v}

    def density(self, x: Any) -> sp.Expr:
        return Normal(self.m, self.v).density(sp.log(x)) / x

    def cdf(self, x: Any) -> sp.Expr:
        return Normal(self.m, self.v).cdf(sp.log(x))

    def quantile(self, u: Any) -> sp.Expr:
        return sp.exp(Normal(self.m, self.v).quantile(u))

    def score(self, x: Any) -> sp.Expr:
        return -(1 + (sp.log(x) - self.m) / self.v) / x

    def frozen(self, number: Number) -> Any:
        from scipy import stats

        return stats.lognorm(np.sqrt(number(self.v)), scale=np.exp(number(self.m)))


@dataclass(frozen=True)
class NoncentralChiSquared(Distribution):
    """scale times a chi-squared variable with `df` degrees of freedom and noncentrality `nc`."""

    scale: sp.Expr
    df: sp.Expr
    nc: sp.Expr
    name: ClassVar[str] = "scaled non-central chi-squared"
    support: ClassVar[tuple[sp.Expr, sp.Expr]] = (sp.S.Zero, sp.oo)

    @property
    def mean(self) -> sp.Expr:
        return _short(self.scale * (self.df + self.nc))

    @property
    def variance(self) -> sp.Expr:
        return _short(2 * self.scale**2 * (self.df + 2 * self.nc))

    @property
    def positive(self) -> dict[str, sp.Expr]:
        return {"the scale": self.scale, "the number of degrees of freedom": self.df}

    @cached_property
    def shift(self) -> sp.Expr:
        """nc times scale, which is shorter than either; scale > 0, so that sqrt(nc x/scale) is sqrt(shift x)/scale."""
        return _short(sp.powsimp(self.nc * self.scale))

    def density(self, x: Any) -> sp.Expr:
        y, half = x / self.scale, self.df / 2
        if self.nc == 0:
            return sp.exp(-y / 2) * (y / 2) ** (half - 1) / (2 * sp.gamma(half) * self.scale)
        bessel = sp.besseli(half - 1, sp.sqrt(self.shift * x) / self.scale)
        power = (x / self.shift) ** (half / 2 - sp.Rational(1, 2))
        return sp.exp(-(y + self.nc) / 2) * power * bessel / (2 * self.scale)

    def cdf(self, x: Any) -> sp.Expr:
        """With Marcum's Q, to which SymPy gives numbers after `rewrite(Integral)`."""
        if self.nc == 0:
            return sp.lowergamma(self.df / 2, x / (2 * self.scale)) / sp.gamma(self.df / 2)
        return 1 - sp.marcumq(self.df / 2, sp.sqrt(self.nc), sp.sqrt(x / self.scale))

    def score(self, x: Any) -> sp.Expr:
        """(-1/2 + nu/y + 1/2 sqrt(nc/y) I_(nu+1)(z) / I_nu(z)) / scale, y = x/scale, nu = df/2 - 1, z = sqrt(nc y)."""
        y, nu = x / self.scale, self.df / 2 - 1
        z = sp.sqrt(self.shift * x) / self.scale
        pull = sp.sqrt(self.shift / x) * sp.besseli(nu + 1, z) / sp.besseli(nu, z) / 2 if self.nc != 0 else sp.S.Zero
        return (nu / y - sp.Rational(1, 2) + pull) / self.scale

    def frozen(self, number: Number) -> Any:
        from scipy import stats

        scale, df, nc = map(number, (self.scale, self.df, self.nc))
        return stats.ncx2(df, nc, scale=scale) if nc > 0 else stats.chi2(df, scale=scale)


@dataclass(frozen=True)
class NoncentralChi(Distribution):
    """The square root of a `NoncentralChiSquared`."""

    scale: sp.Expr
    df: sp.Expr
    nc: sp.Expr
    name: ClassVar[str] = "scaled non-central chi"
    support: ClassVar[tuple[sp.Expr, sp.Expr]] = (sp.S.Zero, sp.oo)

    @cached_property
    def square(self) -> NoncentralChiSquared:
        return NoncentralChiSquared(self.scale, self.df, self.nc)

    @property
    def mean(self) -> sp.Expr:
        half = self.df / 2
        kummer = sp.hyper([-sp.Rational(1, 2)], [half], -self.nc / 2)
        return sp.sqrt(2 * self.scale) * sp.gamma(half + sp.Rational(1, 2)) / sp.gamma(half) * kummer

    @property
    def variance(self) -> sp.Expr:
        return self.square.mean - self.mean**2

    @property
    def positive(self) -> dict[str, sp.Expr]:
        return self.square.positive

    def density(self, x: Any) -> sp.Expr:
        return 2 * x * self.square.density(x**2)

    def cdf(self, x: Any) -> sp.Expr:
        return self.square.cdf(x**2)

    def score(self, x: Any) -> sp.Expr:
        return 1 / x + 2 * x * self.square.score(x**2)

    def frozen(self, number: Number) -> Any:
        return Root(self.square.frozen(number), number(self.mean))


@dataclass(frozen=True)
class Root:
    """The distribution of the square root of a variable, with the methods of SciPy's frozen distributions."""

    of: Any
    expectation: float

    def pdf(self, x: Any) -> Any:
        x = np.asarray(x, float)
        return np.where(x > 0, 2 * x * self.of.pdf(x**2), 0.0)

    def cdf(self, x: Any) -> Any:
        return self.of.cdf(np.maximum(x, 0.0) ** 2)

    def ppf(self, u: Any) -> Any:
        return np.sqrt(self.of.ppf(u))

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        return np.sqrt(self.of.rvs(size=size, random_state=random_state))

    def mean(self) -> float:
        return self.expectation

    def var(self) -> float:
        return self.of.mean() - self.expectation**2

    def std(self) -> float:
        return float(np.sqrt(self.var()))


@dataclass(frozen=True)
class GaussianVector:
    """X_t of dX = (A X + c(t)) dt + noise with covariance rate S(t), from `start`."""

    A: sp.ImmutableMatrix
    c: sp.ImmutableMatrix
    S: sp.ImmutableMatrix
    start: sp.ImmutableMatrix
    symbol: sp.Symbol  # time in c and S
    t: sp.Expr
    name: ClassVar[str] = "multivariate normal"
    support: ClassVar[tuple[sp.Expr, sp.Expr]] = (-sp.oo, sp.oo)

    @property
    def positive(self) -> dict[str, sp.Expr]:
        return {}

    @cached_property
    def mean(self) -> sp.Matrix:
        """e^(At) x_0 + int_0^t e^(A(t-s)) c(s) ds."""
        flow = self._flow(400, "mean")
        return (flow * self.start + self._integral(lambda F, s: F * self._at(self.c, s))).applyfunc(_short)

    @cached_property
    def variance(self) -> sp.Matrix:
        """The covariance matrix int_0^t e^(A(t-s)) S(s) e^(A'(t-s)) ds."""
        self._flow(200, "covariance")
        return self._integral(lambda F, s: F * self._at(self.S, s) * F.T).applyfunc(_short)

    def _flow(self, most: int, what: str) -> sp.Matrix:
        """exp(A t); InputError where it has more operations than are of use in the formula of `what`."""
        flow = exponential(self.A, self.t)
        if sum(e.count_ops() for e in flow) > most:
            raise InputError(
                f"the {what} of a linear system with matrix {self.A.tolist()} is too long in symbols; give numbers to "
                f"parameters, or use law().frozen()"
            )
        return flow

    def density(self, x: Any) -> sp.Expr:
        V, y = self._regular, sp.Matrix(x) - self.mean
        return sp.exp(-(y.T * _inverse(V) * y)[0] / 2) / sp.sqrt((2 * sp.pi) ** len(y) * _det(V))

    def score(self, x: Any) -> sp.Matrix:
        return -_inverse(self._regular) * (sp.Matrix(x) - self.mean)

    @property
    def _regular(self) -> sp.Matrix:
        """The covariance matrix, which has an inverse."""
        if sp.expand(_det(self.variance)) == 0:
            raise InputError(f"the covariance {self.variance.tolist()} is singular, so the law has no density")
        return self.variance

    def frozen(self, number: Number) -> Any:
        from scipy import stats

        mean, V = self._moments(number)
        return stats.multivariate_normal(mean, V, allow_singular=True)  # pyright: ignore[reportArgumentType]

    def _moments(self, number: Number) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance in numbers: by the exponential of a block matrix (Van Loan) if c and S are constant."""

        def floats(M: Any) -> np.ndarray:
            return np.array([[number(e) for e in row] for row in M.tolist()])

        if self.symbol in self.c.free_symbols | self.S.free_symbols:
            return self._by_steps(floats, number)
        from scipy.linalg import expm

        d, t = self.A.shape[0], number(self.t)
        A, c, S = floats(self.A), floats(self.c), floats(self.S)
        affine = expm(np.block([[A, c], [np.zeros((1, d + 1))]]) * t)
        # the matrix holds exp(-A h) too: over a step that it does not make large, which is then doubled
        doublings = max(0, int(np.ceil(np.log2(max(1e-300, np.linalg.norm(A) * t)))))
        block = expm(np.block([[-A, S], [np.zeros((d, d)), A.T]]) * (t / 2**doublings))
        flow = block[d:, d:].T
        V = flow @ block[:d, d:]
        for _ in range(doublings):
            V, flow = V + flow @ V @ flow.T, flow @ flow
        return affine[:d, :d] @ floats(self.start)[:, 0] + affine[:d, d], (V + V.T) / 2

    def _by_steps(self, floats: Callable[[Any], np.ndarray], number: Number) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance by an ODE solver: m' = A m + c, V' = A V + V A' + S."""
        from scipy.integrate import solve_ivp

        d, A = self.A.shape[0], floats(self.A)

        def rates(time: float, y: np.ndarray) -> np.ndarray:
            V = y[d:].reshape(d, d)
            c, S = (floats(self._at(M, sp.Float(time))) for M in (self.c, self.S))
            return np.concatenate([A @ y[:d] + c[:, 0], (A @ V + V @ A.T + S).ravel()])

        start = np.concatenate([floats(self.start)[:, 0], np.zeros(d * d)])
        last = solve_ivp(rates, (0, number(self.t)), start, "DOP853", rtol=1e-11, atol=1e-14).y[:, -1]
        V = last[d:].reshape(d, d)
        return last[:d], (V + V.T) / 2

    def _at(self, M: sp.ImmutableMatrix, s: Any) -> sp.Matrix:
        return sp.Matrix(M.subs(self.symbol, s))

    def _integral(self, f: Callable[[sp.Matrix, sp.Symbol], sp.Matrix]) -> sp.Matrix:
        s = sp.Symbol(unused("s r u v", self.A, self.c, self.S, self.start, self.t, self.symbol), positive=True)
        inside = f(exponential(self.A, self.t - s), s)
        return inside.applyfunc(lambda e: definite(sp.expand(e), s, 0, self.t))


def _inverse(V: Any) -> Any:
    """By cofactors, without the simplifications of SymPy's `inv` and `det`, which may take minutes."""
    n = V.shape[0]
    if n == 1:
        return sp.Matrix([[1 / V[0, 0]]])
    minors = [[_det(V.minor_submatrix(j, i)) for j in range(n)] for i in range(n)]
    return sp.Matrix(n, n, lambda i, j: (-1) ** (i + j) * minors[i][j]) / _det(V)


def _det(V: Any) -> Any:
    if V.shape[0] == 1:
        return V[0, 0]
    return sum((-1) ** j * V[0, j] * _det(V.minor_submatrix(0, j)) for j in range(V.shape[0]))


def _short(e: sp.Expr) -> sp.Expr:
    return sp.simplify(e) if e.count_ops() < 60 and not e.has(sp.Integral) else e
