"""First passage: when paths first reach a level, with what probability by a time, and the survival curve in its band.

T = inf {t : X_t >= level}. Members are independent paths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import clopper_pearson, dvoretzky_kiefer_wolfowitz
from sojourn.bounds.rounding import above, ball, below
from sojourn.bounds.sides import Side, error_of
from sojourn.bounds.trajectories import Paths, frames_of
from sojourn.errors import InputError
from sojourn.noise import Noise


def first_passage(
    paths: Paths,
    level: float,
    *,
    direction: Literal["up", "down"] = "up",
    sigma: float | None = None,
    seed: int = 0,
) -> FirstPassage:
    """When each path first reaches a level or is beyond it, to the saved frame.

    Paths are seen at saved frames only: a path that crosses and comes back between two frames counts as one that did
    not. For Brownian motion with constant drift and sigma give sigma: between frames with values x and y, a time h
    apart, such a path is a bridge, and crosses with probability

        exp(-2 (level - x)(level - y) / (sigma^2 h))

    whatever its drift (Glasserman, Monte Carlo Methods in Financial Engineering, 2004, 6.4), independently of other
    steps. One draw for each path decides where; then the frame by which a path has crossed has its exact law.

    Args:
        paths: independent paths, (ensemble, time).
        level: the level, chosen before the paths were seen.
        direction: "up": value >= level; "down": value <= level.
        sigma: volatility, sigma^2 t the variance of the path at time t, where the paths are such Brownian motion.
        seed: of the draws; one number for each path, and the same one whatever the level and frames.
    """
    x = frames_of(paths)
    checks.finite("level", level)
    if direction not in ("up", "down"):
        raise InputError(f"direction={direction!r} is not up or down")
    frames = np.asarray(x["time"].values, dtype=np.float64) if "time" in x.coords else np.arange(x.sizes["time"]) * 1.0
    if not (np.diff(frames) > 0).all():
        raise InputError("the times of the frames do not rise; sort the paths by time")
    gap = (level - x.values) * (1 if direction == "up" else -1)
    passed = gap <= 0
    if sigma is not None:
        passed |= _between(gap, np.diff(frames), checks.positive("sigma", sigma), Noise(seed))
    times = np.where(passed.any(1), frames[passed.argmax(1)], np.inf)
    return FirstPassage(times, frames, float(level), direction, sigma)


@dataclass(frozen=True)
class FirstPassage:
    """When each path first passed a level.

    Attributes:
        times: (ensemble,) time of the saved frame by which it had, inf where it had not by the last one.
        frames: the times of the saved frames.
        level, direction, sigma: as given to `first_passage`.
    """

    times: np.ndarray
    frames: np.ndarray
    level: float
    direction: Literal["up", "down"]
    sigma: float | None

    def probability(
        self, by: float | None = None, *, confidence: float = 0.95, side: Side = "both", family: int = 1
    ) -> Estimate:
        """P(passed by a time), by default that of the last frame, with the interval of Clopper and Pearson.

        Args:
            by: a time, counted as the last saved frame that is not after it; chosen before the paths were seen.
            confidence, side, family: as everywhere.
        """
        by = self.frames[-1] if by is None else checks.finite("by", by)
        if not self.frames[0] <= by <= self.frames[-1]:
            raise InputError(f"by={by:g} is not in [{self.frames[0]:g}, {self.frames[-1]:g}], the times of the paths")
        passed = int((self.times <= by).sum())
        found = clopper_pearson(passed, len(self.times), confidence=confidence, side=side, family=family)
        return replace(found, assumes=self._assumes, limits=self._limits)

    def survival(self, *, confidence: float = 0.95, family: int = 1) -> xr.Dataset:
        """P(not passed by time), with a band that holds at all saved frames at once.

            sup_t |S_n(t) - S(t)| <= sqrt(ln(2/alpha) / (2n))  with probability 1 - alpha

        The inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, for any law. Paths that end before
        they pass do no harm: the band holds up to the last frame.

        Returns:
            Dataset over time with survival, low and high; the ends are rounded outwards.
        """
        checks.inside("confidence", confidence)
        alpha = error_of(confidence, "lower", checks.count("family", family))
        n, alive = len(self.times), [int((self.times > t).sum()) for t in self.frames]
        width = dvoretzky_kiefer_wolfowitz(n, error=alpha)
        low = {k: max(0.0, below(lambda k=k: ball(k) / n - ball(width))) for k in set(alive)}
        high = {k: min(1.0, above(lambda k=k: ball(k) / n + ball(width))) for k in set(alive)}
        curves = {
            "survival": ("time", np.array(alive) / n),
            "low": ("time", np.array([low[k] for k in alive])),
            "high": ("time", np.array([high[k] for k in alive])),
        }
        about = {"confidence": confidence, "guarantee": "at all times", "family": family, "observations": n}
        about |= {"method": "Dvoretzky-Kiefer-Wolfowitz, Massart", "assumes": self._assumes}
        return xr.Dataset(curves, {"time": self.frames}, {**about, "limits": "; ".join(self._limits)})

    def __str__(self) -> str:
        return f"P(passes {self.level:g} {self.direction} by time {self.frames[-1]:g}) = {self.probability()}"

    @property
    def _assumes(self) -> str:
        kind = "" if self.sigma is None else f", each Brownian motion with constant drift and sigma={self.sigma:g}"
        return f"the paths are independent, with one law{kind}"

    @property
    def _limits(self) -> tuple[str, ...]:
        simulated = "the error of the simulation's own time step"
        if self.sigma is not None:
            return (simulated,)
        missed = "crossings between saved frames: they are missed, so the process passes as often as this or more often"
        return (missed, simulated)


def _between(gap: np.ndarray, h: np.ndarray, sigma: float, noise: Noise) -> np.ndarray:
    """Whether each path, seen as bridges between frames, has passed by each frame; gaps are positive before it has.

    A path is still before the level with probability prod (1 - p_k): it passes where sum -ln(1 - p_k) gets above one
    exponential draw.
    """
    words = noise.split("bridge").words(0, len(gap), (2,)).numpy()
    draw = -np.log((words[:, 0] * 2.0**32 + words[:, 1] + 0.5) * 2.0**-64)
    exponent = 2 * np.maximum(gap[:, :-1], 0) * np.maximum(gap[:, 1:], 0) / (sigma**2 * h)
    with np.errstate(divide="ignore"):  # p = 1 where a frame itself is at the level
        hazard = np.cumsum(-np.log(-np.expm1(-exponent)), axis=1)
    return np.concatenate([np.zeros((len(gap), 1), bool), hazard > draw[:, None]], axis=1)
