"""A residual network for data of low dimension; smooth, so its divergence and second derivatives exist.

h_0 = A x,   h_{k+1} = h_k + B_k SiLU(C_k SiLU(h_k) + D_k e),   output = E SiLU(h_depth),   e the embedding of t.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.diffusion.networks.conditions import Condition, ConditionEmbedding, Image, check_input, check_shape
from sojourn.diffusion.networks.embeddings import TimeEmbedding
from sojourn.errors import InputError


class MLP(nn.Module):
    """A residual multilayer perceptron on data of any shape, flattened.

    Args:
        shape: of one datum.
        width: of the hidden vectors; even.
        depth: residual blocks.
        outputs: 1, or 2 with the variance's fraction.
        condition: Classes(...), Vector(...) or None.

    Raises:
        InputError: an impossible shape, width, depth or condition.
    """

    def __init__(
        self, shape: tuple[int, ...], width: int = 128, *, depth: int = 3, outputs: int = 1, condition: Condition = None
    ) -> None:
        super().__init__()
        self.shape, self.outputs = check_shape(shape, outputs, image=False), outputs
        if width < 4 or width % 2 or depth < 1:
            raise InputError(
                f"width={width}, depth={depth}: the width must be even and at least 4, the depth at least 1"
            )
        if isinstance(condition, Image):
            raise InputError(f"condition={condition} needs a UNet or a DiT; an MLP takes Classes or Vector")
        size = math.prod(self.shape)
        self.time, self.condition = TimeEmbedding(width, width), ConditionEmbedding(condition, width)
        self.first, self.last = nn.Linear(size, width), nn.Linear(width, outputs * size)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        check_input(self.shape, x, t)
        e = self.time(t) + self.condition(x, condition)
        h = self.first(x.flatten(1))
        for block in self.blocks:
            h = block(h, e)
        return self.last(F.silu(h)).view(len(x), self.outputs * self.shape[0], *self.shape[1:])


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.time, self.outer = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        return h + self.outer(F.silu(self.inner(F.silu(h)) + self.time(e)))
