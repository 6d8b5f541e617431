"""A diffusion transformer with adaLN-Zero blocks: patches are tokens, time and condition set scales, shifts and gates.

h <- h + g_1 Attention((1 + s_1) LayerNorm(h) + b_1),   h <- h + g_2 MLP((1 + s_2) LayerNorm(h) + b_2)

with (b, s, g)_1, (b, s, g)_2 = Linear(SiLU(e)), zero at the start, so that every block starts as the identity.
"""

from __future__ import annotations

from typing import Any

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
from sojourn.diffusion.networks.embeddings import TimeEmbedding, sinusoids
from sojourn.errors import InputError

_TIME_WIDTH = 256  # sinusoids of the time


class DiT(nn.Module):
    """The transformer of Peebles and Xie (2023), adaLN-Zero.

    DiT-S/2 of the paper is DiT((4, 32, 32), patch=2, width=384, depth=12, heads=6, outputs=2, condition=Classes(1000)).

    Args:
        shape: (channels, height, width) of one datum.
        patch: side of a patch; divides height and width.
        width: of a token; a multiple of 4 and of `heads`.
        depth: blocks.
        heads: of attention.
        outputs: 1, or 2 with the variance's fraction.
        condition: Classes(...), Vector(...), Image(...) or None.

    Raises:
        InputError: an impossible shape, patch, width or condition.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        patch: int = 2,
        *,
        width: int = 192,
        depth: int = 6,
        heads: int = 6,
        outputs: int = 1,
        condition: Condition = None,
    ) -> None:
        super().__init__()
        self.shape, self.outputs, self.patch = check_shape(shape, outputs, image=True), outputs, patch
        channels, height, across = self.shape
        if patch < 1 or height % patch or across % patch:
            raise InputError(f"patch={patch} does not divide {height} x {across}; choose one that does")
        if depth < 1 or heads < 1 or width < 4 or width % 4 or width % heads:
            raise InputError(f"width={width}, depth={depth}, heads={heads}: width is a multiple of 4 and of heads")
        self.time, self.condition = TimeEmbedding(_TIME_WIDTH, width, shift=0), ConditionEmbedding(condition, width)
        self.embed = nn.Linear((channels + joined_channels(condition)) * patch**2, width)
        positions = _positions(height // patch, across // patch, width).to(torch.get_default_dtype())
        self.register_buffer("positions", positions, persistent=False)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.modulate, self.last = nn.Linear(width, 2 * width), nn.Linear(width, outputs * channels * patch**2)
        self._start()

    def _start(self) -> None:
        block: Any
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in (self.time.first, self.time.second):
            nn.init.normal_(layer.weight, std=0.02)
        for layer in (self.modulate, self.last):
            nn.init.zeros_(layer.weight)
        for block in self.blocks:
            nn.init.zeros_(block.modulate.weight)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        check_input(self.shape, x, t)
        e = F.silu(self.time(t) + self.condition(x, condition))
        h = self.embed(_to_patches(join(self.condition.kind, x, condition), self.patch)) + self.positions
        for block in self.blocks:
            h = block(h, e)
        shift, scale = self.modulate(e)[:, None].chunk(2, -1)
        h = self.last(_normalised(h) * (1 + scale) + shift)
        return _from_patches(h, self.patch, self.shape[1:])


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.modulate = nn.Linear(width, 6 * width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = self.modulate(e)[:, None].chunk(6, -1)
        q, k, v = (
            z.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for z in self.qkv(_normalised(h) * (1 + scale_1) + shift_1).chunk(3, -1)
        )
        h = h + gate_1 * self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        inner = F.gelu(self.wide(_normalised(h) * (1 + scale_2) + shift_2), approximate="tanh")
        return h + gate_2 * self.narrow(inner)


def _normalised(h: Tensor) -> Tensor:
    return F.layer_norm(h, h.shape[-1:], eps=1e-6)


def _to_patches(x: Tensor, p: int) -> Tensor:
    """(n, c, h, w) -> (n, h/p w/p, c p p)."""
    return F.pixel_unshuffle(x, p).flatten(2).transpose(1, 2)


def _from_patches(tokens: Tensor, p: int, size: tuple[int, ...]) -> Tensor:
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (size[0] // p, size[1] // p)), p)


def _positions(rows: int, columns: int, width: int) -> Tensor:
    """(rows columns, width): sinusoids of the column, then of the row."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    halves = [sinusoids(place.flatten(), width // 2, shift=0) for place in (column, row)]
    return torch.cat(halves, 1)
