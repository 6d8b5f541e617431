"""Counter-based randomness: every number is a pure function of (seed, stream, member, step, place).

Philox4x32-10 with key = seed (64 bits) and counter = (block, step, member, stream), 32 bits each. So a result never
depends on the number of threads, on how an ensemble was split, or on an interruption: there is no state to lose.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace

import numpy as np
import torch

from sojourn.errors import InputError

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Noise:
    """A source of random numbers for `Process.step`: `noise.normal(t, shape)` and its like.

    Args:
        seed: the run's seed, 0 <= seed < 2^64.
        stream: which of 2^32 independent streams; `split` derives it from a name.
        first_member: index, in the whole ensemble, of the first member of the state at hand.

    A draw has shape `(ensemble, *shape)` and depends on the step `t`; two draws of one kind in one step must come from
    two streams. Members 5 to 7 of an ensemble draw the same numbers alone (`first_member=5`) as among all.
    """

    seed: int
    stream: int = 0
    first_member: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed={self.seed} is not in [0, 2^64); choose a non-negative whole number")

    def split(self, name: str | int) -> Noise:
        """An independent stream, named; the same name under the same noise always gives the same stream."""
        label = zlib.crc32(str(name).encode())
        counter = torch.tensor([[label, self.stream, 0, 0x53504C54]])
        return replace(self, stream=int(philox(counter, self.seed)[0, 0]))

    def members(self, first: int) -> Noise:
        """The noise of the members that begin `first` places further in the ensemble."""
        return replace(self, first_member=self.first_member + first)

    def words(self, t: int, ensemble: int, shape: tuple[int, ...], device: torch.device | str = "cpu") -> torch.Tensor:
        """Random 32-bit words as int64, shape (ensemble, *shape)."""
        return self._draw("words", t, ensemble, shape, torch.int64, device)

    def uniform(
        self, t: int, ensemble: int, shape: tuple[int, ...], device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Uniform float32 numbers k 2^-24 in [0, 1), shape (ensemble, *shape); the same to the bit on every device."""
        return self._draw("uniform", t, ensemble, shape, torch.float32, device)

    def normal(
        self,
        t: int,
        ensemble: int,
        shape: tuple[int, ...],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Standard normal numbers by Box-Muller in double, then rounded to `dtype`; shape (ensemble, *shape).

        On one kind of device the same to the bit; between CPU and GPU equal to rounding (their log and cos differ).
        """
        return self._draw("normal", t, ensemble, shape, dtype, device)

    def sequence(
        self,
        k: int,
        ensemble: int,
        n: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Standard normals k n, ..., k n + n - 1 of every member's own endless sequence; shape (ensemble, n).

        Four of them come from one block of the generator, block k n // 4 first; so where a step needs one number, none
        of the four is thrown away. Step 0 of `normal` draws from the same blocks: use a stream of its own, by `split`.
        """
        first, end = k * n // 4, -(-(k + 1) * n // 4)
        if not 0 <= first <= end < 2**32:
            raise InputError(f"k={k} with n={n} is beyond the sequence's 2^34 numbers")
        return self._draw("normal", 0, ensemble, (4 * (end - first),), dtype, device, first)[:, k * n - 4 * first :][
            :, :n
        ]

    def _draw(self, kind, t, ensemble, shape, dtype, device, first_block=0) -> torch.Tensor:
        if not 0 <= t <= _MASK:
            raise InputError(f"step t={t} is not in [0, 2^32); the noise counts steps in 32 bits")
        n = math.prod(shape)
        if torch.device(device).type == "cpu":
            flat = self._draw_numba(kind, t, ensemble, n, dtype, first_block)
        else:
            flat = self.draw_torch(kind, t, ensemble, n, dtype, device, first_block)
        return flat.reshape(ensemble, *shape)

    def _draw_numba(
        self, kind: str, t: int, ensemble: int, n: int, dtype: torch.dtype, first_block: int
    ) -> torch.Tensor:
        from sojourn.kernels import philox as kernel

        words = np.empty((ensemble, n + n % 2 if kind == "normal" else n), np.uint32)
        kernel.fill_words(words, t, self.first_member, self.stream, self.seed, first_block)
        if kind == "words":
            return torch.from_numpy(words.astype(np.int64))
        if kind == "uniform":
            return torch.from_numpy((words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24))
        out = np.empty((ensemble, n), np.float64 if dtype == torch.float64 else np.float32)
        kernel.box_muller(words, out)
        return torch.from_numpy(out).to(dtype)

    def draw_torch(
        self, kind: str, t: int, ensemble: int, n: int, dtype: torch.dtype, device, first_block: int = 0
    ) -> torch.Tensor:
        """The PyTorch form of a draw, shape (ensemble, n), on any device; the Numba kernels are held equal to it."""
        block = torch.arange((n + 3) // 4, device=device) + first_block
        member = torch.arange(ensemble, device=device) + self.first_member
        counter = torch.stack(
            [
                block.expand(ensemble, -1),
                torch.full((ensemble, len(block)), t, device=device),
                member[:, None].expand(-1, len(block)),
                torch.full((ensemble, len(block)), self.stream, device=device),
            ],
            dim=-1,
        )
        words = philox(counter, self.seed).reshape(ensemble, -1)
        if kind == "words":
            return words[:, :n]
        if kind == "uniform":
            return (words[:, :n] >> 8).to(dtype) * 2.0**-24
        pairs = words.to(torch.float64).reshape(ensemble, -1, 2)
        radius = torch.sqrt(-2.0 * torch.log((pairs[..., 0] + 1.0) * 2.0**-32))
        angle = 2.0 * math.pi * 2.0**-32 * pairs[..., 1]
        normals = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
        return normals.reshape(ensemble, -1)[:, :n].to(dtype)


def philox(counter: torch.Tensor, seed: int) -> torch.Tensor:
    """Philox4x32-10 on int64 tensors that hold 32-bit words.

    Args:
        counter: (..., 4).
        seed: 64-bit key, low word first.

    Returns:
        (..., 4) words in [0, 2^32).

    Source: Salmon, Moraes, Dror and Shaw (SC 2011). Products wrap modulo 2^64 as the algorithm's do; the mask after the
    arithmetic shift removes the sign that int64 brings.
    """
    c0, c1, c2, c3 = counter.unbind(-1)
    k0, k1 = seed & _MASK, seed >> 32
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (
            ((p1 >> 32) & _MASK) ^ c1 ^ k0,
            p1 & _MASK,
            ((p0 >> 32) & _MASK) ^ c3 ^ k1,
            p0 & _MASK,
        )
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return torch.stack([c0, c1, c2, c3], dim=-1)
