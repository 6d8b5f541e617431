"""The levels: f on paths of 2^l steps, and its difference from f on 2^(l-1) steps along the same Brownian path.

P_l = f(X_T by 2^l steps),    Y_l = P_l - P_(l-1),    E P_L = E P_s + sum_(l = s+1 .. L) E Y_l
Or, for noise that does not commute, Y_l = (P_l + P_l') / 2 - P_(l-1) with an antithetic twin; see `antithetic`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sojourn.multilevel import antithetic
from sojourn.multilevel.payoff import Payoff
from sojourn.noise import Noise
from sojourn.processes.ito.discretised import Discretised

CHUNK = 2**14
"""Members that run together, which bounds the memory; few enough for PyTorch to share nothing among threads."""


@dataclass
class Sums:
    """Moments of numbers that come in pieces, from sums of powers of their distances from the first piece's mean."""

    count: int = 0
    shift: float = 0.0
    powers: np.ndarray = field(default_factory=lambda: np.zeros(4))
    lowest: float = np.inf
    highest: float = -np.inf

    def add(self, values: np.ndarray) -> None:
        with np.errstate(all="ignore"):
            if self.count == 0:
                self.shift = float(values.mean())
            z = values - self.shift
            square = z * z
            self.powers += [z.sum(), square.sum(), (square * z).sum(), (square * square).sum()]
        self.lowest, self.highest = min(self.lowest, float(values.min())), max(self.highest, float(values.max()))
        self.count += len(values)

    @property
    def finite(self) -> bool:
        """Whether every number was finite, and its fourth power."""
        return bool(np.isfinite(self.powers).all())

    @property
    def mean(self) -> float:
        return self.shift + float(self.powers[0]) / self.count

    @property
    def variance(self) -> float:
        """The unbiased sample variance."""
        second, _ = self._central()
        return second * self.count / (self.count - 1)

    @property
    def range(self) -> float:
        """The largest less the smallest number."""
        return self.highest - self.lowest

    @property
    def kurtosis(self) -> float:
        """Fourth central moment over the square of the second; 3, a normal's, where all numbers are equal."""
        second, fourth = self._central()
        return fourth / second**2 if second > 1e-24 * max(abs(self.shift), 1e-100) ** 2 else 3.0

    def _central(self) -> tuple[float, float]:
        m1, m2, m3, m4 = (float(p) / self.count for p in self.powers)
        return max(0.0, m2 - m1**2), max(0.0, m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4)


class Level:
    """Level l of a ladder: a fine and a coarse discretisation, and the sums of what their paths gave."""

    def __init__(self, number: int, finest: Discretised, T: float, f: Payoff, noise: Noise) -> None:
        self.steps = 2**number
        self.fine = replace(finest, dt=T / self.steps, substeps=1)
        self.coarse = replace(finest, dt=2 * T / self.steps, substeps=2) if number else None
        self.twins = finest.scheme == antithetic.SCHEME
        self.f = f
        self.noise = noise.split(f"level {number}")
        self.values = Sums()
        self.differences = Sums()
        self.cost = 0.0

    @property
    def paths(self) -> int:
        return self.values.count

    @property
    def work(self) -> float:
        """Steps that one more path costs: of the fine process, its twin and the coarse one, where there are those."""
        return self.steps * (1 + (self.coarse is not None) * (1.5 if self.twins else 0.5))

    def be_first(self) -> None:
        """From now on f alone is asked for, not its difference from a coarser level."""
        self.coarse = None

    def sample(self, paths: int) -> None:
        """More paths, members of the ensemble that have not run before."""
        self.cost += paths * self.work
        end = self.paths + paths
        while self.paths < end:
            noise, ensemble = self.noise.members(self.paths), min(CHUNK, end - self.paths)
            fine = self._run(self.fine, self.steps, ensemble, noise)
            if self.coarse:
                coarse = self._run(self.coarse, self.steps // 2, ensemble, noise)
                with np.errstate(all="ignore"):
                    self.differences.add(self._with_twin(fine, noise) - coarse)
            self.values.add(fine)

    def _with_twin(self, fine: np.ndarray, noise: Noise) -> np.ndarray:
        if not self.twins:
            return fine
        return (fine + self.f(antithetic.run_twin(self.fine, self.steps, len(fine), noise))) / 2

    def _run(self, process: Discretised, steps: int, ensemble: int, noise: Noise) -> np.ndarray:
        return self.f(process.advance(process.initial(ensemble, noise), 0, steps, noise))
