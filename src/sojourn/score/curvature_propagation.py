"""Curvature propagation: an unbiased estimate of the trace of a Hessian from one pass back through a network.

With y = f(a) elementwise and delta the gradient in y, the Hessian in a is f' H_y f' + diag(f'' delta). So pairs with
E U V^T = H are carried back from U = V = 0 at the end:
    U_a = f' U_y + |f'' delta|^(1/2) e,   V_a = f' V_y + sign(f'' delta) |f'' delta|^(1/2) e,   e of random signs
and through linear layers like gradients. Then E U . V = tr H at the input.

Source: Martens, Sutskever and Swersky, Estimating the Hessian by back-propagating curvature (2012).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score.derivatives import DensityScore, call

Derivatives = Callable[[Tensor], tuple[Tensor, Tensor]]


def hessian_trace(
    score: DensityScore, x: Tensor, *, noise: Noise, step: int = 0, condition: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The score (n, *shape), exact, and an estimate of tr grad s, (n,); both differentiable in the weights.

    Raises:
        InputError: the log density is not made of linear maps and tanh, sigmoid, softplus, SiLU, exp or squares.
    """
    signs = _Signs(noise, step, len(x))
    stack = torch.cat((x, x, x)).requires_grad_()
    given = None if condition is None else torch.cat((condition, condition, condition))
    value = call(score.log_density, _Carried.of(stack, signs), given).as_subclass(Tensor)
    start = torch.cat((torch.ones_like(value[: len(x)]), torch.zeros_like(value[len(x) :])))
    (found,) = torch.autograd.grad(value, stack, start, create_graph=torch.is_grad_enabled())
    s, u, v = found.chunk(3)
    return s, (u * v).flatten(1).sum(1)


class _Signs:
    """Random signs for each nonlinearity in turn, one for every number of a datum."""

    def __init__(self, noise: Noise, step: int, n: int) -> None:
        self.noise, self.step, self.n, self.count = noise.split("curvature"), step, n, 0

    def next(self, like: Tensor) -> Tensor:
        self.count += 1
        words = self.noise.split(self.count).words(self.step, self.n, tuple(like.shape[1:]), like.device)
        return (words & 1).to(like.dtype) * 2 - 1


class _Elementwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, value: Tensor, derivatives: Derivatives, signs: Tensor) -> Tensor:
        ctx.save_for_backward(a, signs)
        ctx.derivatives = derivatives
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # type: ignore[override]
        a, signs = ctx.saved_tensors
        first, second = ctx.derivatives(a)
        delta = gradient.chunk(3)[0]
        bend = second.chunk(3)[0] * delta
        size = torch.where(bend == 0, 1, bend.abs())  # whose root has a slope
        kick = torch.where(bend == 0, 0, size.sqrt()) * signs
        return first * gradient + torch.cat((torch.zeros_like(kick), kick, bend.sign() * kick)), None, None, None


class _Carried(Tensor):
    """What depends on the stacked input: it refuses what is neither linear nor elementwise."""

    signs: _Signs

    @staticmethod
    def of(z: Tensor, signs: _Signs) -> _Carried:
        found = z.as_subclass(_Carried)
        found.signs = signs
        return found

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = [z for z in _flat((args, kwargs)) if isinstance(z, _Carried)]
        name = getattr(func, "__name__", str(func))
        signs = found[0].signs
        with torch._C.DisableTorchFunctionSubclass():
            if name == "__get__" or name in ("size", "dim", "__len__"):
                out = func(*args, **kwargs)
                return _Carried.of(out, signs) if isinstance(out, Tensor) else out  # .T and its like
            if name in _CURVED and args and isinstance(args[0], _Carried):
                a = args[0].as_subclass(Tensor)
                plain = func(a.detach(), *args[1:], **kwargs)
                out = _Elementwise.apply(a, plain, _curved(name, args[1:], kwargs), signs.next(a[: signs.n]))
                return _Carried.of(out, signs)  # type: ignore[arg-type]
            product = name in _PRODUCTS and len(found) == 1
            quotient = name in _QUOTIENTS and len(found) == 1 and isinstance(args[0], _Carried)
            if name in _LINEAR or product or quotient:
                out = func(*args, **kwargs)
                return tuple(_Carried.of(z, signs) for z in out) if isinstance(out, tuple) else _Carried.of(out, signs)
        raise InputError(
            f"curvature propagation knows no rule for {name}; make the log density of linear maps and "
            f"{', '.join(sorted(_CURVED))}"
        )


def _flat(z: Any) -> list[Any]:
    if isinstance(z, dict):
        z = tuple(z.values())
    return [y for part in z for y in _flat(part)] if isinstance(z, (tuple, list)) else [z]


def _curved(name: str, rest: tuple, kwargs: dict) -> Derivatives:
    if name == "softplus" and (beta := (*rest, kwargs.get("beta", 1))[0]) != 1:
        raise InputError(f"softplus with beta={beta}: curvature propagation knows beta=1")
    if name == "pow" and rest != (2,):
        raise InputError(f"pow{rest}: curvature propagation knows squares alone")
    return _CURVED[name]


def _of_tanh(a: Tensor) -> tuple[Tensor, Tensor]:
    y = torch.tanh(a)
    return 1 - y * y, -2 * y * (1 - y * y)


def _of_sigmoid(a: Tensor) -> tuple[Tensor, Tensor]:
    s = torch.sigmoid(a)
    return s * (1 - s), s * (1 - s) * (1 - 2 * s)


def _of_softplus(a: Tensor) -> tuple[Tensor, Tensor]:
    s = torch.sigmoid(a)
    return s, s * (1 - s)


def _of_silu(a: Tensor) -> tuple[Tensor, Tensor]:
    s = torch.sigmoid(a)
    return s * (1 + a * (1 - s)), s * (1 - s) * (2 + a * (1 - 2 * s))


def _of_exp(a: Tensor) -> tuple[Tensor, Tensor]:
    return torch.exp(a), torch.exp(a)


def _of_square(a: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * a, torch.full_like(a, 2)


def _of_log_sigmoid(a: Tensor) -> tuple[Tensor, Tensor]:
    s = torch.sigmoid(-a)
    return s, -s * (1 - s)


_CURVED: dict[str, Derivatives] = {
    "tanh": _of_tanh,
    "sigmoid": _of_sigmoid,
    "softplus": _of_softplus,
    "silu": _of_silu,
    "exp": _of_exp,
    "square": _of_square,
    "pow": _of_square,
    "log_sigmoid": _of_log_sigmoid,
}
_LINEAR = {
    "add", "sub", "rsub", "neg", "sum", "mean", "cat", "stack", "reshape", "view", "flatten", "unflatten", "squeeze",
    "unsqueeze", "transpose", "permute", "movedim", "chunk", "split", "flip", "roll", "__getitem__", "pad", "clone",
    "contiguous", "to", "double", "float", "__rsub__", "__radd__", "positive", "expand",
}  # fmt: skip
_PRODUCTS = {"mul", "__rmul__", "matmul", "mm", "linear", "conv1d", "conv2d", "addmm"}
_QUOTIENTS = {"div", "true_divide", "__truediv__"}
