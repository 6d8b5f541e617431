"""A splitting network fitted to its own steps: Gauss-Newton on what one step leaves of the next frame.

    minimise over weights theta and contexts c_j:  sum_ij rho( (forward(x_ij; theta, c_j) - x_i+1,j) / spread_i+1,j )

for places i in trajectories j, dense where they begin: only there do the fields take all combinations of values, and
the coefficients of a reaction that patterns at rest leave open are settled. rho(r) = log(1 + (r/s)^2) holds down what
does not fit. The contexts are eliminated (each belongs to one trajectory), so a round solves for theta alone.

Source: variable projection, Golub and Pereyra (SIAM J. Numer. Anal. 10, 1973), with Levenberg's damping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sojourn.kernels.threads import map_quietly
from sojourn.learning.emulators.context import infer

if TYPE_CHECKING:
    from sojourn.learning.emulators.splitting import Splitting

_PLACES = (0, 10, 3, 60)  # as many as fit, but two
_WORK = 200_000  # points of all frames together
_CONTEXTS_AT = (3, 10, 30)  # fields settle, so that quadrature gives a first context, unless they die
_MEMBERS = 12  # trajectories looked at
_POINTS = 1600  # of a frame that enter the equations
_PIECE = 4  # frames that one thread steps at a time
_REACH = 1e-3  # of the differences that stand for derivatives, in units of whitened weights
_ROUNDS = 16


@torch.no_grad()
def shoot(network: Splitting, frames: torch.Tensor) -> None:
    """Improves reaction, context directions and diffusivities in place; trajectories (members, time, fields, *grid)."""
    fit = _Fit(network, frames)
    theta = nn.utils.parameters_to_vector(fit.weights)
    context = _first_contexts(network, fit, theta)
    residual, damping = fit.residual(theta, context), 1e-3
    for _ in range(_ROUNDS):
        s = 3 * residual.abs().median() + 1e-7
        before = float(_cost(residual, s))
        system = fit.linearise(theta, context, residual, s)
        for _ in range(8):
            d_theta, d_context = _solve(*system, damping)
            tried = theta + d_theta.to(theta), context + d_context.to(theta)
            after = fit.residual(*tried)
            if float(_cost(after, s)) < before:  # not so where it overflowed
                (theta, context), residual, damping = tried, after, max(damping / 4, 1e-9)
                break
            damping *= 5
        else:
            break
        if float(_cost(residual, s)) > (1 - 1e-3) * before:
            break
    nn.utils.vector_to_parameters(theta, fit.weights)


def _first_contexts(network: Splitting, fit: _Fit, theta: torch.Tensor) -> torch.Tensor:
    """For each trajectory the best of some guesses: none, and what quadrature says of its frames at a few places."""
    h, last = network.history, fit.members.shape[1] - network.history
    guesses = [fit.members.new_zeros(len(fit.members), network.context)]
    if network.context:
        guesses += [infer(network, fit.members[:, k : k + h]) for k in sorted({min(k, last) for k in _CONTEXTS_AT})]
    away = torch.stack([fit.residual(theta, c).abs().mean(1) for c in guesses])
    best = away.nan_to_num(torch.inf).argmin(0)
    return torch.stack(guesses)[best, torch.arange(len(best))]


class _Fit:
    """Residuals (members, places * fields * points) as a function of the weights (q,) and the contexts (members, p)."""

    def __init__(self, network: Splitting, frames: torch.Tensor) -> None:
        self.network = network
        self.weights = [network.diffusion, network.mean_reaction, network.context_reaction]
        chosen = torch.linspace(0, len(frames) - 1, min(_MEMBERS, len(frames))).round().long().unique()
        self.members = frames[chosen]
        fit = max(2, _WORK // (len(self.members) * frames[0, 0, 0].numel()))
        self.places = [k for k in _PLACES if k + 1 < frames.shape[1]][:fit]
        self.before = self.members[:, self.places].flatten(0, 1)
        self.after = self.members[:, [k + 1 for k in self.places]]
        dims = tuple(range(3, frames.ndim))
        self.size = (self.after.std(dims, keepdim=True) + 0.01).reciprocal()
        self.stride = max(1, self.after[0, 0, 0].numel() // _POINTS)

    def residual(self, theta: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        nn.utils.vector_to_parameters(theta, self.weights)
        contexts = context.repeat_interleave(len(self.places), 0)
        pieces = zip(self.before.split(_PIECE), contexts.split(_PIECE), strict=True)
        found = torch.cat(map_quietly(lambda piece: self.network(*piece)[0], pieces))
        away = (found.unflatten(0, self.after.shape[:2]) - self.after) * self.size
        return away.flatten(3)[..., :: self.stride].flatten(1)

    def linearise(self, theta: torch.Tensor, context: torch.Tensor, residual: torch.Tensor, s: torch.Tensor):
        """Weighted normal equations of a round: (q, q), (members, q, p), (members, p, p), (q,), (members, p)."""
        by_theta = [
            (self.residual(theta + shift, context) - residual) / _REACH
            for shift in _REACH * torch.eye(len(theta)).to(theta)
        ]
        by_context = [
            (self.residual(theta, context + shift) - residual) / _REACH
            for shift in _REACH * torch.eye(context.shape[1]).to(theta)
        ]
        j, r = torch.stack(by_theta, 1).double(), residual.double()
        k = torch.stack(by_context, 1).double() if by_context else j[:, :0]
        weight = 1 / (1 + (r / s.double()).square())
        jw, kw = j * weight[:, None], k * weight[:, None]
        return (
            torch.einsum("bqn,brn->qr", jw, j),
            torch.einsum("bqn,bpn->bqp", jw, k),
            torch.einsum("bqn,bpn->bqp", kw, k),
            torch.einsum("bqn,bn->q", jw, r),
            torch.einsum("bpn,bn->bp", kw, r),
        )


def _cost(residual: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    return torch.log1p((residual.double() / s.double()).square()).mean()


def _solve(tt, tc, cc, gt, gc, damping: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The damped step of weights and contexts: contexts are eliminated by their own small blocks."""
    eye = torch.eye(cc.shape[-1]).to(cc)
    inverse = torch.linalg.inv(cc + damping * torch.diag_embed(cc.diagonal(dim1=1, dim2=2)) + 1e-9 * eye)
    left = tt - torch.einsum("bqp,bps,brs->qr", tc, inverse, tc)
    left = left + damping * torch.diag(tt.diagonal()) + 1e-9 * tt.diagonal().mean() * torch.eye(len(tt)).to(tt)
    right = gt - torch.einsum("bqp,bps,bs->q", tc, inverse, gc)
    theta = -torch.linalg.solve(left, right)
    context = -(inverse @ (gc + torch.einsum("bqp,q->bp", tc, theta))[..., None])[..., 0]
    return theta, context
