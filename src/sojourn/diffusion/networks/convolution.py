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


class Convolution(nn.Conv2d):
    """nn.Conv2d(inputs, outputs, 3, padding=1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        whole = self.weight.shape[0] % LANES == 0 and input.numel() >= _FEWEST * input.shape[1]
        half = torch.is_autocast_enabled("cpu")  # in bfloat16 oneDNN is as fast
        if whole and not half and kernels_take(input, self.weight, self.bias):
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
        dx = dweight = dbias = None
        pixels = to_pixels(gradient)
        if ctx.needs_input_grad[0]:
            turned = kernel.transform(to_pixels(weight), turned=True)
            dx = to_image(kernel.convolve(pixels, turned, to_array(x.new_zeros(x.shape[1]))))
        if any(ctx.needs_input_grad[1:]):
            of_weight, of_bias = kernel.weight_gradient(to_pixels(x), pixels)
            dweight, dbias = to_image(of_weight), torch.from_numpy(of_bias)
        return dx, dweight, dbias


def _transformed(weight: Tensor):
    return kernel.transform(to_array(weight.detach().permute(1, 2, 3, 0)))
