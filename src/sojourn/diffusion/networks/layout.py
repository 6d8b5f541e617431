"""Channels-last images, and handing them to Numba kernels and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

LANES = 16  # kernels take channels in whole vectors


def channels_last(x: Tensor) -> Tensor:
    """x (n, c, h, w) in that order of memory, in a way that torch.func's transforms know."""
    return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def kernels_take(x: Tensor, *others: Tensor | None) -> bool:
    """Whether kernels may read these: float32 on the CPU, x channels-last with whole vectors of channels."""
    return (
        x.device.type == "cpu"
        and not torch._C._are_functorch_transforms_active()  # their tensors have no memory to read
        and all(z is None or z.dtype == torch.float32 for z in (x, *others))
        and x.shape[1] % LANES == 0
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
    )


def to_array(x: Tensor) -> np.ndarray:
    """The numbers of a tensor, contiguous."""
    return x.detach().contiguous().numpy()


def to_pixels(x: Tensor) -> np.ndarray:
    """(n, h, w, c) of an image (n, c, h, w)."""
    return to_array(x.detach().permute(0, 2, 3, 1))


def to_image(pixels: np.ndarray) -> Tensor:
    """(n, c, h, w), channels-last, of (n, h, w, c)."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def gradients(plain: Callable[..., Tensor], inputs: tuple[Tensor | None, ...], gradient: Tensor, needed: Any) -> list:
    """Gradients of plain(*inputs) that can be differentiated again, None where not needed."""
    wanted = [z for z, wants in zip(inputs, needed, strict=True) if wants and z is not None]
    found = iter(torch.autograd.grad(plain(*inputs), wanted, gradient, create_graph=True))
    return [next(found) if wants else None for wants in needed]
