"""Our own emulator, built as the mathematics is: exact diffusion of waves, composed with a learned pointwise reaction.

    x' = H (R H^2)^{m-1} R H x,   H = exp(tau/2 D lap),   R: the flow over tau of   y_t = f(y; c),   tau = interval/m

(Strang). Learned are the diffusivities D, one for each field, and the reaction f, which sees one point at a time:

    f(y; c) = sum_q (A_0 + c_1 A_1 + ... + c_p A_p) phi_q(y),   phi: monomials, units of a small MLP.

The context c says which member of a family of systems this is. Nobody tells it: it is inferred from the history by
least squares (`context.py`). The weights begin at a regression (`regression.py`), are fitted to the network's own steps
by Gauss-Newton where they are few (`shooting.py`), and trained from there. Built in are: a reaction that is local in
space, diffusion that is isotropic and of each field alone, and f linear in c. Not built in are D, the reaction's form
within span(phi), and the family's parameters.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

from sojourn.errors import InputError
from sojourn.learning.emulators.context import infer, refine
from sojourn.learning.emulators.network import EmulatorNetwork, per_field
from sojourn.learning.emulators.regression import fit
from sojourn.learning.emulators.shooting import shoot

_RATE = 0.1  # the unit of the coefficients A, times 10/interval: a reaction changes a field in about a time step


_SATURATED = 10.0  # root mean squares: a reaction grows no further beyond, so that no iterate overflows
_LEAST = 1e-4  # of the largest variance of monomials: directions below are not stretched further
_REFINEMENTS = 4  # of a context
_THIN = 61  # of how many points one is looked at for them


class Splitting(EmulatorNetwork):
    """A splitting method with a learned reaction and learned diffusivities, on the torus, in any dimension.

    Args:
        fields: number of fields.
        history: frames seen; with one frame there is no context, and the reaction is the family's middle one.
        interval: time between frames.
        spacing: distance of grid points; the same weights serve any grid at its own spacing.
        substeps: m.
        context: p, how many numbers describe a member of the family.
        degree: highest degree of the monomials.
        hidden: units of the MLP's two layers, or 0 for none.
    """

    whitening: torch.Tensor

    def __init__(
        self,
        fields: int,
        *,
        history: int = 4,
        interval: float = 10.0,
        spacing: float = 2 / 128,
        substeps: int = 5,
        context: int = 2,
        degree: int = 3,
        hidden: int = 0,
    ) -> None:
        super().__init__(fields, history)
        if substeps < 1 or degree < 0 or hidden < 0 or context < 0:
            raise InputError(
                f"substeps={substeps}, context={context}, degree={degree} and hidden={hidden} must not be negative, "
                "and substeps 1 or more"
            )
        self.interval, self.spacing, self.substeps = interval, spacing, substeps
        self.context = context if history > 1 else 0
        self.monomials: list[tuple[int, ...]] = [
            powers for d in range(degree + 1) for powers in itertools.combinations_with_replacement(range(fields), d)
        ]
        count = len(self.monomials) + hidden
        # in units of (2/128)^2/10 per time: about what moves one cell in one step of The Well's data
        self.diffusion = nn.Parameter(torch.full((fields,), math.log(math.expm1(0.5))))
        self.mean_reaction = nn.Parameter(torch.zeros(fields, count))
        self.context_reaction = nn.Parameter(0.003 * torch.randn(self.context, fields, count))
        self.register_buffer("whitening", torch.eye(count))
        self.units = None
        if hidden:
            self.units = nn.Sequential(nn.Conv1d(fields, hidden, 1), nn.SiLU(), nn.Conv1d(hidden, hidden, 1), nn.SiLU())

    @property
    def diffusivities(self) -> torch.Tensor:
        """D of each field, length^2/time."""
        return functional.softplus(self.diffusion) * self.spread_unit

    @property
    def spread_unit(self) -> float:
        """The unit of the diffusivities, length^2/time: what moves a cell of The Well's grid in one step."""
        return (2 / 128) ** 2 / self.interval

    @property
    def unit(self) -> float:
        """The unit of the coefficients, 1/time."""
        return _RATE * 10.0 / self.interval

    @property
    def scale(self) -> torch.Tensor:
        """Root mean square of each field, the unit of y."""
        return (self.mean.square() + self.spread.square()).sqrt()

    def memory_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        return (self.context,)

    def remember(self, frames: torch.Tensor) -> torch.Tensor:
        """The context c (batch, p) that fits the history best; it carries no gradient."""
        if not self.context:
            return frames.new_zeros(frames.shape[0], 0)
        with torch.no_grad():
            context = infer(self, frames)
            for _ in range(_REFINEMENTS):
                context = refine(self, frames, context)
            return context

    def forward(self, frame: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tau = self.interval / self.substeps
        half, whole = self.diffusing(frame, tau / 2), self.diffusing(frame, tau)
        coefficients = self.coefficients(memory)
        y = _filter(frame / per_field(self.scale, frame), half)
        for k in range(self.substeps):
            y = self._react(y, coefficients, tau)
            y = _filter(y, half if k == self.substeps - 1 else whole)
        return y * per_field(self.scale, frame), memory

    def coefficients(self, context: torch.Tensor) -> torch.Tensor:
        """A_0 + sum_j c_j A_j, (batch, fields, features)."""
        mixed = torch.einsum("bp,pfq->bfq", context, self.context_reaction)
        return (self.mean_reaction + mixed) @ self.whitening * self.unit

    def prepare(self, frames: torch.Tensor) -> None:
        """Also makes the monomials nearly uncorrelated, so that gradients find them, and fits all by regression."""
        super().prepare(frames)
        size, some = len(self.monomials), frames[:, :: max(1, frames.shape[1] // 20)]
        points = (some / per_field(self.scale, some[:, 0])).movedim(2, 0).flatten(1)[:, ::_THIN]
        phi = self.features(points[None])[0, :size].detach().double()
        values, vectors = torch.linalg.eigh(phi @ phi.T / phi.shape[1])
        root = vectors @ torch.diag((values + _LEAST * values[-1]).rsqrt()) @ vectors.T
        self.whitening[:size, :size] = root.to(self.whitening)
        fit(self, frames)
        if self.units is None:  # few enough weights for second-order steps
            shoot(self, frames)

    def features(self, y: torch.Tensor) -> torch.Tensor:
        """phi (batch, features, points) of scaled values (batch, fields, points)."""
        y = y.clamp(-_SATURATED, _SATURATED)
        parts = y.unbind(1)
        known: dict[tuple[int, ...], torch.Tensor] = {(): torch.ones_like(parts[0])}
        for powers in self.monomials[1:]:
            *head, last = powers
            known[powers] = known[tuple(head)] * parts[last] if head else parts[last]
        phi = torch.stack(list(known.values()), dim=1)
        return phi if self.units is None else torch.cat([phi, self.units(y)], dim=1)

    def diffusing(self, frame: torch.Tensor, time: float) -> torch.Tensor:
        """exp(-D |k|^2 time) for each field and wave of frames such as `frame`."""
        return torch.exp(-time * per_field(self.diffusivities, frame) * self.squared_wavenumbers(frame))

    def squared_wavenumbers(self, frame: torch.Tensor) -> torch.Tensor:
        """|k|^2 on the half grid of a real transform."""
        return squared_wavenumbers(tuple(frame.shape[2:]), self.spacing, frame)

    def _react(self, y: torch.Tensor, coefficients: torch.Tensor, tau: float) -> torch.Tensor:
        """The flow of y_t = f(y; c) over tau, by one step of the classical Runge-Kutta method."""

        def f(z: torch.Tensor) -> torch.Tensor:
            return torch.bmm(coefficients, self.features(z))

        flat = y.flatten(2)
        k1 = f(flat)
        k2 = f(flat + tau / 2 * k1)
        k3 = f(flat + tau / 2 * k2)
        k4 = f(flat + tau * k3)
        return (flat + tau / 6 * (k1 + 2 * k2 + 2 * k3 + k4)).reshape(y.shape)


def squared_wavenumbers(grid: tuple[int, ...], spacing: float, like: torch.Tensor) -> torch.Tensor:
    axes = [2 * math.pi * torch.fft.fftfreq(n, spacing, dtype=torch.float64) for n in grid[:-1]]
    axes.append(2 * math.pi * torch.fft.rfftfreq(grid[-1], spacing, dtype=torch.float64))
    total = sum(k**2 for k in torch.meshgrid(*axes, indexing="ij"))
    assert isinstance(total, torch.Tensor)
    return total.to(like)


def _filter(y: torch.Tensor, multiplier: torch.Tensor) -> torch.Tensor:
    dims = tuple(range(2, y.ndim))
    return torch.fft.irfftn(torch.fft.rfftn(y, dim=dims) * multiplier, s=y.shape[2:], dim=dims)
