"""Feature networks of kernels, with the derivatives that score matching asks for, each in one pass forwards.

phi(x) = W3 softplus(W2 softplus(W1 x + b1) + b2) + b3 + Ws x, one network for each of R kernels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.errors import InputError


class Jet(NamedTuple):
    """phi at x + a v: its value (R, n, f), and the first two derivatives in a at 0, (R, k, n, f) for k directions."""

    value: Tensor
    first: Tensor
    second: Tensor


class Curvature(NamedTuple):
    """Value (R, n, f), Laplacian (R, n, f), and what `Features.gram` and `Features.jacobian` need."""

    value: Tensor
    laplacian: Tensor
    inner: Tensor  # d phi / d(W1 x), (R, n, f, h)


class Features(nn.Module):
    """R networks D -> hidden -> hidden -> outputs with softplus and a linear skip.

    Weights and biases start normal with the variance 1 / (rows of the weight), as published: narrow enough that kernels
    of width 1 see their neighbours.

    Args:
        dimension: D.
        kernels: R.
        hidden, outputs: widths.
    """

    def __init__(self, dimension: int, kernels: int = 3, hidden: int = 30, outputs: int = 30) -> None:
        super().__init__()
        self.kernels, self.hidden, self.outputs = kernels, hidden, outputs
        self.w1, self.b1 = _layer(kernels, hidden, dimension)
        self.w2, self.b2 = _layer(kernels, hidden, hidden)
        self.w3, self.b3 = _layer(kernels, outputs, hidden)
        self.skip = _layer(kernels, outputs, dimension)[0]

    def forward(self, x: Tensor) -> Tensor:
        """phi(x), (R, n, f), of x (n, D)."""
        h = F.softplus(self._entered(x))
        h = F.softplus(h @ self.w2.mT + self.b2)
        return h @ self.w3.mT + self.b3 + _first(x, self.skip)

    def along(self, x: Tensor, v: Tensor) -> Jet:
        """The jet at x (n, D) along v (k, n, D)."""
        a = self._entered(x)
        s, slope = torch.sigmoid(a), _first(v, self.w1)
        first = s.unsqueeze(1) * slope
        second = _bend(s).unsqueeze(1) * slope.square()
        a, slope, second = F.softplus(a) @ self.w2.mT + self.b2, _apply(first, self.w2), _apply(second, self.w2)
        s = torch.sigmoid(a)
        first = s.unsqueeze(1) * slope
        second = s.unsqueeze(1) * second + _bend(s).unsqueeze(1) * slope.square()
        value = F.softplus(a) @ self.w3.mT + self.b3 + _first(x, self.skip)
        return Jet(value, _apply(first, self.w3) + _first(v, self.skip), _apply(second, self.w3))

    def curvature(self, x: Tensor) -> Curvature:
        """The Laplacian over all D coordinates at a cost that does not grow with D beyond the first product."""
        a = self._entered(x)
        s = torch.sigmoid(a)
        gram = self.w1 @ self.w1.mT  # of the gradients of W1 x
        inner = self.w2.unsqueeze(1) * s.unsqueeze(2)  # d(W2 h) / d(W1 x)
        bend = _bend(s) * gram.diagonal(dim1=1, dim2=2).unsqueeze(1)
        a = F.softplus(a) @ self.w2.mT + self.b2
        squares = ((inner @ gram.unsqueeze(1)) * inner).sum(3)  # |gradient|^2 of the second layer
        s = torch.sigmoid(a)
        laplacian = (s * (bend @ self.w2.mT) + _bend(s) * squares) @ self.w3.mT
        value = F.softplus(a) @ self.w3.mT + self.b3 + _first(x, self.skip)
        return Curvature(value, laplacian, self.w3.unsqueeze(1) @ (s.unsqueeze(3) * inner))

    def carried(self, x: Tensor, slope: Tensor, u: Tensor, v: Tensor, signs: Tensor) -> Tensor:
        """Estimates of the traces of the Hessians in x (n, D) of M functions of phi, (n, M): curvature propagation.

        Args:
            slope: the functions' gradients in phi, (R, n, M, f).
            u, v: (R, n, M, f) with E u v^T their Hessians in phi.
            signs: random, (2, R, n, 1, h).
        """
        a1 = self._entered(x)
        a2 = F.softplus(a1) @ self.w2.mT + self.b2
        ends = u, v
        for a, weight, sign in ((a2, self.w3, signs[1]), (a1, self.w2, signs[0])):
            s = torch.sigmoid(a).unsqueeze(2)
            slope, u, v = (z @ weight.unsqueeze(1) for z in (slope, u, v))
            bend = s * (1 - s) * slope
            kick = bend.abs().clamp_min(1e-30).sqrt() * sign
            slope, u, v = s * slope, s * u + kick, s * v + bend.sign() * kick
        flat = torch.cat([self.w1.flatten(0, 1), self.skip.flatten(0, 1)])  # to x, of which the product is asked
        u, v = (torch.cat([_joined(hidden), _joined(end)], 2) for hidden, end in zip((u, v), ends, strict=True))
        if flat.shape[1] > flat.shape[0]:
            return ((u @ (flat @ flat.T)) * v).sum(2)
        return ((u @ flat) * (v @ flat)).sum(2)

    def jacobian(self, inner: Tensor) -> Tensor:
        """d phi / dx, (R, n, f, D)."""
        return inner @ self.w1.unsqueeze(1) + self.skip.unsqueeze(1)

    def push(self, inner: Tensor, g: Tensor) -> Tensor:
        """The derivative of phi along g (n, D), (R, n, f)."""
        return (inner @ _first(g, self.w1).unsqueeze(3)).squeeze(3) + _first(g, self.skip)

    def pull(self, inner: Tensor, slope: Tensor) -> Tensor:
        """The gradient in x (n, D) of what has the gradient `slope` (R, n, f) in phi."""
        hidden = (slope.unsqueeze(2) @ inner).squeeze(2)
        flat = hidden.transpose(0, 1).flatten(1), slope.transpose(0, 1).flatten(1)
        return flat[0] @ self.w1.flatten(0, 1) + flat[1] @ self.skip.flatten(0, 1)

    def gram(self, inner: Tensor) -> Tensor:
        """The Jacobian of all networks times its transpose, (n, R f, R f), from products of weights alone."""
        kernels, n, f, h = inner.shape
        flat, skip = self.w1.flatten(0, 1), self.skip.flatten(0, 1)
        within = (flat @ flat.T).view(kernels, h, kernels, h).transpose(1, 2)
        across = (flat @ skip.T).view(kernels, h, kernels, f).transpose(1, 2)
        half = torch.einsum("rnfh,rqhg->nrfqg", inner, across).reshape(n, kernels * f, kernels * f)
        both = torch.einsum("rnfh,rqhg,qnkg->nrfqk", inner, within, inner).reshape(n, kernels * f, kernels * f)
        return both + half + half.mT + skip @ skip.T

    def _entered(self, x: Tensor) -> Tensor:
        """W1 x + b1, (R, n, h)."""
        if x.ndim != 2 or x.shape[1] != self.w1.shape[2]:
            raise InputError(f"x has shape {tuple(x.shape)}; this model takes (n, {self.w1.shape[2]})")
        return _first(x, self.w1) + self.b1


def _layer(kernels: int, outputs: int, inputs: int) -> tuple[nn.Parameter, nn.Parameter]:
    weight, bias = torch.randn(kernels, outputs, inputs), torch.randn(kernels, 1, outputs)
    return nn.Parameter(weight / math.sqrt(outputs)), nn.Parameter(bias / math.sqrt(outputs))


def _first(x: Tensor, weight: Tensor) -> Tensor:
    """(R, ..., h) of x (..., D) and a weight (R, h, D), as one product."""
    return (x @ weight.flatten(0, 1).T).unflatten(-1, weight.shape[:2]).movedim(-2, 0)


def _apply(h: Tensor, weight: Tensor) -> Tensor:
    """(R, k, n, out) of h (R, k, n, in)."""
    return h @ weight.unsqueeze(1).mT


def _bend(s: Tensor) -> Tensor:
    """The second derivative of softplus, where the first is s."""
    return s * (1 - s)


def _joined(z: Tensor) -> Tensor:
    """(n, M, R f) of (R, n, M, f)."""
    return z.movedim(0, 2).flatten(2)
