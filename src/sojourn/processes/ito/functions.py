"""An SDE whose coefficients are plain Python functions on PyTorch tensors, neural networks among them, as a process.

dX = a(t, X) dt + B(t, X) dW
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch

from sojourn.errors import InputError
from sojourn.forward_mode import along
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.ito.discretised import brownian_increments, check_steps
from sojourn.processes.ito.increments import Increments
from sojourn.processes.ito.schemes import find
from sojourn.processes.ito.schemes.scheme import Scheme

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class SDE(Process):
    """dX = a(t, X) dt + B(t, X) dW with functions for a and B, stepped by `scheme`.

    Functions take t, a tensor of one number, and x (ensemble, d); each member must be treated alone. Derivatives that a
    scheme needs are taken by automatic differentiation; a step is differentiable in the state and in whatever the
    functions are made of. The path is the one that `Discretised` with this seed, dt and substeps follows.

    Args:
        drift: a(t, x) -> (ensemble, d).
        diffusion: B(t, x); its shape is said by `noise`.
        start: where states begin, (d,) or (ensemble, d).
        noise: "diagonal": W_i moves X_i alone, B is (ensemble, d); "scalar": one W moves all, B is (ensemble, d);
            "general": B is (ensemble, d, m).
        dt: time step.
        scheme: a name from `schemes`.
        substeps: increments to a step.
        dtype: "float64" or "float32", which the functions must return too.

    State: x, (ensemble, d).

    Raises:
        InputError: at the first step, if a function returns another shape or type, or if the scheme is not for this
            noise; whether the noise commutes is tested by its values near the first states.
    """

    drift: Function
    diffusion: Function
    start: Any
    noise: Literal["diagonal", "scalar", "general"] = "diagonal"
    dt: float = 0.01
    scheme: str = "euler"
    substeps: int = 1
    dtype: Literal["float64", "float32"] = "float64"

    time_unit = "1"

    def __post_init__(self) -> None:
        check_steps(self.dt, self.substeps, self.dtype)
        if self.noise not in ("diagonal", "scalar", "general"):
            raise InputError(f"noise={self.noise!r} is not diagonal, scalar or general")
        for name in ("drift", "diffusion"):
            if not callable(getattr(self, name)):
                raise InputError(f"{name}={getattr(self, name)!r} is not a function of t and x")
        if self.first.ndim not in (1, 2) or not self.first.shape[-1]:
            raise InputError(f"start has shape {tuple(self.first.shape)}; needed is (d,) or (ensemble, d)")
        if self.substeps > 1 and self.method.kind == "WV":
            raise InputError(f"scheme={self.scheme!r} is right in law only and cannot follow a path; use substeps=1")

    @property
    def method(self) -> Scheme:
        """The scheme itself: its orders, what it needs, where it is from."""
        return find(self.scheme)

    @cached_property
    def first(self) -> torch.Tensor:
        """`start` as a tensor."""
        try:
            return torch.as_tensor(self.start, dtype=getattr(torch, self.dtype))
        except (TypeError, ValueError):
            raise InputError(f"start={self.start!r} is not numbers; needed is (d,) or (ensemble, d) of them") from None

    def fields(self) -> dict[str, Field]:
        return {"x": Field(("component",), (self.first.shape[-1],), getattr(torch, self.dtype), "1", "state")}

    def initial(self, ensemble: int, noise: Noise) -> State:
        if self.first.ndim == 2 and len(self.first) != ensemble:
            raise InputError(f"start has {len(self.first)} members; the ensemble has {ensemble}")
        return {"x": self.first.expand(ensemble, -1).clone()}

    def step(self, state: State, t: int, noise: Noise) -> State:
        x = state["x"]
        time = torch.tensor(t * self.dt, dtype=x.dtype, device=x.device)
        size = torch.tensor(self.dt, dtype=x.dtype, device=x.device)
        m, whole = self._prepared(time, x)
        evaluator = Evaluator(self, 1 if whole else m, whole)
        increments = self._increments(t, x, m, noise, whole)
        return {"x": evaluator.pack(self.method.step(evaluator, time, evaluator.unpack(x), size, increments))}

    def coefficients(self, t: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """a (ensemble, d) and B in the shape of `noise`, at time t.

        Raises:
            InputError: a function returned another shape or type.
        """
        return self._value("drift", t, x), self._value("diffusion", t, x)

    def _value(self, name: Literal["drift", "diffusion"], t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        value = getattr(self, name)(t, x)
        if not isinstance(value, torch.Tensor):
            raise InputError(f"{name} returned {type(value).__name__}; needed is a tensor")
        n, d = x.shape
        general = name == "diffusion" and self.noise == "general"
        if tuple(value.shape[:2]) != (n, d) or value.ndim != (3 if general else 2):
            wanted = f"({n}, {d}, m)" if general else f"({n}, {d})"
            kind = f" with noise={self.noise!r}" if name == "diffusion" else ""
            raise InputError(f"{name} returned shape {tuple(value.shape)}; needed is {wanted}{kind}")
        if not value.numel():
            raise InputError(f"{name} returned shape {tuple(value.shape)}; needed is one noise or more")
        if value.dtype != x.dtype:
            raise InputError(f"{name} returned {value.dtype}; the state is {x.dtype}: convert one, or choose dtype=...")
        return value

    def _prepared(self, t: torch.Tensor, x: torch.Tensor) -> tuple[int, bool]:
        """m, and whether the step can work on whole states; at the first call the scheme's demands are tested."""
        if "_plan" not in self.__dict__:
            if self.noise == "general":
                m = self._value("diffusion", t, x).shape[2]
            else:
                m = x.shape[1] if self.noise == "diagonal" else 1
            values = _Values(self, m, t, x.detach())
            self.method.check(values)  # type: ignore[arg-type]
            whole = self.noise == "diagonal" and (
                self.scheme == "euler" or (self.scheme == "milstein" and values.diagonal)
            )
            object.__setattr__(self, "_plan", (m, whole))  # where cached_property would put it
        return self.__dict__["_plan"]

    def _increments(self, t: int, x: torch.Tensor, m: int, noise: Noise, whole: bool) -> Increments:
        """What step t sees of the Brownian motion; each value (ensemble,), or one (ensemble, d) for whole states."""
        h = self.dt / self.substeps
        found = brownian_increments(self.method.kind, m, h, self.substeps, t, len(x), noise, x.dtype, x.device)
        return Increments("W", [torch.stack(found.W, 1)], [], []) if whole else found


class Evaluator:
    """What a scheme sees of an SDE in numbers, in the place of a `program.Recorder`.

    x is a list of d tensors (ensemble,); or, where W_i moves X_i alone and the scheme allows it, a list of one tensor
    (ensemble, d) with one noise of that shape.
    """

    def __init__(self, sde: SDE, noises: int, whole: bool) -> None:
        self.sde, self.noises, self.whole = sde, noises, whole

    def pack(self, x: list[torch.Tensor]) -> torch.Tensor:
        return x[0] if self.whole else torch.stack(x, 1)

    def unpack(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x] if self.whole else list(x.unbind(1))

    def drift(self, t: Any, x: list[torch.Tensor]) -> list[torch.Tensor]:
        """a_i(t, x)."""
        return self.unpack(self._drift(t, self.pack(x)))

    def stratonovich_drift(self, t: Any, x: list[torch.Tensor]) -> list[torch.Tensor]:
        """a_i - 1/2 sum_j Lj B_ij at (t, x)."""
        bent = [self.L_diffusion(t, x, j, j) for j in range(self.noises)]
        return [a - 0.5 * sum(b[i] for b in bent) for i, a in enumerate(self.drift(t, x))]

    def diffusion(self, t: Any, x: list[torch.Tensor]) -> list[list[torch.Tensor]]:
        """B_ij(t, x), rows i."""
        columns = self._columns(t, self.pack(x))
        return [list(row) for row in zip(*map(self.unpack, columns), strict=True)]

    def L0_drift(self, t: Any, x: list[torch.Tensor]) -> list[torch.Tensor]:
        """L0 a_i at (t, x)."""
        return self.unpack(self._L0(self._drift, t, self.pack(x)))

    def L0_diffusion(self, t: Any, x: list[torch.Tensor], j: int) -> list[torch.Tensor]:
        """L0 B_ij at (t, x), for all i."""
        return self.unpack(self._L0(lambda s, y: self._columns(s, y)[j], t, self.pack(x)))

    def L_drift(self, t: Any, x: list[torch.Tensor], j: int) -> list[torch.Tensor]:
        """Lj a_i at (t, x), for all i."""
        X = self.pack(x)
        return self.unpack(along(lambda y: self._drift(t, y), X, self._columns(t, X)[j]))

    def L_diffusion(self, t: Any, x: list[torch.Tensor], j: int, k: int) -> list[torch.Tensor]:
        """Lj B_ik at (t, x), for all i."""
        X = self.pack(x)
        return self.unpack(along(lambda y: self._columns(t, y)[k], X, self._columns(t, X)[j]))

    def jacobian(self, t: Any, x: list[torch.Tensor]) -> list[list[torch.Tensor]]:
        """da_i/dx_k at (t, x), rows i."""
        X = self.pack(x)
        unit = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
        columns = [along(lambda y: self._drift(t, y), X, e.expand_as(X)) for e in unit]
        return [list(row) for row in zip(*map(self.unpack, columns), strict=True)]

    def let(self, *values: Any) -> list[Any]:
        return list(values)

    def sqrt(self, x: Any) -> Any:
        return torch.sqrt(torch.as_tensor(x))

    def absolute(self, x: Any) -> Any:
        return torch.abs(torch.as_tensor(x))

    def __getattr__(self, name: str) -> Any:
        raise InputError(
            f"scheme={self.sde.scheme!r} needs {name} of coefficients in symbols, and here they are functions; use "
            f"scheme='euler', or declare the SDE with ItoProcess"
        )

    def _drift(self, t: Any, X: torch.Tensor) -> torch.Tensor:
        return self.sde._value("drift", torch.as_tensor(t, dtype=X.dtype, device=X.device), X)

    def _columns(self, t: Any, X: torch.Tensor) -> list[torch.Tensor]:
        """B_.j for every noise j, (ensemble, d)."""
        B = self.sde._value("diffusion", torch.as_tensor(t, dtype=X.dtype, device=X.device), X)
        if self.sde.noise == "general":
            return list(B.unbind(2))
        if self.sde.noise == "scalar" or self.whole:
            return [B]
        return list(torch.diag_embed(B).unbind(2))

    def _L0(self, g: Function, t: Any, X: torch.Tensor) -> torch.Tensor:
        """g_t + a . grad g + 1/2 sum_j (B_j . grad)^2 g with B_j held still."""
        time = torch.as_tensor(t, dtype=X.dtype, device=X.device)
        a, columns = self._drift(t, X), self._columns(t, X)
        first = along(lambda s: g(s, X), time, torch.ones_like(time)) + along(lambda y: g(time, y), X, a)
        second = [along(lambda y, b=b: along(lambda z: g(time, z), y, b), X, b) for b in columns]
        return first + 0.5 * sum(second)


class _Values:
    """What a scheme asks of `Coefficients` before it takes an SDE, answered by values near the first states."""

    def __init__(self, sde: SDE, noises: int, t: torch.Tensor, x: torch.Tensor) -> None:
        # states moved by numbers of their own size, so that what vanishes by chance at the start does not mislead
        moved = Noise(0).normal(0, len(x), (x.shape[1],), x.dtype, x.device)
        self.sde, self.noises, self.t = sde, noises, t
        self.x = list((x + 0.1 * (1 + x.abs()) * moved).unbind(1))
        self.states = tuple(f"x[:, {i}]" for i in range(x.shape[1]))
        self.evaluator = Evaluator(sde, noises, False)

    @property
    def additive(self) -> bool:
        X = torch.stack(self.x, 1)
        return all(
            bool((along(lambda y, j=j: self.evaluator._columns(self.t, y)[j], X, e.expand_as(X)) == 0).all())
            for e in torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
            for j in range(self.noises)
        )

    @property
    def diagonal(self) -> bool:
        """Whether W_i alone moves X_i, by an amount that depends on no other state."""
        if self.sde.noise == "diagonal":
            X = torch.stack(self.x, 1)
            for k, e in enumerate(torch.eye(X.shape[1], dtype=X.dtype, device=X.device)):
                slope = along(lambda y: self.sde._value("diffusion", self.t, y), X, e.expand_as(X))
                if bool((slope[:, torch.arange(X.shape[1]) != k] != 0).any()):
                    return False
            return True
        return self.noises == 1 and len(self.states) == 1

    @property
    def commutator(self) -> tuple[int, int, int, str] | None:
        """The first (i, j, k) with Lj B_ik != Lk B_ij, and the difference at some member."""
        if self.diagonal:
            return None
        L, tolerance = self.evaluator.L_diffusion, torch.finfo(self.x[0].dtype).eps ** 0.5
        for j in range(self.noises):
            for k in range(j + 1, self.noises):
                pairs = zip(L(self.t, self.x, j, k), L(self.t, self.x, k, j), strict=True)
                for i, (jk, kj) in enumerate(pairs):
                    gap = (jk - kj).abs()
                    if bool((gap > tolerance * (1 + jk.abs() + kj.abs())).any()):
                        return i, j, k, f"{float(gap.nan_to_num().max()):.3g}"
        return None

    def __getattr__(self, name: str) -> Any:
        raise InputError(
            f"scheme={self.sde.scheme!r} is not for the noise of these functions, or wants their {name} in symbols; "
            f"use scheme='euler', or declare the SDE with ItoProcess"
        )
