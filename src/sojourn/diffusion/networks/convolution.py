"""3x3 convolutions of stride 1 with zeros around.

out_o = bias_o + sum_i weight_oi * x_i

`F.conv2d` is the definition. On a CPU, channels-last images in float32 go through `kernels/winograd.py`, forwards and
backwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.diffusion.networks.layout import LANES, gradients, kernels_take, to_array, to_image, to_pixels
from sojourn.kernels import winograd as kernel

_FEWEST = 256  # pixels from which transforming the weights pays
_G = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_GG = torch.kron(_G, _G)  # (16, 9): G g G^T as one product


class Convolution(nn.Conv2d):
    """nn.Conv2d(inputs, outputs, 3, padding=1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        whole = self.weight.shape[0] % LANES == 0 and input.numel() >= _FEWEST * input.shape[1]
        if whole and kernels_take(input, self.weight, self.bias):
            return _Kernel.apply(input, self.weight, self.bias)  # type: ignore[return-value]
        return _plain(input, self.weight, self.bias)


def _plain(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x, weight, bias, padding=1)


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x, weight, bias):
        ctx.save_for_backward(x, weight, bias)
        return to_image(kernel.convolve(to_pixels(x), _transformed(weight), to_array(bias)))

    @staticmethod
    def backward(ctx: Any, gradient):  # type: ignore[override]
        x, weight, bias = ctx.saved_tensors
        if torch.is_grad_enabled():  # someone will differentiate again
            return tuple(gradients(_plain, (x, weight, bias), gradient, ctx.needs_input_grad))
        dx = dweight = None
        pixels = to_pixels(gradient)
        if ctx.needs_input_grad[0]:
            turned = _transformed(weight.flip(2, 3).transpose(0, 1))
            dx = to_image(kernel.convolve(pixels, turned, to_array(x.new_zeros(x.shape[1]))))
        if ctx.needs_input_grad[1]:
            places = torch.from_numpy(kernel.weight_gradient(to_pixels(x), pixels)).sum(0)
            dweight = (_GG.T @ places.flatten(1)).view(3, 3, *places.shape[1:]).permute(3, 2, 0, 1)
        return dx, dweight, gradient.sum((0, 2, 3))


def _transformed(weight: Tensor):
    """G g G^T as the kernel wants it: (16, outputs / 16, inputs, 16)."""
    outputs, inputs = weight.shape[:2]
    g = weight.detach().permute(2, 3, 0, 1).reshape(9, -1)
    return to_array((_GG @ g).view(16, outputs // LANES, LANES, inputs).transpose(2, 3))
