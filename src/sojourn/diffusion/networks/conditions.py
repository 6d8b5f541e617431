"""What a network may be told beside x and t, and what it sees where it is told nothing.

Classes and vectors are embedded and added to the time's embedding; "none" has an embedding of its own, which is learned
when conditions are dropped in training. Images join the input as channels, with one more that is 1 where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sojourn.errors import InputError


@dataclass(frozen=True)
class Classes:
    """Labels 0, ..., count - 1, int64 (n,); -1 is "none"."""

    count: int


@dataclass(frozen=True)
class Vector:
    """Vectors of `size` numbers, (n, size), best of order 1; a row with a NaN is "none"."""

    size: int


@dataclass(frozen=True)
class Image:
    """Images (n, channels, height, width) of the datum's size; one with a NaN is "none"."""

    channels: int


Condition = Classes | Vector | Image | None


class ConditionEmbedding(nn.Module):
    """(n, width) for a condition of the kind `kind`; zero for images, which `join` adds to the input."""

    def __init__(self, kind: Condition, width: int) -> None:
        super().__init__()
        self.kind, self.width = kind, width
        if isinstance(kind, Classes):
            self.table = nn.Embedding(kind.count + 1, width)  # the last row is "none"
            nn.init.normal_(self.table.weight, std=0.02)
        elif isinstance(kind, Vector):
            self.layers = nn.Sequential(nn.Linear(kind.size, width), nn.SiLU(), nn.Linear(width, width))
            self.none = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor | float:
        """What is added to the time's embedding."""
        check(self.kind, x, condition)
        if isinstance(self.kind, Classes):
            none = self.kind.count
            if condition is None:
                return self.table.weight[none].expand(len(x), -1)
            return self.table(torch.where(condition < 0, none, condition))
        if isinstance(self.kind, Vector):
            if condition is None:
                return self.none.expand(len(x), -1)
            given = condition.isfinite().all(1, keepdim=True)
            return torch.where(given, self.layers(torch.where(given, condition, 0).to(self.none.dtype)), self.none)
        return 0.0


def join(kind: Condition, x: Tensor, condition: Tensor | None) -> Tensor:
    """x, followed by an image condition's channels and their mask."""
    if not isinstance(kind, Image):
        return x
    if condition is None:
        return torch.cat((x, x.new_zeros(len(x), kind.channels + 1, *x.shape[2:])), 1)
    given = condition.isfinite().all(dim=(1, 2, 3), keepdim=True)
    mask = given.to(x.dtype).expand(-1, 1, *x.shape[2:])
    return torch.cat((x, torch.where(given, condition, 0).to(x.dtype), mask), 1)


def joined_channels(kind: Condition) -> int:
    """How many channels `join` adds."""
    return kind.channels + 1 if isinstance(kind, Image) else 0


def check(kind: Condition, x: Tensor, condition: Tensor | None) -> None:
    """InputError unless the condition is of this kind."""
    if condition is None:
        return
    if kind is None:
        raise InputError("a condition was given to a network that takes none; make it with condition=Classes(...)")
    if isinstance(kind, Classes):
        if condition.shape != (len(x),) or condition.dtype != torch.int64:
            raise _wrong(kind, condition, f"int64 of shape {(len(x),)}")
        # Python numbers cannot be had under torch.func's transforms, nor from a GPU without waiting.
        if condition.device.type == "cpu" and len(condition) and not torch._C._are_functorch_transforms_active():
            low, high = int(condition.min()), int(condition.max())
            if low < -1 or high >= kind.count:
                raise InputError(
                    f"label {low if low < -1 else high} is not among 0..{kind.count - 1} nor -1 for none; "
                    f"make the network with condition=Classes({high + 1}) or more"
                )
        return
    shape = (len(x), kind.size) if isinstance(kind, Vector) else (len(x), kind.channels, *x.shape[2:])
    if condition.shape != shape or not condition.is_floating_point():
        raise _wrong(kind, condition, f"floating numbers of shape {shape}")


def _wrong(kind: Condition, condition: Tensor, wanted: str) -> InputError:
    return InputError(f"the condition is {condition.dtype} of shape {tuple(condition.shape)}; {kind} takes {wanted}")


def check_input(shape: tuple[int, ...], x: Tensor, t: Tensor) -> None:
    """InputError unless x is (n, *shape) and t is (n,)."""
    if x.shape[1:] != shape:
        raise InputError(f"x has shape {tuple(x.shape)}; this network takes (n, {', '.join(map(str, shape))})")
    if t.shape != x.shape[:1]:
        raise InputError(f"t has shape {tuple(t.shape)}; give one time for each of the {len(x)} data")


def check_shape(shape: tuple[int, ...], outputs: int, *, image: bool) -> tuple[int, ...]:
    """The shape as a tuple; InputError unless it can be that of a datum."""
    shape = tuple(shape)
    if image and len(shape) != 3:
        raise InputError(f"shape={shape} is not (channels, height, width)")
    if not shape or min(shape) < 1:
        raise InputError(f"shape={shape} is not the shape of a datum; give whole numbers above zero")
    if outputs not in (1, 2):
        raise InputError(f"outputs={outputs} is neither 1 (the prediction) nor 2 (with the variance's fraction)")
    return shape
