"""A network on a CPU, a part of the members in each thread, forwards and backwards.

Members do not know of each other, so no thread waits for another before the end, as PyTorch's own must at every
operation. The parts depend on the sizes alone, and their gradients are added in their order: the number of threads
changes no bit.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.diffusion.networks.layout import gradients
from sojourn.kernels.threads import map_quietly

Network = Callable[..., Tensor]
Seeds = list[int | None]
_PIXELS = 2048  # of a part, where there are few; parts grow with the square root of all pixels
_here = threading.local()  # .generator: of the dropout of the part that this thread runs


def in_parts(
    whole: Network, inputs: Sequence[Tensor | None], parameters: Sequence[Tensor], *, random: bool = False
) -> Tensor:
    """whole(*inputs), with gradients.

    Args:
        whole: of inputs (n, ...), the first of them images, and None where one is absent.
        parameters: what else the result depends on.
        random: whether it draws, through `Dropout`.
    """
    images: Any = inputs[0]
    parts = _count(images)
    fits = all(z is None or z.shape[:1] == images.shape[:1] for z in inputs)  # whole says what is wrong
    if parts == 1 or not fits or images.device.type != "cpu" or torch._C._are_functorch_transforms_active():
        return whole(*inputs)
    seeds: Seeds = torch.randint(2**62, (parts,)).tolist() if random else [None] * parts
    asked = any(z is not None and z.requires_grad for z in (*inputs, *parameters))
    if torch.is_grad_enabled() and asked:
        return _Parts.apply(whole, seeds, len(inputs), *inputs, *parameters)  # type: ignore[return-value]

    def run(part: int) -> Tensor:
        return _part(whole, [_rows(z, parts, part) for z in inputs], seeds[part])

    return torch.cat(map_quietly(_settled(run), range(parts)))


class Dropout(nn.Dropout):
    """nn.Dropout; in a part it draws from that part's own numbers."""

    def forward(self, input: Tensor) -> Tensor:
        generator = getattr(_here, "generator", None)
        if generator is None:
            return F.dropout(input, self.p, self.training)
        return input * torch.empty_like(input).bernoulli_(1 - self.p, generator=generator).div_(1 - self.p)


def _count(images: Tensor) -> int:
    """A power of two, at most the members: 2 from 8192 pixels of all members, 4 from 32768, 8 from 131072."""
    pixels = math.prod(images.shape[2:]) * len(images)
    return 1 << int(math.log2(max(1, min(pixels / _PIXELS, len(images) ** 2))) / 2)


def _rows(z: Tensor | None, parts: int, part: int) -> Tensor | None:
    return None if z is None else z[len(z) * part // parts : len(z) * (part + 1) // parts]


def _part(whole: Network, inputs: Sequence[Tensor | None], seed: int | None) -> Tensor:
    _here.generator = None if seed is None else torch.Generator().manual_seed(seed)
    try:
        return whole(*inputs)
    finally:
        _here.generator = None


def _one_by_one(whole: Network, inputs: Sequence[Tensor | None], seeds: Seeds) -> Tensor:
    found = [_part(whole, [_rows(z, len(seeds), part) for z in inputs], seed) for part, seed in enumerate(seeds)]
    return torch.cat(found)


def _settled(work: Callable[[int], Any]) -> Callable[[int], Any]:
    """work under the precision of the thread that asks for it."""
    kind, half = torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")

    def settled(part: int) -> Any:
        with torch.autocast("cpu", kind, enabled=half, cache_enabled=False):
            return work(part)

    return settled


class _Parts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Network, seeds: Seeds, count: int, *tensors: Tensor | None) -> Tensor:
        inputs = tensors[:count]

        def run(part: int) -> tuple[list[Tensor | None], Tensor]:
            mine = [_rows(z, len(seeds), part) for z in inputs]
            mine = [None if z is None else z.detach().requires_grad_(z.requires_grad) for z in mine]
            with torch.enable_grad():
                return mine, _part(whole, mine, seeds[part])

        ctx.whole, ctx.seeds, ctx.count, ctx.parts = whole, seeds, count, map_quietly(_settled(run), range(len(seeds)))
        ctx.save_for_backward(*tensors)
        return torch.cat([out.detach() for _, out in ctx.parts])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # type: ignore[override]
        tensors, needed = ctx.saved_tensors, ctx.needs_input_grad[3:]
        parts, ctx.parts = ctx.parts, None
        if torch.is_grad_enabled() or parts is None:  # someone will differentiate again, or asks a second time
            once_more = torch.is_grad_enabled()

            def again(*z: Tensor | None) -> Tensor:
                return _one_by_one(ctx.whole, z[: ctx.count], ctx.seeds)

            with torch.enable_grad():
                found = gradients(again, tensors, gradient, needed)
            return None, None, None, *(z if z is None or once_more else z.detach() for z in found)
        wanted = [k for k, wants in enumerate(needed) if wants]
        sums = _Sums()

        def pull(part: int) -> list[Tensor | None]:
            (mine, out), parts[part] = parts[part], None
            sources = [(mine[k] if k < ctx.count else tensors[k]) for k in wanted]
            found = torch.autograd.grad(out, sources, _rows(gradient, len(parts), part), allow_unused=True)
            of = dict(zip(wanted, found, strict=True))
            sums.add(part, [of.get(k) for k in range(ctx.count, len(tensors))])
            return [of.get(k) for k in range(ctx.count)]

        of_inputs = zip(*map_quietly(pull, range(len(parts))), strict=True)
        return None, None, None, *(None if z[0] is None else torch.cat(z) for z in of_inputs), *sums.total


class _Sums:
    """Of lists of tensors, added in the order of their numbers, whatever order they come in."""

    def __init__(self) -> None:
        self.total: list[Tensor | None] = []
        self._added, self._waiting, self._lock = 0, {}, threading.Lock()

    def add(self, number: int, tensors: list[Tensor | None]) -> None:
        with self._lock:
            self._waiting[number] = tensors
            while self._added in self._waiting:
                following = self._waiting.pop(self._added)
                if self._added:
                    for total, value in zip(self.total, following, strict=True):
                        if total is not None and value is not None:
                            total += value
                else:
                    self.total = following
                self._added += 1
