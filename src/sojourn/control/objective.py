"""The share of robots that a field sends the right way, smooth in the field, so that gradients can improve it.

Whether a robot takes a branch is a jump in its place across. At each gate of the way (`route`) the jump gives way to

    J = mean over robots and gates of   sum over steps [P(s_{k+1}) - P(s_k)] f(G(x_k))

where s is the part of the vessel that a robot has passed and P rises smoothly from 0 to 1 over its last tenth: a mean
of the soft choice f as the robot comes to the node. J moves continuously with the field as long as no robot changes its
branch; its derivative is by backpropagation through every step, with the noise held, and does not see that a robot on
the wrong branch never comes to the later gates. The true share is what `simulate` gives.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sojourn.control.checks import check_kind
from sojourn.control.route import Route
from sojourn.control.schedule import Guided
from sojourn.driver import whole
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State, state_bytes
from sojourn.processes.blood.units import Quantity, positive

APPROACH = 0.1  # the part of a vessel before its gate over which P rises
_PLENTY = 1e9  # bytes
GRAPH_BYTES = 1500  # kept for a robot in a step, for its derivative; a test measures it


def soft_share(
    guided: Guided, route: Route, *, steps: int, ensemble: int, seed: int = 0, width: Quantity = 0.1
) -> Tensor:
    """J, a number that passes gradients to the schedule, and to what in robots and flow asks for them.

    Args:
        guided: robots under a schedule.
        route: with a gate at least.
        steps: how far to follow the robots.
        ensemble: how many there are.
        seed: of their start and motion, as that of `simulate`.
        width: w of the logistic function, a share of the flow.

    Memory is about `peak_bytes`: where the derivative of all steps at once would need more than a gigabyte, states are
    kept at some steps only, and what is between them is done again on the way back.

    Raises:
        InputError: a way without gates, no steps or robots, more memory than there is, an argument that is something
            else.
    """
    check_kind(guided, Guided, name="guided", remedy="Guided robots")
    check_kind(route, Route, name="route", remedy="a Route")
    steps, ensemble = whole("steps", steps), whole("ensemble", ensemble)
    if steps < 1 or ensemble < 1:
        raise InputError(f"steps={steps} with ensemble={ensemble} leads nowhere; give 1 or more of each")
    if not route.gates:
        raise InputError(f"{route!r} has no gate: all the flow goes to the target anyway; choose another target")
    softness = float(positive(width, "", name="width"))
    _check_memory(guided, ensemble, steps)
    noise = Noise(seed)
    state = guided.initial(ensemble, noise.split("initial"))
    score = torch.zeros(ensemble, dtype=torch.float64)
    stretch = _stretch(guided, ensemble, steps)

    def part(state: State, score: Tensor, begin: int, end: int) -> tuple[State, Tensor]:
        for t in range(begin, end):
            after = guided.step(state, t, noise)
            score = score + _chosen(guided, route, state, after, softness)
            state = after
        return state, score

    for begin in range(0, steps, stretch):
        end = min(begin + stretch, steps)
        if torch.is_grad_enabled() and stretch < steps:
            state, score = checkpoint(part, state, score, begin, end, use_reentrant=False, preserve_rng_state=False)
        else:
            state, score = part(state, score, begin, end)
    return score.mean() / len(route.gates)


def peak_bytes(guided: Guided, ensemble: int, steps: int) -> int:
    """About how much memory the derivative of `soft_share` needs: states kept, and the graph between two of them."""
    stretch = _stretch(guided, ensemble, steps)
    kept = math.ceil(steps / stretch) * (state_bytes(guided, ensemble) + 8 * ensemble)
    return kept + min(stretch, steps) * GRAPH_BYTES * ensemble


def _stretch(guided: Guided, ensemble: int, steps: int) -> int:
    """Steps between kept states: what fits into _PLENTY, or else the number for which all memory is least.

    Source: the square root's rule of T. Chen, B. Xu, C. Zhang and C. Guestrin, arXiv 1604.06174 (2016).
    """
    least = math.sqrt(steps * (state_bytes(guided, 1) + 8) / GRAPH_BYTES)
    return max(1, round(least), min(steps, int(_PLENTY / (GRAPH_BYTES * ensemble))))


def _chosen(guided: Guided, route: Route, before: State, after: State, width: float) -> Tensor:
    """What a step adds to each robot's score, (ensemble,)."""
    vessels = guided.robots.vessels
    vessel, later = before["vessel"].long(), after["vessel"].long()
    found = torch.zeros_like(before["along"])
    for gate in route.gates:
        who = ((vessel == gate.vessel) & (before["along"] != after["along"])).nonzero()[:, 0]
        if not len(who):
            continue
        length, radius = vessels.length[gate.vessel], vessels.radius[gate.vessel]
        now, then = (_passed(x["along"][who] / length, gate.end) for x in (before, after))
        # Out of the vessel: by the gate, or back.
        then = torch.where(later[who] == gate.vessel, then, (now > 0.5).to(now))
        weight = _rising(then) - _rising(now)
        soft = gate.soft(gate.share(before["across"][who], radius), width)
        found = found.index_add(0, who, weight * soft)
    return found


def _passed(along: Tensor, end: int) -> Tensor:
    return along if end % 2 else 1 - along


def _rising(passed: Tensor) -> Tensor:
    """P: 0 up to 1 - APPROACH, 1 at the end, 3 z^2 - 2 z^3 between."""
    z = ((passed - 1 + APPROACH) / APPROACH).clamp(0, 1)
    return z * z * (3 - 2 * z)


def _check_memory(guided: Guided, ensemble: int, steps: int) -> None:
    import psutil

    needed, free = peak_bytes(guided, ensemble, steps), psutil.virtual_memory().available
    if torch.is_grad_enabled() and needed > 0.8 * free:
        raise InputError(
            f"ensemble={ensemble:,} through {steps:,} steps needs {needed / 1e9:,.1f} GB of memory for its derivative "
            f"and {free / 1e9:.1f} GB are free; use fewer robots or a longer dt"
        )
