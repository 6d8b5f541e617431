"""The log density of X_{t+h} = y given X_t = x for an SDE in symbols: exact where it is known, normal elsewhere.

linear:     dX = (c + M X) dt + B dW                normal, by the matrix exponential
geometric:  dX_i = m_i X_i dt + sum_j c_ij X_i dW_j log-normal
CIR:        dX = (c + m X) dt + s sqrt(X) dW        non-central chi-squared
"gaussian": normal with m' = a(m) + 1/2 P : hess a(m),
            P' = J P + P J^T + Q(m) + 1/2 P : hess Q(m),   J = grad a, Q = B B^T, from m = x, P = 0
"euler":    normal with m = x + a h, P = Q h
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import sympy as sp
import torch

from sojourn.errors import InputError
from sojourn.learning.sde.bessel import log_bessel_i
from sojourn.learning.sde.transitions import Transitions
from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.printing import torch_step
from sojourn.processes.ito.program import Program

Kind = Literal["exact", "gaussian", "euler"]
Parameters = Sequence[torch.Tensor]
LogDensity = Callable[[Parameters, Transitions], torch.Tensor]
"""log_density(parameters, transitions) -> (n,); not finite where the parameters are impossible."""


@dataclass(frozen=True)
class Likelihood:
    """A transition density.

    Args:
        log_density: see `LogDensity`.
        kind: which of the three.
        law: what it is, in words.
        bias: what it does to estimates, in words; empty where it is exact.
        positive: whether states must be above zero.
    """

    log_density: LogDensity
    kind: Kind
    law: str
    bias: str = ""
    positive: bool = False


@lru_cache(maxsize=64)
def likelihood(sde: Coefficients, kind: Kind | None = None) -> Likelihood:
    """The likelihood of that kind; by default "exact" where the law is known, else "gaussian".

    Raises:
        InputError: "exact" is asked for and the law is not known, or "euler" and B B^T is singular.
    """
    if kind not in (None, "exact", "gaussian", "euler"):
        raise InputError(f"likelihood={kind!r} is not exact, gaussian or euler")
    if kind in (None, "exact"):
        if found := _linear(sde) or _geometric(_of_positive_states(sde)) or _square_root(_of_positive_states(sde)):
            return found
        if kind == "exact":
            raise InputError("the exact transition law of this SDE is not known here; use likelihood='gaussian'")
    if kind == "euler":
        if sde.covariance.rank(simplify=True) < len(sde.states):
            raise InputError("B B^T is singular, so Euler's density does not exist; use likelihood='gaussian'")
        return Likelihood(_euler(sde), "euler", "normal with Euler's mean and covariance", "O(h)")
    return gaussian(sde, 2)


@lru_cache(maxsize=64)
def gaussian(sde: Coefficients, substeps: int) -> Likelihood:
    """The normal density with mean and covariance right through h^2; their equations by `substeps` Runge-Kutta steps.

    Where mean and covariance are right, the expectation of the score is zero whatever the shape of the law; what is
    left is the error of the two moments, O(h^3) a step. Source: S. Särkkä and A. Solin, Applied Stochastic Differential
    Equations (2019), section 9.1, with derivatives of second order in place of expectations.
    """
    d = len(sde.states)
    places = [(i, k) for i in range(d) for k in range(i, d)]
    entries = {place: sp.Dummy(f"P{place}", real=True) for place in places}
    P = sp.Matrix(d, d, lambda i, k: entries[min(i, k), max(i, k)])
    J = sp.Matrix(sde.drift).jacobian(sde.states)

    def bent(g: Any) -> sp.Expr:
        return (
            sum((P[i, k] * sp.diff(g, sde.states[i], sde.states[k]) for i in range(d) for k in range(d)), sp.S.Zero) / 2
        )

    slope = J * P + P * J.T + sde.covariance
    rates = [a + bent(a) for a in sde.drift] + [slope[i, k] + bent(sde.covariance[i, k]) for i, k in places]
    # the same SDE with the entries of P behind its states
    wide = replace(sde, states=(*sde.states, *entries.values()))
    function = _function(wide, rates)
    rows = [[places.index((min(i, k), max(i, k))) for k in range(d)] for i in range(d)]

    def log_density(p: Parameters, data: Transitions) -> torch.Tensor:
        z, h = torch.cat([data.x, torch.zeros(len(data), len(places), dtype=data.x.dtype)], 1), data.h / substeps
        for n in range(substeps):
            t = data.t + n * h
            k1 = function(p, t, z)
            k2 = function(p, t + h / 2, z + h[:, None] / 2 * k1)
            k3 = function(p, t + h / 2, z + h[:, None] / 2 * k2)
            k4 = function(p, t + h, z + h[:, None] * k3)
            z = z + h[:, None] / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return normal(data.y - z[:, :d], z[:, d:][:, rows])

    return Likelihood(log_density, "gaussian", "normal with mean and covariance right through h^2", "O(h^2)")


def normal(residual: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """Log density (n,) of residuals (n, d) with covariance (n, d, d); NaN where that is not positive."""
    d = residual.shape[1]
    if d == 1:
        v = covariance[:, 0, 0]
        return -0.5 * (residual[:, 0] ** 2 / v + torch.log(v) + math.log(2 * math.pi))
    L, failed = torch.linalg.cholesky_ex(covariance)
    white = torch.linalg.solve_triangular(L, residual[:, :, None], upper=False)[:, :, 0]
    size = torch.log(torch.diagonal(L, dim1=1, dim2=2)).sum(1)
    density = -0.5 * (white**2).sum(1) - size - 0.5 * d * math.log(2 * math.pi)
    return torch.where(failed == 0, density, torch.full_like(density, torch.nan))


def _euler(sde: Coefficients) -> LogDensity:
    d = len(sde.states)
    function = _function(sde, [*sde.drift, *sde.covariance])

    def log_density(p: Parameters, data: Transitions) -> torch.Tensor:
        values = function(p, data.t, data.x)
        mean = data.x + values[:, :d] * data.h[:, None]
        return normal(data.y - mean, values[:, d:].reshape(-1, d, d) * data.h[:, None, None])

    return log_density


def _linear(sde: Coefficients) -> Likelihood | None:
    moving = {*sde.states, sde.time}
    M = sp.Matrix(sde.drift).jacobian(sde.states)
    if _depends(M, moving) or _depends(sde.covariance, moving):
        return None
    c = sp.Matrix([sp.expand(a) for a in sde.drift]) - M * sp.Matrix(sde.states)
    c = c.applyfunc(sp.simplify)
    if _depends(c, moving) or not _full(M, sde.covariance):
        return None
    d = len(sde.states)
    function = _function(sde, [*M, *c, *sde.covariance])

    def log_density(p: Parameters, data: Transitions) -> torch.Tensor:
        values = function(p, data.t[:1], data.x[:1])[0]
        M, c, Q = values[: d * d].reshape(d, d), values[d * d : d * d + d], values[d * d + d :].reshape(d, d)
        spans, which = torch.unique(torch.round(torch.log(data.h), decimals=9), return_inverse=True)  # but for rounding
        E, b, V = linear_moments(M, c, Q, torch.exp(spans))
        mean = (E[which] @ data.x[:, :, None])[:, :, 0] + b[which]
        return normal(data.y - mean, V[which])

    return Likelihood(log_density, "exact", "normal (a linear SDE)")


def linear_moments(
    M: torch.Tensor, c: torch.Tensor, Q: torch.Tensor, h: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """exp(M h), int_0^h exp(M s) c ds and int_0^h exp(M s) Q exp(M s)^T ds for every span h (u,).

    Of several states by Taylor series over h / 2^k with ||M|| h / 2^k < 1/4, and k doublings, without cancellation.
    """
    if len(c) == 1:
        z = M * h[:, None, None]
        shift, V = h[:, None] * c * _relative_growth(z[:, 0]), h[:, None, None] * Q * _relative_growth(2 * z)
        return torch.exp(z), shift, V
    size = float(torch.linalg.matrix_norm(M.detach(), ord=float("inf")) * h.max())
    doublings = max(0, math.ceil(math.log2(4 * size))) if 0 < size < math.inf else 0
    h = (h / 2**doublings)[:, None, None]
    one = torch.eye(len(c), dtype=M.dtype).expand(len(h), -1, -1)
    E, power, b, V, flow = one, one, h[:, :, 0] * c, h * Q, Q.expand(len(h), -1, -1)
    for n in range(1, 16):
        power = power @ M * h / n
        E = E + power
        b = b + (power @ c) * h[:, :, 0] / (n + 1)
        flow = (M @ flow + flow @ M.T) * h / n
        V = V + flow * h / (n + 1)
    for _ in range(doublings):
        b = b + (E @ b[:, :, None])[:, :, 0]
        V = V + E @ V @ E.mT
        E = E @ E
    return E, b, V


def _geometric(sde: Coefficients) -> Likelihood | None:
    moving, X = {*sde.states, sde.time}, sde.states
    m = [sp.simplify(a / x) for a, x in zip(sde.drift, X, strict=True)]
    C = sp.Matrix([[sp.simplify(b / x) for b in row] for row, x in zip(sde.diffusion, X, strict=True)])
    if _depends([*m, *C], moving) or not _full(sp.zeros(len(X), len(X)), C * C.T):
        return None
    d = len(X)
    function = _function(sde, [*m, *(C * C.T)])

    def log_density(p: Parameters, data: Transitions) -> torch.Tensor:
        values = function(p, data.t[:1], data.x[:1])[0]
        m, Q = values[:d], values[d:].reshape(d, d)
        grown = torch.log(data.y / data.x) - (m - 0.5 * torch.diagonal(Q)) * data.h[:, None]
        return normal(grown, Q * data.h[:, None, None]) - torch.log(data.y).sum(1)

    return Likelihood(log_density, "exact", "log-normal (geometric Brownian motion)", positive=True)


def _square_root(sde: Coefficients) -> Likelihood | None:
    if len(sde.states) != 1:
        return None
    (x,), (a,), moving = sde.states, sde.drift, {*sde.states, sde.time}
    m = sp.simplify(sp.diff(a, x))
    c, s = sp.simplify(a - m * x), sp.simplify(sde.covariance[0, 0] / x)
    if _depends([m, c, s], moving) or s == 0 or c == 0:
        return None
    function = _function(sde, [c, -m, s])

    def log_density(p: Parameters, data: Transitions) -> torch.Tensor:
        level, rate, square = function(p, data.t[:1], data.x[:1])[0]
        x, y, h = data.x[:, 0], data.y[:, 0], data.h
        scale = 2 / (square * h * _relative_growth(-rate * h))
        u, v, q = scale * x * torch.exp(-rate * h), scale * y, 2 * level / square - 1
        if not bool(q > -1) or not bool(square > 0):
            return torch.full_like(y, torch.nan)
        return torch.log(scale) - u - v + q / 2 * torch.log(v / u) + log_bessel_i(q, 2 * torch.sqrt(u * v))

    return Likelihood(log_density, "exact", "non-central chi-squared (Cox, Ingersoll and Ross)", positive=True)


def _of_positive_states(sde: Coefficients) -> Coefficients:
    """The same with states declared positive, which turns Max(X, 0) and |X| into X."""
    places: Any = {s: sp.Symbol(s.name, positive=True) for s in sde.states}
    return replace(
        sde,
        states=tuple(places.values()),
        drift=tuple(a.subs(places) for a in sde.drift),
        diffusion=tuple(tuple(b.subs(places) for b in row) for row in sde.diffusion),
    )


def _relative_growth(z: torch.Tensor) -> torch.Tensor:
    """(exp(z) - 1) / z, and its derivatives, near zero too."""
    near = z.abs() < 1e-3
    safe = torch.where(near, torch.ones_like(z), z)
    series = 1 + z / 2 * (1 + z / 3 * (1 + z / 4 * (1 + z / 5 * (1 + z / 6))))
    return torch.where(near, series, torch.expm1(safe) / safe)


def _depends(expressions: Any, symbols: set[sp.Symbol]) -> bool:
    return any(sp.sympify(e).free_symbols & symbols for e in expressions)


def _full(M: sp.Matrix, Q: sp.Matrix) -> bool:
    """Whether the noise Q reaches every direction through M: (Q, M Q, M^2 Q, ...) has full rank."""
    blocks = [Q]
    for _ in range(M.shape[0] - 1):
        blocks.append(M * blocks[-1])
    return sp.Matrix.hstack(*blocks).rank(simplify=True) == M.shape[0]


def _function(sde: Coefficients, expressions: Sequence[Any]) -> Callable[..., torch.Tensor]:
    """f(p, t, x) -> (n, len(expressions)), from t (n,) and x (n, d)."""
    shared, reduced = sp.cse([sp.sympify(e) for e in expressions], symbols=iter(lambda: sp.Dummy("c", real=True), None))
    h = sp.Dummy("h", positive=True)
    step = torch_step(Program(sde, "W", sde.time, h, (), tuple(shared), tuple(reduced)))  # type: ignore[arg-type]

    def function(p: Parameters, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        values = step(t, 0.0, p, list(x.unbind(1)), [])
        return torch.stack([torch.as_tensor(v, dtype=x.dtype).expand(len(x)) for v in values], 1)

    return function
