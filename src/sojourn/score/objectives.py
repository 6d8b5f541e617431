"""Objectives of score matching, all of the same size: estimates of

    J(s) = E [tr grad s(x) + |s(x)|^2 / 2]   =   E |s(x) - grad log p(x)|^2 / 2 - E |grad log p(x)|^2 / 2

of the law p of the data, so the true score has the least. Sums over coordinates, means over data; no factor 1 / D.

    exact               tr grad s + |s|^2 / 2
    sliced              v^T grad s v + |s|^2 / 2,  or (v . s)^2 / 2 without reduced variance;  E v v^T = 1
    curvature_propagation   a trace whose noise was injected at every nonlinearity
    finite_difference   v . (s(x + h v) - s(x - h v)) / 2h + |s(x + h v) + s(x - h v)|^2 / 8;  biased by O(h^2)
    denoising           s(y) . epsilon / sigma + |s(y)|^2 / 2,  y = x + sigma epsilon;  J of the law of y

A score is a function x (n, *shape) -> like x. Each objective gives its mean, to minimise; `reduction="none"` gives
every datum's own, (k, n) for k projections, of which `spread` tells the variances.

Source: Hyvarinen (2005); Song, Garg, Shi and Ermon, Sliced score matching (2019); Pang et al., Efficient learning of
generative models via finite-difference score matching (2020); Vincent (2011).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score.curvature_propagation import hessian_trace
from sojourn.score.derivatives import DensityScore, Score, along, call, check_like, inner, norm, refuse_flat, values

Directions = Literal["rademacher", "gaussian", "sphere"]
Reduction = Literal["mean", "none"]
_CHUNK = 1 << 22  # numbers of directions at a time, in the exact trace


def exact(score: Score, x: Tensor, *, condition: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    """E [tr grad s + |s|^2 / 2], the trace by one derivative a coordinate, as many at a time as memory allows.

    Args:
        score: see `sojourn.score.derivatives`.
        x: (n, *shape).
        condition: (n, ...), handed to the score.
        reduction: "mean" over the data, or "none" for (1, n).

    Raises:
        InputError: the score is not shaped like x, or has no derivative.
    """
    _check(x, reduction)
    size = math.prod(x.shape[1:])
    chunk = max(1, min(size, _CHUNK // max(1, x.numel())))
    trace = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for first in range(0, size, chunk):
        v = _basis(first, min(first + chunk, size), x)
        if torch.is_grad_enabled() and chunk < size:  # gradients compute a chunk again, rather than keep it
            part = checkpoint(_trace, score, x, v, condition, use_reentrant=False)
        else:
            part = _trace(score, x, v, condition)
        trace = trace + part
    s = call(score, x, condition)
    return _reduced((refuse_flat(trace, s) + norm(s) / 2)[None], reduction)


def sliced(
    score: Score,
    x: Tensor,
    *,
    noise: Noise,
    step: int = 0,
    projections: int = 1,
    reduced_variance: bool = True,
    directions: Directions = "rademacher",
    condition: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """E [v^T grad s v + |s|^2 / 2] (SSM-VR), or E [v^T grad s v + (v . s)^2 / 2] (SSM), over data and directions.

    Args:
        score, x, condition: as in `exact`.
        noise, step: where the directions come from; a training gives its step.
        projections: k, directions a datum.
        reduced_variance: the exact |s|^2 in place of its estimate.
        directions: "rademacher" (entries +1 and -1), "gaussian", or "sphere" (of radius sqrt(D)).
        reduction: "mean", or "none" for (k, n).

    Raises:
        InputError: no projections; as in `exact`.
    """
    _check(x, reduction)
    v = draw(directions, x, projections, noise, step)
    if reduced_variance:
        s, turn = values(score, x, v, condition)
        return _reduced(refuse_flat(inner(v, turn), s) + norm(s) / 2, reduction)
    slope, curvature = along(score, x, v, condition)
    return _reduced(curvature + slope.square() / 2, reduction)


def curvature_propagation(
    score: DensityScore,
    x: Tensor,
    *,
    noise: Noise,
    step: int = 0,
    condition: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """E [T + |s|^2 / 2] with the estimate T of tr grad s that one pass back gives, see `curvature_propagation`.

    For a density made of linear maps and known elementwise functions. Its variance grows with the depth.
    """
    _check(x, reduction)
    if not isinstance(score, DensityScore):
        raise InputError(f"curvature propagation goes back through a log density; give a DensityScore, not {score!r}")
    s, trace = hessian_trace(score, x, noise=noise, step=step, condition=condition)
    return _reduced((refuse_flat(trace, s) + norm(check_like(s, x)) / 2)[None], reduction)


def finite_difference(
    score: Score,
    x: Tensor,
    *,
    noise: Noise,
    step: int = 0,
    distance: float = 0.1,
    projections: int = 1,
    directions: Directions = "rademacher",
    condition: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """SSM-VR without derivatives: v . (s(x + h v) - s(x - h v)) / 2h + |s(x + h v) + s(x - h v)|^2 / 8.

    Args:
        distance: |h v| is this, so h = distance / sqrt(D) for "rademacher" and "sphere". The bias is of order h^2.
        others: as in `sliced`.
    """
    _check(x, reduction)
    if not distance > 0:
        raise InputError(f"distance={distance} is not above zero")
    v = draw(directions, x, projections, noise, step)
    h = distance / math.sqrt(math.prod(x.shape[1:]))
    given = None if condition is None else condition.repeat(2 * projections, *[1] * (condition.ndim - 1))
    ends = torch.cat(((x + h * v).flatten(0, 1), (x - h * v).flatten(0, 1)))
    ahead, behind = check_like(call(score, ends, given), ends).unflatten(0, (2, projections, len(x)))
    middle = (ahead + behind).flatten(2).square().sum(2) / 8
    return _reduced(inner(v, ahead - behind) / (2 * h) + middle, reduction)


def denoising(
    score: Score,
    x: Tensor,
    *,
    sigma: float,
    noise: Noise,
    step: int = 0,
    condition: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """s(y) . epsilon / sigma + |s(y)|^2 / 2 with y = x + sigma epsilon: J of the law of y, not of that of x.

    Vincent's |s(y) + epsilon / sigma|^2 / 2 is this plus |epsilon|^2 / 2 sigma^2, which no score changes.
    """
    _check(x, reduction)
    if not sigma > 0:
        raise InputError(f"sigma={sigma} is not above zero")
    epsilon = noise.normal(step, len(x), tuple(x.shape[1:]), x.dtype, x.device)
    y = x + sigma * epsilon
    s = check_like(call(score, y, condition), y)
    return _reduced(inner(epsilon[None], s[None]) / sigma + norm(s) / 2, reduction)


class Spread(NamedTuple):
    """Variances of one term of an objective: over everything, and over directions with the datum fixed."""

    total: Tensor
    directions: Tensor


def spread(terms: Tensor) -> Spread:
    """Estimates of the variances of terms (k, n), the second of which needs k >= 2 and is NaN else.

    The mean of all terms has variance (total - directions) / n + directions / (k n); its standard error is also the
    standard deviation of the means over k, divided by sqrt(n).
    """
    k, n = terms.shape
    if n < 2:
        raise InputError(f"{n} data are too few for a variance; give at least 2")
    within = terms.var(0).mean() if k > 1 else terms.new_tensor(math.nan)
    between = terms.mean(0).var()
    return Spread(between + (within * (1 - 1 / k) if k > 1 else 0), within)


def draw(directions: Directions, x: Tensor, projections: int, noise: Noise, step: int) -> Tensor:
    """Directions (k, *x.shape) with E v v^T = 1."""
    if projections < 1:
        raise InputError(f"projections={projections} is below 1; the objective needs at least one direction a datum")
    shape = (projections, *x.shape[1:])
    if directions == "rademacher":
        v = (noise.words(step, len(x), shape, x.device) & 1).to(x.dtype) * 2 - 1
    elif directions in ("gaussian", "sphere"):
        v = noise.normal(step, len(x), shape, x.dtype, x.device)
        if directions == "sphere":
            v = v * (math.prod(x.shape[1:]) / v.flatten(2).square().sum(2)).sqrt().view(
                *v.shape[:2], *[1] * (x.ndim - 1)
            )
    else:
        raise InputError(f"directions={directions!r} is not known; choose from {', '.join(get_args(Directions))}")
    return v.transpose(0, 1)


def _trace(score: Score, x: Tensor, v: Tensor, condition: Tensor | None) -> Tensor:
    return inner(v, values(score, x, v, condition)[1]).sum(0)


def _basis(first: int, last: int, x: Tensor) -> Tensor:
    """The unit vectors first..last of a datum's coordinates, (last - first, *x.shape)."""
    size = math.prod(x.shape[1:])
    rows = torch.zeros(last - first, size, dtype=x.dtype, device=x.device)
    rows[torch.arange(last - first), torch.arange(first, last)] = 1
    return rows.view(-1, 1, *x.shape[1:]).expand(-1, *x.shape)


def _reduced(terms: Tensor, reduction: Reduction) -> Tensor:
    return terms.mean() if reduction == "mean" else terms


def _check(x: Tensor, reduction: Reduction) -> None:
    if x.ndim < 2 or not x.numel():
        raise InputError(f"x has shape {tuple(x.shape)}; give data as (n, *shape), with at least one number each")
    if reduction not in get_args(Reduction):
        raise InputError(f"reduction={reduction!r} is not known; choose from {', '.join(get_args(Reduction))}")
