"""Group normalisation, alone and followed by SiLU.

z_c = weight_c (y_c - mean_g) / sqrt(variance_g + epsilon) + bias_c,   y = x + shift,   SiLU(z) = z / (1 + exp(-z))

`plain` is the definition. On a CPU, channels-last images in float32 go through `kernels/group_norm.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.diffusion.networks.layout import gradients, kernels_take, to_array, to_image, to_pixels
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
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):  # which means float32 here: F.group_norm's choice
        x, shift = x.float(), None if shift is None else shift.float()
    fits = kernels_take(x, shift, norm.weight, norm.bias)
    return (_Kernel.apply if fits else plain)(x, shift, norm.weight, norm.bias, norm.num_groups, norm.eps, silu)  # type: ignore[return-value]


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x, shift, weight, bias, groups, epsilon, silu):
        given = x.new_zeros(x.shape[:2]) if shift is None else shift
        arrays = map(to_array, (given, weight, bias))
        out, mean, rstd = kernel.forward(to_pixels(x), *arrays, groups=groups, epsilon=epsilon, silu=silu)
        ctx.save_for_backward(x, shift, weight, bias, torch.from_numpy(mean), torch.from_numpy(rstd))
        ctx.settings = groups, epsilon, silu
        return to_image(out)

    @staticmethod
    def backward(ctx: Any, gradient):  # type: ignore[override]
        x, shift, weight, bias, mean, rstd = ctx.saved_tensors
        if torch.is_grad_enabled():  # someone will differentiate again
            inputs, needed = (x, shift, weight, bias), ctx.needs_input_grad[:4]
            return *gradients(lambda *z: plain(*z, *ctx.settings), inputs, gradient, needed), None, None, None
        given = x.new_zeros(x.shape[:2]) if shift is None else shift
        arrays = map(to_array, (given, weight, bias, mean, rstd))
        dx, *others = kernel.backward(to_pixels(gradient), to_pixels(x), *arrays, silu=ctx.settings[2])
        dshift, dweight, dbias = map(torch.from_numpy, others)
        return to_image(dx), None if shift is None else dshift, dweight.sum(0), dbias.sum(0), None, None, None
