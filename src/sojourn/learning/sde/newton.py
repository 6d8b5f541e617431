"""Newton's method for a log-likelihood of few parameters, damped until every step lowers it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sojourn.errors import InputError

_ENOUGH = 1e-8  # what a last step may still gain in log-likelihood: 1e-4 standard errors
_STEPS = 200

Objective = Callable[[torch.Tensor], torch.Tensor]
"""minus log-likelihood of theta (p,); not finite where theta is impossible."""


def minimise(objective: Objective, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The minimiser and the Hessian there.

    A step solves (|H| + damping diag|H|) step = -gradient, |H| with the eigenvalues' absolute values, so that it goes
    downhill from where H is indefinite; damping falls after steps that help, and rises after those that do not.

    Raises:
        InputError: the objective is not finite at the start, or no step helps before the gradient is gone.
    """
    value, gradient, hessian = derivatives(objective, theta)
    if not bool(torch.isfinite(value)):
        raise InputError("the data are impossible, or their likelihood is not finite, at start; begin elsewhere")
    damping = 1e-2
    for _ in range(_STEPS):
        step = _solve(hessian, gradient, damping)
        if damping < 1 and float(-0.5 * gradient @ step) < _ENOUGH:
            return theta + step if bool(_value(objective, theta + step) <= value) else theta, hessian
        trial = _value(objective, theta + step)
        if bool(trial < value):
            theta, damping = theta + step, damping / 10
            value, gradient, hessian = derivatives(objective, theta)
        else:
            damping = max(10 * damping, 1e-3)
        if damping > 1e12:
            break
    raise InputError("the likelihood has no maximum near start, where its gradient would vanish; begin elsewhere")


def derivatives(objective: Objective, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Value, gradient (p,) and Hessian (p, p)."""
    theta = theta.detach().requires_grad_(True)
    value = objective(theta)
    (gradient,) = torch.autograd.grad(value, theta, create_graph=True)
    rows = [torch.autograd.grad(g, theta, retain_graph=True)[0] for g in gradient]
    hessian = torch.stack(rows)
    return value.detach(), gradient.detach(), 0.5 * (hessian + hessian.T)


def _value(objective: Objective, theta: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return objective(theta)


def _solve(hessian: torch.Tensor, gradient: torch.Tensor, damping: float) -> torch.Tensor:
    scale = torch.sqrt(torch.diagonal(hessian).abs()).clamp(min=1e-30)  # so that units do not matter
    size, vectors = torch.linalg.eigh(hessian / scale[:, None] / scale)
    size = size.abs().clamp(min=1e-12) + damping
    return -(vectors @ ((vectors.T @ (gradient / scale)) / size)) / scale
