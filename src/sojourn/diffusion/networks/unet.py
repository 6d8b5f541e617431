"""The U-Net of Ho, Jain and Abbeel (2020): residual blocks told the time, attention at chosen sizes, skips.

block:      h = x;  x + Conv(SiLU(Norm(Conv(SiLU(Norm(h))) + Linear(SiLU(e)))))        e the embedding of t
attention:  x + Linear(softmax(q k^T / sqrt(c)) v),   q, k, v = Linear(Norm(x)) at every pixel
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.diffusion.networks.conditions import (
    Condition,
    ConditionEmbedding,
    check_input,
    check_shape,
    join,
    joined_channels,
)
from sojourn.diffusion.networks.convolution import Convolution
from sojourn.diffusion.networks.embeddings import TimeEmbedding
from sojourn.diffusion.networks.layout import channels_last
from sojourn.diffusion.networks.normalise import group_norm, group_norm_silu
from sojourn.diffusion.networks.parts import Dropout, in_parts
from sojourn.errors import InputError


class Details(NamedTuple):
    """What two families of U-Nets do differently.

    shift: of the time's frequencies (`embeddings.sinusoids`). epsilon: added to variances. padding: zeros before the
    first and after the last row and column where the size is halved.
    """

    shift: int
    epsilon: float
    padding: tuple[int, int]


DETAILS = {"ho": Details(1, 1e-6, (0, 1)), "diffusers": Details(0, 1e-5, (1, 1))}


_FEW_PIXELS = 256  # whose table of attention weights is small


class UNet(nn.Module):
    """Ho's U-Net; UNet((3, 32, 32)) is that of the paper for CIFAR-10, of 35.7 million parameters.

    Weights and activations lie in channels-last order, in which convolutions are fastest. On a CPU threads take parts
    of the members, see `parts`.

    Args:
        shape: (channels, height, width) of one datum.
        width: channels at full size; even.
        multipliers: of the width, one for each size; every next size is half the one before.
        blocks: residual blocks a size on the way down; one more on the way up.
        attention: heights at which blocks are followed by attention; the smallest size has it in the middle anyway.
        head_channels: channels of a head of attention; None for one head of all.
        dropout: in residual blocks.
        outputs: 1, or 2 with the variance's fraction.
        condition: Classes(...), Vector(...), Image(...) or None.
        details: "ho", or "diffusers" for what that library's UNet2DModel has by default.

    Raises:
        InputError: a shape that cannot be halved, an impossible width, an unknown choice.
    """

    brings_threads = True  # see `diffusion/modes.py`

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 128,
        *,
        multipliers: tuple[int, ...] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: tuple[int, ...] = (16,),
        head_channels: int | None = None,
        dropout: float = 0.1,
        outputs: int = 1,
        condition: Condition = None,
        details: Literal["ho", "diffusers"] = "ho",
    ) -> None:
        super().__init__()
        self.shape, self.outputs = check_shape(shape, outputs, image=True), outputs
        self.width, self.multipliers, self.blocks = width, tuple(multipliers), blocks
        self.attention, self.head_channels = tuple(attention), head_channels
        self.dropout, self.details = dropout, details
        self._check()
        channels = [width * m for m in self.multipliers]
        heights = [self.shape[1] >> k for k in range(len(channels))]
        attentive = [height in self.attention for height in heights]

        self.time = TimeEmbedding(width, 4 * width, shift=DETAILS[details].shift)
        self.condition = ConditionEmbedding(condition, 4 * width)
        self.first = Convolution(self.shape[0] + joined_channels(condition), width)
        c, skips = width, [width]
        self.down = nn.ModuleList()
        for k, out in enumerate(channels):
            last = k == len(channels) - 1
            inputs = [c] + [out] * (blocks - 1)
            self.down.append(_Level(inputs, out, self, [attentive[k]] * blocks, None if last else _Halve(self, out)))
            skips += [out] * (blocks + (not last))
            c = out
        self.middle = _Level([c, c], c, self, [True, False], None)
        self.up = nn.ModuleList()
        for k, out in reversed(list(enumerate(channels))):
            inputs = [(c if j == 0 else out) + skips.pop() for j in range(blocks + 1)]
            self.up.append(_Level(inputs, out, self, [attentive[k]] * (blocks + 1), _Double(out) if k else None))
            c = out
        self.norm, self.last = _norm(self, c), Convolution(c, outputs * self.shape[0])
        self._start()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        check_input(self.shape, x, t)
        random = self.training and self.dropout > 0
        return in_parts(self._whole, (x, t, condition), tuple(self.parameters()), random=random)

    def _whole(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        e = F.silu(self.time(t) + self.condition(x, condition))
        x = join(self.condition.kind, x, condition)
        h = channels_last(self.first(channels_last(x)))
        skips = [h]
        level: Any
        for level in self.down:
            for block, attention in zip(level.blocks, level.attentions, strict=True):
                h = attention(block(h, e))
                skips.append(h)
            if level.resize is not None:
                h = level.resize(h)
                skips.append(h)
        for block, attention in zip(self.middle.blocks, self.middle.attentions, strict=True):
            h = attention(block(h, e))
        for level in self.up:
            for block, attention in zip(level.blocks, level.attentions, strict=True):
                h = attention(block(torch.cat((h, skips.pop()), 1), e))
            if level.resize is not None:
                h = level.resize(h)
        return self.last(group_norm_silu(h, self.norm))

    def _check(self) -> None:
        halvings = len(self.multipliers) - 1
        if halvings < 0 or min(self.multipliers) < 1 or self.blocks < 1 or self.width < 4 or self.width % 2:
            raise InputError(
                f"width={self.width}, multipliers={self.multipliers}, blocks={self.blocks}: the width is even and at "
                "least 4, the others at least 1"
            )
        if any(side % 2**halvings for side in self.shape[1:]):
            raise InputError(
                f"shape={self.shape} cannot be halved {halvings} times; pad it, or give fewer multipliers than "
                f"{len(self.multipliers)}"
            )
        heights = [self.shape[1] >> k for k in range(halvings + 1)]
        missing = [height for height in self.attention if height not in heights]
        if missing and self.attention != (16,):  # the default means "at 16, where there is that size"
            raise InputError(f"attention={self.attention}: {missing[0]} is not among the heights {heights}")
        if self.head_channels is not None and (self.head_channels < 1 or self.width % self.head_channels):
            raise InputError(f"head_channels={self.head_channels} does not divide width={self.width}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout} is not in [0, 1)")
        if self.details not in DETAILS:
            raise InputError(f"details={self.details!r} is none of {', '.join(map(repr, DETAILS))}")

    def _start(self) -> None:
        """Weights uniform with variance 2 / (inputs + outputs), biases zero; the last layer of every branch is zero."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for module in self.modules():
            if isinstance(module, _Block):
                nn.init.zeros_(module.second.weight)
            elif isinstance(module, _Attention):
                nn.init.zeros_(module.out.weight)
        nn.init.zeros_(self.last.weight)


class _Level(nn.Module):
    """Blocks of one size, each with its attention or nothing, and what changes the size after them."""

    def __init__(
        self, inputs: list[int], out: int, net: UNet, attentive: list[bool], resize: _Halve | _Double | None
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(net, c, out) for c in inputs)
        self.attentions = nn.ModuleList(_Attention(net, out) if here else nn.Identity() for here in attentive)
        self.resize = resize


class _Block(nn.Module):
    def __init__(self, net: UNet, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm_1, self.first = _norm(net, inputs), Convolution(inputs, outputs)
        self.time = nn.Linear(4 * net.width, outputs)
        self.norm_2, self.second = _norm(net, outputs), Convolution(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.drop = Dropout(net.dropout)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.first(group_norm_silu(x, self.norm_1))
        h = self.second(self.drop(group_norm_silu(h, self.norm_2, shift=self.time(e))))
        return self.shortcut(x) + h


class _Attention(nn.Module):
    def __init__(self, net: UNet, channels: int) -> None:
        super().__init__()
        self.heads = channels // (net.head_channels or channels)
        self.norm, self.qkv, self.out = (
            _norm(net, channels),
            nn.Linear(channels, 3 * channels),
            nn.Linear(channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        pixels = group_norm(x, self.norm).permute(0, 2, 3, 1).flatten(1, 2)
        q, k, v = (z.unflatten(-1, (self.heads, -1)).transpose(1, 2) for z in self.qkv(pixels).chunk(3, -1))
        found = self.out(_attend(q, k, v).transpose(1, 2).flatten(2))
        return x + found.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(c)) v for (n, heads, pixels, c); with few pixels on a CPU as products: faster there."""
    if q.device.type == "cpu" and q.shape[2] <= _FEW_PIXELS:
        return torch.softmax(q * q.shape[3] ** -0.5 @ k.mT, -1) @ v
    return F.scaled_dot_product_attention(q, k, v)


class _Halve(nn.Module):
    def __init__(self, net: UNet, channels: int) -> None:
        super().__init__()
        self.padding = DETAILS[net.details].padding
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, self.padding * 2))


class _Double(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def norm_groups(width: int) -> int:
    """Groups of the normalisations: 32, or the greatest power of two below that divides the width."""
    return math.gcd(32, width)


def _norm(net: UNet, channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(norm_groups(net.width), channels, eps=DETAILS[net.details].epsilon)
