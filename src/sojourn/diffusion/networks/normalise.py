"""Group normalisation, alone and followed by SiLU.

z_c = weight_c (y_c - mean_g) / sqrt(variance_g + epsilon) + bias_c,   y = x + shift,   SiLU(z) = z / (1 + exp(-z))

`plain` is the definition. On a CPU, channels-last images in float32 go through `kernels/group_norm.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.kernels import group_norm as kernel


def group_norm(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    """z for x (n, c, h, w), without a shift."""
    return _chosen(x, None, norm, False)


def group_norm_silu(x: Tensor, norm: nn.GroupNorm, *, shift: Tensor | None = None) -> Tensor:
    """SiLU(z) for x (n, c, h, w) and shift (n, c)."""
    return _chosen(x, shift, norm, True)


def plain(
    x: Tensor, shift: Tensor | None, weight: Tensor, bias: Tensor, groups: int, epsilon: float, silu: bool
) -> Tensor:
    """z or SiLU(z), with PyTorch's own operations."""
    y = x if shift is None else x + shift[:, :, None, None]
    z = F.group_norm(y, groups, weight, bias, epsilon)
    return F.silu(z) if silu else z


def _chosen(x: Tensor, shift: Tensor | None, norm: nn.GroupNorm, silu: bool) -> Tensor:
    arguments = (x, shift, norm.weight, norm.bias, norm.num_groups, norm.eps, silu)
    suits = (
        x.device.type == "cpu"
        and all(z is None or z.dtype == torch.float32 for z in arguments[:4])
        and x.shape[1] % kernel.LANES == 0
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch._C._are_functorch_transforms_active()  # their tensors have no memory to read
    )
    return _Kernel.apply(*arguments) if suits else plain(*arguments)  # type: ignore[return-value]


class _Kernel(torch.autograd.Function):
    """Second derivatives go through `plain`."""

    @staticmethod
    def forward(ctx: Any, x, shift, weight, bias, groups, epsilon, silu):
        given = x.new_zeros(len(x), x.shape[1]) if shift is None else shift
        out, mean, rstd = kernel.forward(
            _pixels(x), *map(_array, (given, weight, bias)), groups=groups, epsilon=epsilon, silu=silu
        )
        ctx.save_for_backward(x, shift, weight, bias, torch.from_numpy(mean), torch.from_numpy(rstd))
        ctx.settings = groups, epsilon, silu
        return _image(out, x)

    @staticmethod
    def backward(ctx: Any, gradient):  # type: ignore[override]
        x, shift, weight, bias, mean, rstd = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_plain_gradients(gradient, (x, shift, weight, bias), ctx.settings, ctx.needs_input_grad), *[
                None
            ] * 3
        given = x.new_zeros(len(x), x.shape[1]) if shift is None else shift
        found = kernel.backward(
            _pixels(gradient), _pixels(x), *map(_array, (given, weight, bias, mean, rstd)), silu=ctx.settings[2]
        )
        dx, dshift, dweight, dbias = _image(found[0], x), *map(torch.from_numpy, found[1:])
        return dx, None if shift is None else dshift, dweight.sum(0), dbias.sum(0), None, None, None


def _plain_gradients(gradient, inputs, settings, needed):
    wanted = [z for z, wants in zip(inputs, needed, strict=False) if wants]
    found = iter(torch.autograd.grad(plain(*inputs, *settings), wanted, gradient, create_graph=True))
    return [next(found) if wants else None for wants in needed[: len(inputs)]]


def _array(x: Tensor):
    return x.detach().contiguous().numpy()


def _pixels(x: Tensor):
    """(n, h, w) as one axis, channels last."""
    return x.detach().permute(0, 2, 3, 1).contiguous().flatten(1, 2).numpy()


def _image(pixels, like: Tensor) -> Tensor:
    n, c, h, w = like.shape
    return torch.from_numpy(pixels).view(n, h, w, c).permute(0, 3, 1, 2)
