"""ETDRK4 on the CPU, member by member: library transforms, fused arithmetic, a thread a member.

Equal to `GrayScott.step` to rounding. A member is transformed alone and by one thread, so its bits depend neither on
the other members nor on the number of threads; and no thread spins at a barrier while another program has its core.
Numbers too small for full precision (below 1e-38 in float32) count as zero: where a pattern has died v decays to them,
and arithmetic with them made a step three times slower.
"""

from __future__ import annotations

import numpy as np
import torch

from sojourn.kernels.threads import map_quietly
from sojourn.processes.gray_scott.etdrk4 import Coefficients
from sojourn.processes.gray_scott.transforms import Transform


def advance_members(
    y: torch.Tensor, steps: int, own: Transform, fine: Transform, c: Coefficients, feed_rate: float, kill_rate: float
) -> torch.Tensor:
    """(ensemble, 2, *shape) after `steps` steps; the input is left as it was."""
    advance = _Advance(own, fine, c, y.dtype, feed_rate, feed_rate + kill_rate)
    return torch.stack(map_quietly(lambda member: advance(member, steps), y))


class _Advance:
    """Steps of one member; holds what all members share."""

    def __init__(self, own, fine, c: Coefficients, dtype: torch.dtype, feed: float, drain: float) -> None:
        self.own, self.fine = own, fine
        kind = np.float32 if dtype == torch.float32 else np.float64
        self.feed, self.drain = kind(feed), kind(drain)
        example = own.forward(torch.zeros(2, *own.shape, dtype=dtype))
        self.parts = 2 if example.is_complex() else 1
        self.c = [x.repeat_interleave(self.parts, -1).flatten().numpy() for x in c]

    def __call__(self, y: torch.Tensor, steps: int) -> torch.Tensor:
        from sojourn.kernels import etdrk4 as kernel

        rates, like = (self.feed, self.drain), self.own.forward(y)
        whole, half, middle, first, second, third = self.c
        a, b, last, n, na, nb, nc = (torch.empty_like(like, memory_format=torch.contiguous_format) for _ in range(7))
        fa, fb, fc, fn, fna, fnb, fnc = map(_flat, (a, b, last, n, na, nb, nc))
        for _ in range(steps):
            m = self.own.forward(y).contiguous()
            fm = _flat(m)
            values = y if self.fine is self.own else self.fine.backward(m)  # the state is already at its own points
            kernel.stage(fm, self._eaten(values), *rates, half, middle, fm, fn, fa)
            kernel.stage(fa, self._eaten(self.fine.backward(a)), *rates, half, middle, fm, fna, fb)
            kernel.third_stage(fb, self._eaten(self.fine.backward(b)), *rates, half, middle, fa, fn, fnb, fc)
            w = self._eaten(self.fine.backward(last))
            kernel.last_stage(fc, w, *rates, whole, first, second, third, fm, fn, fna, fnb, fnc, fa)
            y = self.own.backward(a).contiguous()
        return y

    def _eaten(self, values: torch.Tensor) -> np.ndarray:
        """The transform of u v^2, flat."""
        from sojourn.kernels import etdrk4 as kernel

        product = torch.empty(values.shape[1:], dtype=values.dtype)
        kernel.product(_flat(values.contiguous()), product.numpy().reshape(-1))
        return _flat(self.fine.forward(product).contiguous())


def _flat(x: torch.Tensor) -> np.ndarray:
    return (torch.view_as_real(x) if x.is_complex() else x).numpy().reshape(-1)
