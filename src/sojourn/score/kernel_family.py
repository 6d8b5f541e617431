"""The deep kernel exponential family: a density model whose best weights solve a linear system.

    log p(x) = sum_m alpha_m k(x, z_m) + log q0(x) - log Z
    k(x, z) = sum_r rho_r exp(-|phi_r(x) - phi_r(z)|^2 / 2 sigma_r^2),   q0 = N(0, base^2)

Every objective of score matching is a quadratic in alpha, J(alpha) = alpha^T G alpha / 2 + b^T alpha + c.

Source: Wenliang, Sutherland, Strathmann and Gretton, Learning deep kernels for exponential family densities (2019);
Song, Garg, Shi and Ermon, Sliced score matching (2019), section 5.1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sojourn.errors import InputError
from sojourn.score.features import Curvature, Features, Jet
from sojourn.score.normal import log_normal


class Quadratic(NamedTuple):
    """J(alpha) = alpha^T matrix alpha / 2 + vector^T alpha + constant, matrix = sum_b rows_b^T gram_b rows_b / count.

    rows (b, f, M); gram (b, f, f), or None for the identity.
    """

    rows: Tensor
    gram: Tensor | None
    count: int
    vector: Tensor
    constant: Tensor

    @property
    def matrix(self) -> Tensor:
        """(M, M)."""
        weighted = self.rows if self.gram is None else self.gram @ self.rows
        return self.rows.flatten(0, 1).T @ weighted.flatten(0, 1) / self.count

    def value(self, alpha: Tensor) -> Tensor:
        """J(alpha), without the matrix."""
        one = (self.rows @ alpha).unsqueeze(2)
        squares = (one * (one if self.gram is None else self.gram @ one)).sum()
        return squares / (2 * self.count) + self.vector @ alpha + self.constant

    def least(self, ridge: Tensor) -> Tensor:
        """The alpha of the least J(alpha) + ridge |alpha|^2 / 2."""
        one = torch.eye(len(self.vector), dtype=self.vector.dtype, device=self.vector.device)
        return -torch.linalg.solve(self.matrix + ridge * one, self.vector)


class _Seen(NamedTuple):
    """Features at x and of the points (R, M, f), and the kernel (R, n, M).

    With few coordinates also d phi / dx, (R, n, D, f), and its product with phi(x) - phi(z_m), (R, n, D, M); with many
    the products of gradients of phi, (n, R f, R f).
    """

    found: Curvature
    points: Tensor
    kernel: Tensor
    jacobian: Tensor | None
    gaps: Tensor | None
    gram: Tensor | None


class DeepKernelExponentialFamily(nn.Module):
    """log p(x) as above, of data (n, D); alpha is zero until `weigh` sets it.

    Args:
        points: (M, D), where the inducing points z_m start.
        kernels: R.
        hidden, outputs: widths of the networks phi_r.
        base: standard deviation of q0.
        ridge: of the linear system, where it starts.
    """

    alpha: Tensor

    def __init__(
        self,
        points: Tensor,
        *,
        kernels: int = 3,
        hidden: int = 30,
        outputs: int = 30,
        base: float = 2.0,
        ridge: float = 0.01,
    ) -> None:
        super().__init__()
        if points.ndim != 2 or not len(points):
            raise InputError(f"points has shape {tuple(points.shape)}; give inducing points as (M, D)")
        for name, value in (("base", base), ("ridge", ridge)):
            if not 0 < value < math.inf:
                raise InputError(f"{name}={value} is not a finite number above zero")
        self.points = nn.Parameter(points.detach().clone())
        self.features = Features(points.shape[1], kernels, hidden, outputs)
        self.log_width = nn.Parameter(torch.linspace(0.0, 1.0, kernels) * math.log(10) / 2)
        self.logits = nn.Parameter(torch.zeros(kernels))
        self.log_ridge = nn.Parameter(torch.tensor(math.log(ridge)))
        self.base = base
        self.register_buffer("alpha", torch.zeros(len(points)))
        self.to(points.dtype)

    # ------------------------------------------------------------------------------------------- density and score

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) + log Z, (n,)."""
        return self.correction(x) + self.log_base(x)

    def correction(self, x: Tensor) -> Tensor:
        """sum_m alpha_m k(x, z_m), (n,): within the sum of |alpha_m| of zero."""
        return self._kernel(self.features(x), self.features(self.points)).sum(0) @ self.alpha

    def log_base(self, x: Tensor) -> Tensor:
        """log q0(x), (n,)."""
        return log_normal(x, self.base)

    def forward(self, x: Tensor) -> Tensor:
        """grad log p(x), (n, D)."""
        found = self.features.curvature(x)
        at = self.features(self.points)
        weights = self._kernel(found.value, at) * self._precision() * self.alpha
        slope = weights @ at - weights.sum(2, keepdim=True) * found.value  # d / d phi
        return self.features.pull(found.inner, slope) - x / self.base**2

    # ----------------------------------------------------------------------------------------------- the objectives

    def exact(self, x: Tensor) -> Quadratic:
        """E [tr grad s + |s|^2 / 2] over x (n, D), at a cost that does not grow with D beyond the first product."""
        seen = self._see(x)
        base = -x / self.base**2
        vector = self._laplacian(seen) + self._toward(seen, base)
        constant = base.square().sum(1).mean() / 2 - x.shape[1] / self.base**2
        return Quadratic(*self._gradients(seen), len(x), vector.mean(0), constant)

    def sliced(self, x: Tensor, v: Tensor, *, reduced_variance: bool = True) -> Quadratic:
        """E [v^T grad s v + |s|^2 / 2], or with (v . s)^2 for |s|^2, over x (n, D) and directions v (k, n, D)."""
        jet, at = self.features.along(x, v), self.features(self.points)
        kernel = self._kernel(jet.value, at)
        first, second = self._slopes(jet, at, kernel)
        bend = v.square().sum(2).mean() / self.base**2
        base = -x / self.base**2
        if reduced_variance:
            seen = self._see(x)
            vector = second.mean(0) + self._toward(seen, base)
            constant = base.square().sum(1).mean() / 2 - bend
            return Quadratic(*self._gradients(seen), len(x), vector.mean(0), constant)
        along = (v * base).sum(2)
        rows = first.flatten(0, 1)
        vector = second.flatten(0, 1) + rows * along.reshape(-1, 1)
        return Quadratic(rows[None], None, len(rows), vector.mean(0), along.square().mean() / 2 - bend)

    def curvature_propagation(self, x: Tensor, signs: Tensor) -> Quadratic:
        """`exact` with each kernel's Laplacian estimated by curvature propagation; random signs (n, R, 1 + f + 2 h)."""
        seen = self._see(x)
        tau, f = self._precision().unsqueeze(3), self.features.outputs
        signs = signs.transpose(0, 1).unsqueeze(2)  # (R, n, 1, ...)
        gap, k = seen.found.value.unsqueeze(2) - seen.points.unsqueeze(1), seen.kernel.unsqueeze(3)
        along, across = (
            tau * k.clamp_min(1e-30).sqrt() * gap * signs[..., :1],
            (tau * k).clamp_min(1e-30).sqrt() * signs[..., 1 : 1 + f],
        )
        inner = torch.stack(signs[..., 1 + f :].chunk(2, dim=3))
        trace = self.features.carried(x, -tau * k * gap, along + across, along - across, inner)
        base = -x / self.base**2
        vector = trace + self._toward(seen, base)
        constant = base.square().sum(1).mean() / 2 - x.shape[1] / self.base**2
        return Quadratic(*self._gradients(seen), len(x), vector.mean(0), constant)

    def denoising(self, x: Tensor, epsilon: Tensor, sigma: float) -> Quadratic:
        """E [|s(y)|^2 / 2 + s(y) . epsilon / sigma], y = x + sigma epsilon: the exact objective of the law of y."""
        y = x + sigma * epsilon
        seen = self._see(y)
        base = -y / self.base**2
        vector = self._toward(seen, base + epsilon / sigma)
        constant = (base * (base / 2 + epsilon / sigma)).sum(1).mean()
        return Quadratic(*self._gradients(seen), len(x), vector.mean(0), constant)

    def weigh(self, quadratic: Quadratic) -> Tensor:
        """Sets alpha to that of the least objective with the ridge; returns it, differentiable."""
        alpha = quadratic.least(self.log_ridge.exp())
        self.alpha = alpha.detach()
        return alpha

    # ------------------------------------------------------------------------------------------ derivatives of kernels

    def _precision(self) -> Tensor:
        return torch.exp(-2 * self.log_width).view(-1, 1, 1)

    def _kernel(self, u: Tensor, at: Tensor) -> Tensor:
        """rho_r exp(-|u - at|^2 / 2 sigma_r^2), (R, n, M)."""
        squares = u.square().sum(2, keepdim=True) - 2 * u @ at.mT + at.square().sum(2).unsqueeze(1)
        return torch.softmax(self.logits, 0).view(-1, 1, 1) * torch.exp(-self._precision() / 2 * squares)

    def _slopes(self, jet: Jet, at: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """The first and second derivative of k(x, z_m) along directions, (k, n, M)."""
        tau, k, w = self._precision().unsqueeze(1), kernel.unsqueeze(1), at.unsqueeze(1).mT
        u = jet.value.unsqueeze(1)
        toward = (u * jet.first).sum(3, keepdim=True) - jet.first @ w
        speed = jet.first.square().sum(3, keepdim=True) + (u * jet.second).sum(3, keepdim=True) - jet.second @ w
        return (-tau * k * toward).sum(0), (k * ((tau * toward).square() - tau * speed)).sum(0)

    def _see(self, x: Tensor) -> _Seen:
        found, points = self.features.curvature(x), self.features(self.points)
        gaps = jacobian = gram = None
        if x.shape[1] <= self.features.kernels * self.features.outputs:
            jacobian = self.features.jacobian(found.inner).mT  # (R, n, D, f)
            gaps = jacobian @ found.value.unsqueeze(3) - (jacobian.flatten(1, 2) @ points.mT).view(
                *jacobian.shape[:3], -1
            )
        else:
            gram = self.features.gram(found.inner)
        return _Seen(found, points, self._kernel(found.value, points), jacobian, gaps, gram)

    def _laplacian(self, seen: _Seen) -> Tensor:
        """The Laplacian of k(x, z_m), (n, M)."""
        found, points, kernel, jacobian, gaps, gram = seen
        tau, u, lap = self._precision(), found.value, found.laplacian
        if jacobian is not None and gaps is not None:
            squares, trace = gaps.square().sum(2), jacobian.square().sum((2, 3)).unsqueeze(2)
        else:
            assert gram is not None
            sizes = 2 * (self.features.kernels, self.features.outputs)
            own = gram.view(-1, *sizes).diagonal(dim1=1, dim2=3).movedim(3, 0)  # each network's, (R, n, f, f)
            pushed = (own @ u.unsqueeze(3)).squeeze(3)
            outer = (points.unsqueeze(3) * points.unsqueeze(2)).flatten(2)
            squares = (u * pushed).sum(2, keepdim=True) - 2 * pushed @ points.mT + own.flatten(2) @ outer.mT
            trace = own.diagonal(dim1=2, dim2=3).sum(2, keepdim=True)
        speed = trace + (u * lap).sum(2, keepdim=True) - lap @ points.mT
        return (kernel * (tau.square() * squares - tau * speed)).sum(0)

    def _gradients(self, seen: _Seen) -> tuple[Tensor, Tensor | None]:
        """Gradients of k(x, z_m) in x, (n, D, M); or with many coordinates in phi, (n, R f, M), and their metric."""
        weight = -(self._precision() * seen.kernel).unsqueeze(2)
        if seen.gaps is not None:
            return (weight * seen.gaps).sum(0), None
        gap = seen.found.value.unsqueeze(3) - seen.points.mT.unsqueeze(1)
        return (weight * gap).transpose(0, 1).flatten(1, 2), seen.gram

    def _toward(self, seen: _Seen, g: Tensor) -> Tensor:
        """The derivative of k(x, z_m) along g (n, D), (n, M)."""
        push = self.features.push(seen.found.inner, g)
        toward = (seen.found.value * push).sum(2, keepdim=True) - push @ seen.points.mT
        return -(self._precision() * seen.kernel * toward).sum(0)
