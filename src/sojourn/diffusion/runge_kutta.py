"""Dormand and Prince's pair of orders 5 and 4, each member of a batch with steps of its own.

So a member's result does not depend on its company. Source: Dormand and Prince, J. Comp. Appl. Math. 6 (1980); step
control after Hairer, Norsett and Wanner, Solving ODEs I, section II.4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sojourn.errors import InputError

_STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_TIMES = (0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1)
_ERROR = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)  # order 5 less order 4


def integrate(
    field: Callable[[Tensor, Tensor, Tensor], Tensor],
    y: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    largest_number: int = 10_000,
) -> tuple[Tensor, int]:
    """y at `end` of dy/ds = field(s, y, members), with y(start) given.

    Args:
        field: (s (m,), y (m, d), indices of these m members (m,)) -> dy/ds (m, d).
        y: (n, d) float64.
        start, end: (n,).
        rtol, atol: of the local error, root mean square over d of error / (atol + rtol |y|).
        largest_number: of steps of one member.

    Returns:
        y at the end (n, d), and how often the field was asked for.

    Raises:
        InputError: the steps became too many or too small.
    """
    if rtol <= 0 or atol <= 0:
        raise InputError(f"rtol={rtol} and atol={atol} must be above zero")
    y, s = y.clone(), start.clone()
    everyone = torch.arange(len(y), device=y.device)
    slope = field(s, y, everyone)
    h = (end - start) * _first_share(y, slope, end - start, rtol, atol)
    calls, going = 1, torch.nonzero(s != end)[:, 0]
    for _ in range(largest_number):
        if not len(going):
            return y, calls
        here, place = y[going], s[going]
        last = (end[going] - place).abs() <= h[going].abs() * (1 + 1e-9)
        step = torch.where(last, end[going] - place, h[going])
        slopes = [slope[going]]
        for c, row in zip(_TIMES[1:], _STAGES[1:], strict=True):
            moved = here + step[:, None] * sum(a * k for a, k in zip(row, slopes, strict=True) if a)
            slopes.append(field(place + c * step, moved, going))
            calls += 1
        error = step[:, None] * sum(e * k for e, k in zip(_ERROR, slopes, strict=True) if e)
        scale = atol + rtol * torch.maximum(here.abs(), moved.abs())
        size = torch.sqrt(((error / scale) ** 2).mean(1))
        good = size <= 1  # False for NaN
        taken = going[good]
        y[taken], slope[taken] = moved[good], slopes[-1][good]
        s[taken] = torch.where(last, end[going], place + step)[good]
        factor = torch.nan_to_num(0.9 * size.clamp(min=1e-10) ** -0.2, nan=0.2).clamp(0.2, 5.0)
        h[going] = step * torch.where(good, factor, factor.clamp(max=1.0))
        if bool((h[going].abs() < 1e-12 * (end - start)[going].abs()).any()):
            raise InputError("the flow is too rough for these tolerances: a step became smaller than 1e-12 of the way")
        going = going[s[going] != end[going]]
    raise InputError(f"the flow needs more than {largest_number} steps for rtol={rtol}, atol={atol}; raise them")


def _first_share(y: Tensor, slope: Tensor, way: Tensor, rtol: float, atol: float) -> Tensor:
    """The first step as a share of the way: one hundredth of the time in which y changes by its own scale."""
    scale = atol + rtol * y.abs()
    size, change = (torch.sqrt(((v / scale) ** 2).mean(1)) for v in (y, slope * way[:, None]))
    return (0.01 * size / change.clamp(min=1e-300)).clamp(1e-6, 0.1)
