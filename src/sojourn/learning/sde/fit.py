"""The parameters of an SDE in symbols from its paths, by maximum likelihood, with intervals.

theta maximises sum over transitions of log p(x_{k+1} | x_k; theta); the first frames are taken as given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
import torch
import xarray as xr
from scipy.stats import norm

from sojourn.bounds.estimate import Estimate
from sojourn.calculus import ItoProcess
from sojourn.errors import InputError
from sojourn.kernels.threads import one_thread
from sojourn.learning.sde.likelihoods import Kind, Likelihood, gaussian, likelihood
from sojourn.learning.sde.newton import minimise
from sojourn.learning.sde.transitions import Transitions, transitions
from sojourn.processes.ito.coefficients import Coefficients
from sojourn.trajectory import Trajectory

_REFINED = 0.01  # change of the log-likelihood under a finer solution of the moments: a tenth of a standard error
_MOST_SUBSTEPS = 128


@dataclass(frozen=True, eq=False)
class FittedSDE:
    """Parameters of an SDE with intervals; `print` says it in a few lines.

    Attributes:
        process: the SDE with the estimates as values.
        estimates: parameter -> its estimate.
        covariance: (p, p) of the parameters in the order of `estimates`; of the logarithm of |parameter| where the
            symbol is declared positive or negative.
        log_likelihood: at the maximum.
        likelihood: which density was used, and its bias.
        transitions: how many there were.
        span: the longest time between frames.
        confidence: nominal coverage of the intervals.
    """

    process: ItoProcess
    estimates: dict[str, Estimate]
    covariance: np.ndarray
    log_likelihood: float
    likelihood: Likelihood
    transitions: int
    span: float
    confidence: float

    def __str__(self) -> str:
        lines = [f"{name} = {estimate}" for name, estimate in self.estimates.items()]
        law = self.likelihood
        lines.append(f"Each interval by itself, from {self.transitions} transitions; density: {law.law}.")
        if law.bias:
            lines.append(
                f"The density is an approximation; with frames h <= {self.span:.3g} apart it brings a bias of "
                f"{law.bias}, which the intervals do not contain."
            )
        return "\n".join(lines)


@one_thread()
def fit_sde(
    process: ItoProcess,
    trajectory: Trajectory | xr.Dataset,
    *,
    start: Mapping[str, float],
    likelihood: Kind | None = None,
    confidence: float = 0.95,
) -> FittedSDE:
    """The maximum-likelihood parameters of `process`, those without values, from paths of its states.

    Positive and negative parameters (as their symbols say) are fitted by their logarithm. Covariance: the inverse H of
    the observed information where the density is exact; else H (sum of s s^T) H with the transitions' scores s, which
    holds for an approximate density too.

    Args:
        process: what made the paths, with symbols for what is not known.
        trajectory: fields called as the states, dims (ensemble, time); times may be irregular. Paths are taken as
            independent of each other.
        start: a first guess for every parameter without a value.
        likelihood: "exact", "gaussian" or "euler", see `likelihoods`; by default the exact law where it is known
            (linear SDEs, geometric Brownian motion, CIR), else "gaussian".
        confidence: nominal coverage of the intervals.

    Raises:
        InputError: there is nothing to fit, a guess is missing or impossible, the trajectory does not fit, or the paths
            do not determine the parameters.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} is not between 0 and 1")
    sde = _with_values(process)
    data = transitions(trajectory, [s.name for s in sde.states])
    law = find_likelihood(sde, likelihood, data)
    space = _Space(sde.parameters, start)
    theta, information, law = _maximise(sde, law, data, space)
    covariance = _inverse(information, space)
    flip = _mirrored(sde, space, theta)
    theta, covariance = flip * theta, flip * covariance * flip[:, None]
    if law.kind != "exact":
        scores = _scores(law, data, space, theta)
        covariance = covariance @ (scores.T @ scores) @ covariance
    half = float(norm.ppf(0.5 + confidence / 2)) * torch.sqrt(torch.diagonal(covariance))
    ends = torch.stack([space.numbers(theta), space.numbers(theta - half), space.numbers(theta + half)], 1).tolist()
    span = float(data.h.max())
    words = {
        "confidence": float(confidence),
        "method": "maximum likelihood" if law.kind == "exact" else "quasi-maximum likelihood",
        "assumes": "the paths are independent and solve the equation, and are seen without error",
        "limits": (f"the density's bias of {law.bias}, with frames h <= {span:.3g} apart",) if law.bias else (),
        "observations": len(data),
    }
    estimates = {
        symbol.name: Estimate(value, min(low, high), max(low, high), **words)
        for symbol, (value, low, high) in zip(space.symbols, ends, strict=True)
    }
    with torch.no_grad():
        best = float(law.log_density(space.tensors(theta), data).sum())
    fitted = process(**{name: estimate.value for name, estimate in estimates.items()})
    return FittedSDE(fitted, estimates, covariance.numpy(), best, law, len(data), span, float(confidence))


def _mirrored(sde: Coefficients, space: _Space, theta: torch.Tensor) -> torch.Tensor:
    """-1 where the law is even in a parameter, as in the sigma of sigma dW, and its sign is not the guess's; else 1."""
    rule = [*sde.drift, *sde.covariance]
    flip = torch.ones_like(theta)
    for k, symbol in enumerate(space.symbols):
        if space.sign[k] == 0 and theta[k] * space.start[k] < 0:
            even = all(sp.simplify(e.subs(symbol, -symbol) - e) == 0 for e in rule)
            flip[k] = -1.0 if even else 1.0
    return flip


def find_likelihood(sde: Coefficients, kind: Kind | None, data: Transitions) -> Likelihood:
    """The likelihood, once the data are in its domain."""
    law = likelihood(sde, kind)
    lowest = min(float(data.x.min()), float(data.y.min()))
    if law.positive and lowest <= 0:
        raise InputError(f"the paths fall to {lowest:.4g}; {law.law} has positive states only")
    return law


def _with_values(process: ItoProcess) -> Coefficients:
    """a and B with numbers for the parameters that have values; the others are to be fitted."""
    sde = process.numeric().coefficients()
    entries = [*sde.drift, *(entry for row in sde.diffusion for entry in row)]
    free = tuple(s for s in sde.parameters if any(entry.has(s) for entry in entries))
    if not free:
        raise InputError("the process has no parameter without a value, so there is nothing to fit")
    return replace(sde, parameters=free)


class _Space:
    """Parameters as real numbers theta: the logarithm of |parameter| where the symbol has a sign."""

    def __init__(self, symbols: tuple[sp.Symbol, ...], start: Mapping[str, float]) -> None:
        self.symbols = symbols
        names = [s.name for s in symbols]
        for name in names:
            if name not in start:
                raise InputError(f"start has no guess for {name}; give one, such as start={{{name!r}: 1.0}}")
        for name in start:
            if name not in names:
                raise InputError(
                    f"start names {name!r}, which has a value or is no parameter; fitted are {', '.join(names)}"
                )
        signs = [1 if s.is_positive else -1 if s.is_negative else 0 for s in symbols]
        for symbol, sign in zip(symbols, signs, strict=True):
            if not math.isfinite(start[symbol.name]) or (sign and not start[symbol.name] * sign > 0):
                kind = {1: "positive ", -1: "negative ", 0: ""}[sign]
                raise InputError(f"start has {symbol}={start[symbol.name]}; needed is a {kind}number")
        self.sign = torch.tensor(signs, dtype=torch.float64)
        first = torch.tensor([float(start[name]) for name in names], dtype=torch.float64)
        self.start = torch.where(self.sign == 0, first, torch.log(first.abs()))

    def numbers(self, theta: torch.Tensor) -> torch.Tensor:
        """The parameters themselves."""
        size = torch.exp(torch.where(self.sign == 0, torch.zeros_like(theta), theta))
        return torch.where(self.sign == 0, theta, self.sign * size)

    def tensors(self, theta: torch.Tensor) -> list[torch.Tensor]:
        return list(self.numbers(theta).unbind(0))


def _maximise(
    sde: Coefficients, law: Likelihood, data: Transitions, space: _Space
) -> tuple[torch.Tensor, torch.Tensor, Likelihood]:
    """theta, the observed information, and the density, whose own arithmetic is refined until it does not matter."""
    theta, substeps = space.start, 2

    def objective(theta: torch.Tensor) -> torch.Tensor:
        return -law.log_density(space.tensors(theta), data).sum()

    while True:
        finer = gaussian(sde, 2 * substeps) if law.kind == "gaussian" else None
        if finer is None or substeps >= _MOST_SUBSTEPS:
            theta, information = minimise(objective, theta)
            return theta, information, law
        with torch.no_grad():
            begins = bool(torch.isfinite(objective(theta)))
        if begins:
            theta, information = minimise(objective, theta)
            with torch.no_grad():
                refined = -finer.log_density(space.tensors(theta), data).sum()
            if abs(float(refined - objective(theta))) < _REFINED:
                return theta, information, law
        law, substeps = finer, 2 * substeps


def _inverse(information: torch.Tensor, space: _Space) -> torch.Tensor:
    """The inverse, or InputError that names what the paths do not determine."""
    names = [s.name for s in space.symbols]
    diagonal = torch.diagonal(information)
    flat = [name for name, d, sign in zip(names, diagonal, space.sign, strict=True) if d <= (1e-4 if sign else 0)]
    if not flat:
        scale = torch.sqrt(diagonal)
        size, vectors = torch.linalg.eigh(information / scale[:, None] / scale)
        if float(size[0]) > 1e-9:
            return torch.linalg.inv(information)
        flat = [name for name, share in zip(names, vectors[:, 0].abs(), strict=True) if share > 0.1]
    together = "" if len(flat) == 1 else " apart: the likelihood does not change where they move together"
    raise InputError(
        f"the paths do not determine {', '.join(flat)}{together}; give a value, such as process({flat[0]}=1.0)"
    )


def _scores(law: Likelihood, data: Transitions, space: _Space, theta: torch.Tensor) -> torch.Tensor:
    """(n, p) gradient of every transition's log density, as the derivative of the weighted sum's gradient."""
    theta = theta.detach().requires_grad_(True)
    weights = torch.ones(len(data), dtype=torch.float64, requires_grad=True)
    total = (weights * law.log_density(space.tensors(theta), data)).sum()
    (gradient,) = torch.autograd.grad(total, theta, create_graph=True)
    return torch.stack([torch.autograd.grad(g, weights, retain_graph=True)[0] for g in gradient], 1)
