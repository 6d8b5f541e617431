"""What was recovered: four numbers with intervals, and what the intervals are and are not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from sojourn.bounds.estimate import Estimate
from sojourn.learning.recover.forward import NAMES
from sojourn.processes.gray_scott.gray_scott import GrayScott

_SIGNS = {"feed_rate": "F", "kill_rate": "k", "diffusivity_u": "D_u", "diffusivity_v": "D_v"}


@dataclass(frozen=True, eq=False)
class RecoveredGrayScott:
    """The parameters of Gray-Scott that frames or a picture show; `print` says it in a few lines.

    Attributes:
        feed_rate, kill_rate, diffusivity_u, diffusivity_v: with asymptotic intervals; see `determined`.
        length_u, length_v, reaction: sqrt(D_u / F), sqrt(D_v / (F + k)) and sqrt(F) / (F + k), the three numbers that a
            picture determines even if its contrast (the unit of v) is not known.
        covariance: (4, 4) of F, k, D_u, D_v; rows of what was not fitted are NaN.
        confidence: the intervals' nominal coverage.
        kind: "frames", "picture" (one frame of u and v) or "picture of v".
        noise: (2,) standard deviation of what the fit leaves of u and of v.
        residual: the same over the spread of the fields.
        misfit: rms of what is left in the longest waves over that in all; 1 for white noise.
        condition: condition number of the Fisher information in units of the parameters' own size.
        unsteadiness: for a picture, how fast it moves over how fast it reacts; None for frames.
        discretisation: parameter -> how far it would be off had the data been made by second-order differences;
            empty where the recording names its scheme, which was then used.
        solver: the scheme that was fitted.
    """

    feed_rate: Estimate
    kill_rate: Estimate
    diffusivity_u: Estimate
    diffusivity_v: Estimate
    length_u: Estimate
    length_v: Estimate
    reaction: Estimate
    covariance: np.ndarray
    confidence: float
    kind: Literal["frames", "picture", "picture of v"]
    noise: tuple[float, float]
    residual: tuple[float, float]
    misfit: float
    condition: float
    unsteadiness: float | None
    discretisation: dict[str, float]
    solver: str

    @property
    def determined(self) -> tuple[str, ...]:
        """The parameters whose size the data tell; the others' intervals begin at 0, or have no value in them."""
        return tuple(name for name in NAMES if is_determined(getattr(self, name)))

    @property
    def values(self) -> np.ndarray:
        """(4,) F, k, D_u, D_v."""
        return np.array([getattr(self, name).value for name in NAMES])

    def process(self, like: GrayScott) -> GrayScott:
        """`like` with the recovered parameters."""
        return replace(like, **{name: getattr(self, name).value for name in NAMES})

    def to_dict(self) -> dict[str, Any]:
        """Values and intervals as plain numbers and words."""
        return {n: getattr(self, n).to_dict() for n in (*NAMES, "length_u", "length_v", "reaction")}

    def __str__(self) -> str:
        lines = [f"{_SIGNS[name] + ' ':4}= {shown(getattr(self, name))}" for name in NAMES]
        return "\n".join([*lines, *self._what_it_is(), *self._warnings()])

    def _what_it_is(self) -> list[str]:
        seen = {
            "frames": "frames of u and v, the noise of the first among them",
            "picture": "one picture of u and v, taken as stationary",
            "picture of v": "one picture of v, taken as stationary and its contrast as true",
        }[self.kind]
        noise = f"{self.noise[1]:.2g} in v"
        if self.kind != "picture of v":
            noise = f"{self.noise[0]:.2g} in u, {noise}"
        return [
            f"+- is an asymptotic {100 * self.confidence:g}% interval from {seen}; it covers noise that cells do not "
            f"share (here {noise}), and no other equation, boundary or unit of length.",
            f"Fitted with {self.solver}."
            + (
                " Had second-order differences made the data, the values would be off by "
                + ", ".join(f"{d:.1g} ({_SIGNS[n]})" for n, d in self.discretisation.items())
                + ", which the intervals do not contain."
                if self.discretisation
                else ""
            ),
        ]

    def _warnings(self) -> list[str]:
        found = []
        if self.unsteadiness is not None and max(self.residual) > (0.05 if self.kind == "picture of v" else 0.15):
            found.append(
                f"Noise is {100 * max(self.residual):.2g}% of the pattern: errors of second order in it, which the "
                "intervals leave out, may be as large as they are."
            )
        if self.unsteadiness is not None and self.kind == "picture of v":
            found.append(
                "If the contrast is not known, only sqrt(D_u/F), sqrt(D_v/(F+k)) and sqrt(F)/(F+k) are determined: "
                f"{shown(self.length_u)}, {shown(self.length_v)}, {shown(self.reaction)}."
            )
        if self.unsteadiness is None and self.misfit > 1.5 and max(self.residual) > 1e-4:
            found.append(
                f"What is left is not noise: long waves are {self.misfit:.2g} times too strong in it, so the equation "
                "or its discretisation does not quite explain the frames."
            )
        return found


def is_determined(estimate: Estimate) -> bool:
    """Whether zero, or every size, is excluded."""
    return math.isfinite(estimate.value) and (estimate.low > 0 or estimate.low == estimate.high)


def shown(estimate: Estimate) -> str:
    """Value +- half width, in the digits that the half width deserves."""
    if not is_determined(estimate):
        return "not determined"
    half = estimate.half_width
    if half == 0:
        return f"{estimate.value:.12g}"
    digits = max(0, math.floor(math.log10(abs(estimate.value) / half)) + 2) if estimate.value else 2
    return f"{estimate.value:#.{max(digits, 2)}g} +- {half:.2g}"


def estimates(theta: np.ndarray, half: np.ndarray, **words: Any) -> list[Estimate]:
    """Intervals theta +- half, cut at zero; what is NaN or infinite is (NaN, 0, inf)."""
    known = np.isfinite(theta) & np.isfinite(half)
    return [
        Estimate(float(t), max(float(t - h), 0.0), float(t + h), **words)
        if k
        else Estimate(math.nan, 0.0, math.inf, **words)
        for t, h, k in zip(theta, half, known, strict=True)
    ]


def invariants(theta: np.ndarray) -> np.ndarray:
    """sqrt(D_u / F), sqrt(D_v / (F + k)), sqrt(F) / (F + k)."""
    feed, kill, du, dv = theta
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([np.sqrt(du / feed), np.sqrt(dv / (feed + kill)), np.sqrt(feed) / (feed + kill)])


def invariant_gradient(theta: np.ndarray) -> np.ndarray:
    """(3, 4) derivatives of the invariants."""
    feed, kill, du, dv = np.maximum(theta, 1e-300)
    drain = feed + kill
    length_u, length_v, reaction = np.sqrt(du / feed), np.sqrt(dv / drain), np.sqrt(feed) / drain
    return np.array(
        [
            [-length_u / (2 * feed), 0.0, length_u / (2 * du), 0.0],
            [-length_v / (2 * drain), -length_v / (2 * drain), 0.0, length_v / (2 * dv)],
            [reaction / (2 * feed) - reaction / drain, -reaction / drain, 0.0, 0.0],
        ]
    )
