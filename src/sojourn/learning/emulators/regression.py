"""A first guess of a splitting network's weights, by regressions alone: which rates explain what the frames show?

Simpson's rule over three frames makes the change of a field linear in the coefficients and in D, trajectory by
trajectory: x_2 - x_0 = Delta/3 sum_i (1, 4, 1)_i (D lap x_i + (A_0 + sum_j c_j A_j) phi(x_i)). All that is needed of a
trajectory is the Gram matrix of its rows; with those, A and D are solved for given c, and c given A and D, in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sojourn.kernels.threads import one_thread
from sojourn.learning.emulators.network import per_field

if TYPE_CHECKING:
    from sojourn.learning.emulators.splitting import Splitting

_ROUNDS = 200
_FIRST_RIDGES = (1e-7, 1e-5, 1e-3, 1e-2, 1e-1)  # likewise, for one trajectory's own; the best start is kept
_RIDGE = 1e-10  # of a trajectory's mean Gram diagonal
_BEND = 0.001  # root mean squares: second differences beyond count as too quick for Simpson's rule
_PLACES = 16  # windows of a trajectory, dense at its beginning


@torch.no_grad()
def fit(network: Splitting, frames: torch.Tensor) -> None:
    """Sets reaction, context directions and diffusivities from trajectories (members, time, fields, *grid)."""
    with one_thread():
        grams, rights = zip(*(_rows(network, member) for member in frames), strict=True)
        gram, right = torch.stack(grams), torch.stack(rights)  # (members, fields, q+1, q+1) and (members, fields, q+1)
        ridge = gram.diagonal(dim1=-2, dim2=-1).mean()
        starts = (_first_contexts(gram, right, network.context, first * ridge) for first in _FIRST_RIDGES)
        shared, _ = min((_alternate(gram, right, c, _RIDGE * ridge) for c in starts), key=lambda found: found[1])
    coefficients, diffusivities = shared
    inverse = torch.linalg.inv(network.whitening.double())
    found = coefficients @ inverse / network.unit
    network.mean_reaction.copy_(found[0])
    network.context_reaction.copy_(found[1:])
    network.diffusion.copy_(torch.log(torch.expm1(diffusivities.clamp(min=1e-3))))


def _rows(network: Splitting, member: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted Gram matrices (fields, q+1, q+1) of a trajectory's rows, and their products with the changes."""
    places = (torch.linspace(0, 1, _PLACES) ** 2 * (member.shape[0] - 3)).long().unique()
    triples = torch.stack([member[k : k + 3] for k in places.tolist()])  # (windows, 3, fields, *grid)
    y = (triples / per_field(network.scale, triples[:, 0])).flatten(0, 1)
    k2, dims = network.squared_wavenumbers(y), tuple(range(2, y.ndim))
    laplacian = torch.fft.irfftn(-k2 * torch.fft.rfftn(y, dim=dims), s=y.shape[2:], dim=dims)

    def summed(z: torch.Tensor) -> torch.Tensor:
        z = z.flatten(2).unflatten(0, (-1, 3)).double()
        return network.interval / 3 * (z[:, 0] + 4 * z[:, 1] + z[:, 2])

    phi, spread = summed(network.features(y.flatten(2))), summed(laplacian) * network.spread_unit
    w = y.flatten(2).unflatten(0, (-1, 3)).double()
    weight = 1 / (1 + ((w[:, 0] - 2 * w[:, 1] + w[:, 2]) / _BEND).square().amax(1, keepdim=True))
    grams, rights = [], []
    for f in range(network.field_count):
        x = torch.cat([phi, spread[:, f : f + 1]], dim=1).transpose(0, 1).flatten(1)
        weighted = x * weight.transpose(0, 1).flatten(1)
        grams.append(weighted @ x.T / x.shape[1])
        rights.append(weighted @ (w[:, 2, f] - w[:, 0, f]).flatten() / x.shape[1])
    return torch.stack(grams), torch.stack(rights)


def _first_contexts(gram: torch.Tensor, right: torch.Tensor, p: int, ridge: torch.Tensor) -> torch.Tensor:
    """Principal components of what each trajectory's own coefficients add to those of all together."""
    eye = torch.eye(gram.shape[-1]).to(gram)
    pooled = torch.linalg.solve(gram.sum(0) + ridge * eye, right.sum(0)[..., None])
    own = torch.linalg.solve(gram + ridge * eye, right[..., None] - gram @ pooled)[..., :-1, 0].flatten(1)
    left, size, _ = torch.linalg.svd(own - own.mean(0), full_matrices=False)
    c = torch.zeros(len(gram), p).to(gram)
    kept = min(p, len(size))
    c[:, :kept] = left[:, :kept] * len(gram) ** 0.5
    return c


def _alternate(gram, right, c, ridge) -> tuple[tuple[torch.Tensor, torch.Tensor], float]:
    """What is shared, and the sum of squares up to a constant, after rounds of contexts and shared in turn."""
    for _ in range(_ROUNDS if c.shape[1] else 1):
        ones = torch.cat([c.new_ones(len(c), 1), c], dim=1)
        shared = _solve_shared(gram, right, ones, ridge)
        coefficients, diffusivities = shared
        own = torch.einsum("ma,afq->mfq", ones, coefficients)
        own = torch.cat([own, diffusivities[None, :, None].expand(len(c), -1, 1)], dim=2)
        squares = float(torch.einsum("mfq,mfqr,mfr->", own, gram, own) - 2 * (own * right).sum())
        if c.shape[1]:
            c = _solve_contexts(gram, right, shared, ridge)
            c = torch.linalg.svd(c - c.mean(0), full_matrices=False)[0] * len(c) ** 0.5  # uncorrelated, of size 1
    return shared, squares


def _solve_shared(gram, right, ones, ridge) -> tuple[torch.Tensor, torch.Tensor]:
    """((1+p, fields, q) coefficients, (fields,) diffusivities), given 1 and the contexts (members, 1+p)."""
    fields, q, k = gram.shape[1], gram.shape[-1] - 1, ones.shape[1]
    coefficients, diffusivities = [], []
    for f in range(fields):
        g, r = gram[:, f], right[:, f]
        normal = torch.zeros(k * q + 1, k * q + 1).to(g)
        normal[:-1, :-1] = torch.einsum("ma,mb,mqr->aqbr", ones, ones, g[:, :q, :q]).reshape(k * q, k * q)
        normal[-1, :-1] = normal[:-1, -1] = torch.einsum("ma,mq->aq", ones, g[:, :q, q]).flatten()
        normal[-1, -1] = g[:, q, q].sum()
        known = torch.cat([torch.einsum("ma,mq->aq", ones, r[:, :q]).flatten(), r[:, q].sum()[None]])
        normal += ridge * torch.eye(k * q + 1).to(g)
        found = torch.linalg.solve(normal, known)
        coefficients.append(found[:-1].reshape(k, q))
        diffusivities.append(found[-1])
    return torch.stack(coefficients, dim=1), torch.stack(diffusivities)


def _solve_contexts(gram, right, shared, ridge) -> torch.Tensor:
    """Each trajectory's context (members, p), given the rest."""
    coefficients, diffusivities = shared
    q = gram.shape[-1] - 1
    base = torch.cat([coefficients[0], diffusivities[:, None]], dim=1)
    left = right - torch.einsum("mfqr,fr->mfq", gram, base)
    directions = coefficients[1:]
    normal = torch.einsum("afq,mfqr,bfr->mab", directions, gram[..., :q, :q], directions)
    known = torch.einsum("afq,mfq->ma", directions, left[..., :q])
    return torch.linalg.solve(normal + 1e-3 * ridge * torch.eye(len(directions)).to(gram), known[..., None])[..., 0]
