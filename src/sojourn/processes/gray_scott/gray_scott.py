"""The Gray-Scott reaction U + 2V -> 3V, V -> P, fed with U, drained of both, and diffusing.

u_t = D_u lap u - u v^2 + F (1 - u),    v_t = D_v lap v + u v^2 - (F + k) v
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.gray_scott import checks, etdrk4
from sojourn.processes.gray_scott.explicit import EXPLICIT, reaction
from sojourn.processes.gray_scott.presets import PRESETS
from sojourn.processes.gray_scott.spectral import diffusion, spectral_reaction, transform
from sojourn.processes.gray_scott.spectral_members import advance_members
from sojourn.processes.gray_scott.starts import STARTS, Start
from sojourn.processes.gray_scott.stencils import Boundary, Stencil, laplacian

if TYPE_CHECKING:
    Number = float | torch.Tensor
    """A number; or a tensor of one number, which may ask for its gradient."""
    Rate = float | torch.Tensor
    """A Number; or a field in space, of the process's shape."""
else:
    Number = Rate = float  # what a command line can say

Scheme = Literal["euler", "heun", "rk4", "etdrk4"]


@dataclass(frozen=True)
class GrayScott(Process):
    """Two reacting species on a line, a square or in a box.

    Args:
        feed_rate: F, 1/time; a number, or in Python a tensor: a field of `shape`, or one that asks for its gradient.
        kill_rate: k, 1/time; likewise.
        diffusivity_u: D_u, length^2/time; a number, or a tensor of one number.
        diffusivity_v: D_v, likewise.
        shape: cells along (x,), (y, x) or (z, y, x).
        extent: length of the domain along every axis, or one for each; None gives cells of Pearson's size, 2.5/256.
        boundary: "periodic"; "neumann", no flux through the walls; "dirichlet", (u, v) = (1, 0) on them.
        dt: time step.
        scheme: "euler", "heun" and "rk4" (orders 1, 2, 4) on finite differences; "etdrk4" (order 4) spectral: Fourier
            where periodic, cosine with Neumann walls.
        stencil: for finite differences: "second", "isotropic" (second order, no preferred direction) or "fourth".
        dealias: for etdrk4: "padded" evaluates u v^2 on twice the points along every axis, which removes all aliasing
            of a cubic product; "none" evaluates it on the grid itself.
        start: "pearson", "seeds", or "gaussian" and "fourier" of The Well; see `starts`.
        dtype: "float32" or "float64".

    State: `u`, `v`, (ensemble, *shape). The domain is centred on 0.

    Raises:
        InputError: a parameter cannot be used; among them a dt above the scheme's stability limit.

    Sources: Gray and Scott (Chem. Eng. Sci. 39, 1984); Pearson (Science 261, 1993).
    """

    feed_rate: Rate = 0.029
    kill_rate: Rate = 0.057
    diffusivity_u: Number = 2e-5
    diffusivity_v: Number = 1e-5
    shape: tuple[int, ...] = (256, 256)
    extent: float | tuple[float, ...] | None = None
    boundary: Boundary = "periodic"
    dt: float = 1.0
    scheme: Scheme = "euler"
    stencil: Stencil = "second"
    dealias: Literal["padded", "none"] = "padded"
    start: Start = "seeds"
    dtype: Literal["float32", "float64"] = "float32"

    time_unit = "1"

    def __post_init__(self) -> None:
        for name in ("shape", "extent"):
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        checks.check(self)

    @classmethod
    def preset(cls, name: str, **parameters: Any) -> Self:
        """The process with the rates of a named pattern, such as "maze", "u-skate" or "kappa"; see `presets`."""
        if name not in PRESETS:
            raise InputError(f"no Gray-Scott pattern is called {name!r}; there are: {', '.join(PRESETS)}")
        feed, kill = PRESETS[name]
        return cls(**{"feed_rate": feed, "kill_rate": kill, **parameters})

    @property
    def lengths(self) -> tuple[float, ...]:
        """Extent of the domain along each axis."""
        if self.extent is None:
            return tuple(n * 2.5 / 256 for n in self.shape)
        return self.extent if isinstance(self.extent, tuple) else (self.extent,) * len(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of grid points along each axis."""
        return tuple(length / n for length, n in zip(self.lengths, self.shape, strict=True))

    def coordinates(self) -> dict[str, np.ndarray]:
        """Grid points: x_j = -L/2 + j h where periodic, in the middles of cells, -L/2 + (j + 1/2) h, between walls."""
        names = ("z", "y", "x")[-len(self.shape) :]
        middle = 0.0 if self.boundary == "periodic" else 0.5
        axes = zip(names, self.shape, self.lengths, strict=True)
        return {name: ((np.arange(n) + middle) / n - 0.5) * length for name, n, length in axes}

    def fields(self) -> dict[str, Field]:
        dims, dtype = ("z", "y", "x")[-len(self.shape) :], getattr(torch, self.dtype)
        return {
            "u": Field(dims, tuple(self.shape), dtype, long_name="concentration of U, the substrate"),
            "v": Field(dims, tuple(self.shape), dtype, long_name="concentration of V, the catalyst"),
        }

    def initial(self, ensemble: int, noise: Noise) -> State:
        u, v = STARTS[self.start](self, ensemble, noise)
        dtype = getattr(torch, self.dtype)
        return {"u": u.to(dtype), "v": v.to(dtype)}

    def rate(self, state: State) -> State:
        """Time derivatives of u and v on finite differences, as the equation says."""
        u, v = state["u"], state["v"]
        grid = {"stencil": self.stencil, "spacing": self.spacing, "boundary": self.boundary}
        u_rate, v_rate = reaction(u, v, *self._rates(u))
        return {
            "u": self.diffusivity_u * laplacian(u, **grid, wall=1.0) + u_rate,
            "v": self.diffusivity_v * laplacian(v, **grid, wall=0.0) + v_rate,
        }

    def step(self, state: State, t: int, noise: Noise) -> State:
        if self.scheme != "etdrk4":
            return EXPLICIT[self.scheme](self.rate, state, self.dt)
        y = torch.stack([state["u"], state["v"]], dim=1)  # (ensemble, 2, *shape)
        own, fine, coefficients = self._spectral(y)
        rates = self._rates(y[:, 0])
        modes = etdrk4.step(own.forward(y), lambda modes: spectral_reaction(modes, fine, *rates), coefficients)
        u, v = own.backward(modes).unbind(1)
        return {"u": u, "v": v}

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """`steps` steps; on the CPU by Numba kernels, unless a gradient is asked for."""
        self.check(state)
        parameters = (self.feed_rate, self.kill_rate, self.diffusivity_u, self.diffusivity_v)
        tensors = [x for x in (*state.values(), *parameters) if isinstance(x, torch.Tensor)]
        differentiable = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
        if differentiable or state["u"].device.type != "cpu":
            return super().advance(state, t, steps, noise)
        if self.scheme == "etdrk4":
            return self._advance_spectral(state, t, steps, noise)
        from sojourn.kernels import gray_scott as kernel

        u, v = kernel.advance(
            state["u"].detach().numpy(),
            state["v"].detach().numpy(),
            feed_rate=checks.plain(self.feed_rate),
            kill_rate=checks.plain(self.kill_rate),
            diffusivity_u=checks.plain(self.diffusivity_u),
            diffusivity_v=checks.plain(self.diffusivity_v),
            spacing=self.spacing,
            dt=self.dt,
            boundary=self.boundary,
            stencil=self.stencil,
            scheme=self.scheme,
            steps=steps,
        )
        return {"u": torch.from_numpy(u), "v": torch.from_numpy(v)}

    def _advance_spectral(self, state: State, t: int, steps: int, noise: Noise) -> State:
        feed, kill = checks.plain(self.feed_rate), checks.plain(self.kill_rate)
        if isinstance(feed, np.ndarray) or isinstance(kill, np.ndarray):
            members = [super(GrayScott, self).advance(one, t, steps, noise) for one in _members(state)]
            return {name: torch.cat([member[name] for member in members]) for name in state}
        y = torch.stack([state["u"], state["v"]], dim=1)
        u, v = advance_members(y, steps, *self._spectral(y), feed, kill).unbind(1)
        return {"u": u.contiguous(), "v": v.contiguous()}

    def _spectral(self, like: torch.Tensor):
        """The transform of the grid, that of the points where u v^2 is evaluated, and ETDRK4's coefficients."""
        own, fine = (
            transform(self.boundary, self.shape, self.lengths, m) for m in (1, 2 if self.dealias == "padded" else 1)
        )
        diffusivities = (self.diffusivity_u, self.diffusivity_v)
        return own, fine, diffusion(own, diffusivities, self.dt, like.dtype, like.device)

    def _rates(self, like: torch.Tensor) -> tuple[Rate, Rate]:
        """F and k as numbers, or as tensors of the state's type and place."""
        rates = (self.feed_rate, self.kill_rate)
        f, k = (r.to(like) if isinstance(r, torch.Tensor) else r for r in rates)
        return f, k


def _members(state: State) -> list[State]:
    return [{name: field[k : k + 1] for name, field in state.items()} for k in range(len(state["u"]))]
