"""States of the Gray-Scott process as images of two channels, each with the rates (F, k) that made it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sojourn.data.images import Images
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.processes.gray_scott.presets import PRESETS, THE_WELL
from sojourn.processes.gray_scott.starts import Start

V_MOST = 0.8
"""The v that becomes 1. Patterns of known presets reach 0.6."""

_STARTS: tuple[Start, ...] = ("seeds", "gaussian")
_ROUND = 32
_ROUNDS = 8
_FLAT = 1e-3


def gray_scott_states(
    members: int,
    *,
    patterns: Sequence[str | tuple[float, float]] = tuple(THE_WELL),
    size: int = 32,
    time: int = 2000,
    seed: int = 0,
) -> Images:
    """States at `time`, `members` for each pattern, (members * patterns, 2, size, size); labels (F, k), float32.

    Channel 0 is 2 u - 1 and channel 1 is 2 v / 0.8 - 1. The domain is periodic with The Well's spacing, 1/64; Heun's
    scheme with dt = 1. Half of the members start from seeds, the other half from Gaussian bumps (see
    `processes.gray_scott.starts`), and those whose pattern has died, leaving v the same everywhere, are passed over.
    Image i belongs to pattern i modulo their number. A member's state depends on the seed, its pattern and its place
    in the order alone: more members begin with the same ones.

    Args:
        members: states of each pattern.
        patterns: names of presets, or pairs (F, k); by default the six of The Well.
        size: cells along each side.
        time: from the start to the states.
        seed: 0 <= seed < 2^64.

    Raises:
        InputError: a pattern is not known, or dies too often on a domain of this size, or v is above 0.8.
    """
    if members < 1 or time < 1:
        raise InputError(f"members={members} and time={time} must be 1 or more")
    rates = [_rates(pattern) for pattern in patterns]
    if not rates:
        raise InputError("patterns is empty; name one or more")
    states = torch.stack([_alive(members, feed, kill, size, time, Noise(seed)) for feed, kill in rates], dim=1)
    labels = torch.tensor(rates, dtype=torch.float32).expand(members, -1, -1)
    return Images(_to_images(states.flatten(0, 1)), labels.flatten(0, 1).contiguous(), None, "gray-scott")


def to_concentrations(x: torch.Tensor) -> State:
    """u and v, (n, size, size), of images (n, 2, size, size): (x_0 + 1) / 2 and 0.8 (x_1 + 1) / 2."""
    return {"u": (x[:, 0] + 1) / 2, "v": V_MOST * (x[:, 1] + 1) / 2}


def _rates(pattern: str | tuple[float, float]) -> tuple[float, float]:
    if not isinstance(pattern, str):
        if not isinstance(pattern, Sequence) or len(pattern) != 2:
            raise InputError(f"the pattern {pattern!r} is neither a name nor a pair; give patterns=[(F, k), ...]")
        feed, kill = pattern
        return float(feed), float(kill)
    if pattern not in PRESETS:
        raise InputError(f"no Gray-Scott pattern is called {pattern!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[pattern]


def _alive(members: int, feed: float, kill: float, size: int, time: int, noise: Noise) -> torch.Tensor:
    """The first `members` states with a pattern, (members, 2, size, size), from rounds of starts."""
    noise = noise.split(f"F={feed!r}, k={kill!r}")
    found: list[torch.Tensor] = []
    for k in range(_ROUNDS * (1 + members // _ROUND)):
        start = _STARTS[k % len(_STARTS)]
        process = GrayScott(
            feed_rate=feed, kill_rate=kill, shape=(size, size), extent=size / 64, scheme="heun", start=start
        )
        drawn = noise.members(_ROUND * k)
        state = process.advance(process.initial(_ROUND, drawn), 0, time, drawn)
        both = torch.stack([state["u"], state["v"]], dim=1)
        found.append(both[both[:, 1].flatten(1).std(dim=1) > _FLAT])
        if sum(map(len, found)) >= members:
            return torch.cat(found)[:members]
    raise InputError(
        f"F={feed:g}, k={kill:g}: of {_ROUND * (k + 1)} starts on {size} x {size} cells only {sum(map(len, found))} "
        f"had a pattern left at time {time}; ask for a larger size, a smaller time or other rates"
    )


def _to_images(states: torch.Tensor) -> torch.Tensor:
    if not bool(torch.isfinite(states).all()):
        raise InputError("a Gray-Scott state is not finite; choose other rates")
    if (most := float(states[:, 1].max())) > V_MOST:
        raise InputError(f"v reaches {most:g}, above the {V_MOST} that becomes 1; choose a later time or other rates")
    scale = torch.tensor([1.0, V_MOST]).reshape(2, 1, 1)
    return (2 * states / scale - 1).clamp(-1, 1)  # u may pass 1, and v 0, by rounding
