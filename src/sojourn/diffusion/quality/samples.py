"""What the measures share: two checked sets of vectors, and the jackknife over groups of their members."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import student
from sojourn.errors import InputError


def two_sets(
    real: torch.Tensor,
    generated: torch.Tensor,
    least: int = 2,
    names: tuple[str, str] = ("real", "generated"),
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sets as float64 of shape (n, d), checked: one d, `least` members or more, all finite."""
    sets = []
    for name, x in zip(names, (real, generated), strict=True):
        if not isinstance(x, torch.Tensor) or x.ndim < 2:
            shape = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
            raise InputError(f"{name} is {shape}; give a tensor (n, ...) with one member along each row")
        if len(x) < least:
            raise InputError(f"{name} has {len(x)} members; this measure needs {least} or more")
        if not bool(torch.isfinite(x).all()):
            raise InputError(f"{name} holds values that are not finite; remove those members or mend them")
        sets.append(x.detach().double().flatten(1))
    if sets[0].shape[1] != sets[1].shape[1]:
        raise InputError(
            f"{names[0]} has shape {tuple(real.shape)} and {names[1]} {tuple(generated.shape)}; "
            "they differ beyond axis 0"
        )
    return sets[0], sets[1]


def jackknife(
    statistic: Callable[[torch.Tensor, torch.Tensor], float],
    real: torch.Tensor,
    generated: torch.Tensor,
    *,
    groups: int,
    confidence: float,
) -> Estimate:
    """A statistic of two sets, its bias of order 1/n removed, with Student's interval over pseudo-values.

    Members i, i + groups, ... make group i, in both sets. With s of everything and s_g of everything but group g, the
    pseudo-values are groups s - (groups - 1) s_g; their mean is what s would be for ever larger sets, as a line through
    s at n and (1 - 1/groups) n members says.

    Source: M. H. Quenouille, Biometrika 43 (1956), 353; J. W. Tukey, Ann. Math. Statist. 29 (1958), 614.
    """
    whole = statistic(real, generated)
    place_real, place_generated = torch.arange(len(real)) % groups, torch.arange(len(generated)) % groups
    without = [statistic(real[place_real != g], generated[place_generated != g]) for g in range(groups)]
    found = student([groups * whole - (groups - 1) * one for one in without], confidence=confidence)
    return dataclasses.replace(
        found,
        method=f"jackknife over {groups} groups, Student",
        assumes="the members of both sets are independent draws, and the statistic is smooth where their laws are",
        limits=(
            "bias beyond the order 1/n, which is what remains",
            "laws that (nearly) agree, where the statistic is at its minimum and the pseudo-values are not normal",
        ),
        observations=len(real) + len(generated),
    )


def root(estimate: Estimate, power: float) -> Estimate:
    """The estimate of a quantity's positive part to the power 1/`power`; its interval is carried along."""
    value, low, high = (max(x, 0.0) ** (1 / power) for x in (estimate.value, estimate.low, estimate.high))
    return dataclasses.replace(estimate, value=value, low=math.nextafter(low, 0), high=math.nextafter(high, math.inf))
