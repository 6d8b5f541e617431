"""`sojourn run ito`: Ito's chain rule, derived and then put to the test on Brownian paths.

X is simulated by its own equation and Y = f(X) by the one that the chain rule derives, on the same Brownian path. If
the rule is right, Y_h - f(X_h) goes to zero with the step h as fast as the scheme's strong order says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
import torch
from rich.markup import escape
from scipy import stats

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import dvoretzky_kiefer_wolfowitz, normal, student
from sojourn.calculus import ItoProcess
from sojourn.calculus.differential import Differential
from sojourn.calculus.equation import written
from sojourn.calculus.laws import Law
from sojourn.calculus.plain import plain
from sojourn.calculus.show import derivation
from sojourn.calculus.text import parse_function
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments import ito_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.noise import Noise
from sojourn.processes.ito.printing import torch_function
from sojourn.processes.ito.schemes import find
from sojourn.runs import Run, write_text

EXAMPLE = "dX = mu*X*dt + sigma*X*dW"
_LEVELS = 6  # step sizes, each half of the one before
_BATCHES = 16  # of members, for the interval of the slope
_LOOKS = 16  # times at which the two are compared; the error is the largest of them


@dataclass(frozen=True)
class Ito(Experiment):
    """Derive d f(X) by Ito's chain rule, and compare it with f of the simulated X, path by path.

    Args:
        equation: the SDE as text, such as "dX = mu*X*dt + sigma*X*dW"; equations of a system between semicolons.
        function: f, an expression in the states and t.
        values: numbers for the parameters, as "mu=0.3, sigma=0.6", which are those of the equation above.
        start: where the states begin, as "X=1".
        horizon: T, the time at which paths end.
        schemes: which schemes to compare; see `docs/choosing-an-sde-scheme.md`.
        steps: steps of the finest path, a multiple of 512; the coarsest has 1/32 of them.
        ensemble: number of paths.
        seed: the seed of the Brownian paths.
    """

    equation: str = EXAMPLE
    function: str = "log(X)"
    values: str | None = None
    start: str = "X=1"
    horizon: float = 1.0
    schemes: tuple[str, ...] = ("euler", "milstein")
    steps: int = 1024
    ensemble: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 512 or self.steps % 512:
            raise InputError(f"steps={self.steps} is not a multiple of 512; use 512, 1024, 2048, ...")
        if self.ensemble < 10 * _BATCHES:
            raise InputError(f"ensemble={self.ensemble} is too few for an interval; use {10 * _BATCHES} or more")
        if not 0 < self.horizon < float("inf"):
            raise InputError(f"horizon={self.horizon} is not a positive time")
        if not 1 <= len(self.schemes) <= 4:
            raise InputError(f"schemes={self.schemes} are {len(self.schemes)}; compare one to four")
        for scheme in self.schemes:
            if find(scheme).kind == "WV":
                raise InputError(f"scheme {scheme!r} is right in law only and follows no path; compare others")
        Noise(self.seed)
        self.derive()

    def derive(self) -> tuple[ItoProcess, Differential, ItoProcess]:
        """X; d f(X); and the system of X and Y, whose last state is Y. Every scheme accepts the system."""
        values = ("mu=0.3, sigma=0.6" if self.equation == EXAMPLE else "") if self.values is None else self.values
        X = written(self.equation, values, self.start)
        f = parse_function(self.function, X)
        df = X.of(f)
        if any(e.has(sp.DiracDelta) for e in (df.drift, *df.diffusion.values())):
            raise InputError(f"function={self.function!r} has a kink or a jump, where no path follows the delta in df")
        places: dict[Any, Any] = dict(zip(X.states, X.starts or (), strict=True)) | {X.time: sp.S.Zero} | X.given()
        first = sp.sympify(f.subs(places))
        if not (first.is_number and first.is_real and first.is_finite):
            raise InputError(f"function={self.function!r} is {first} at the start; choose another start, or values")
        Y = sp.Symbol(_free_name(X), real=True)
        system = ItoProcess(
            [*X.states, Y],
            [*X.drifts, df.drift],
            {W: [*column, df.diffusion.get(W, 0)] for W, column in X.columns.items()},
            initial=[*(X.starts or ()), first],
            values=X.values,
        )
        for scheme in self.schemes:
            system.discretise(dt=self.horizon / self.steps, scheme=scheme)
        return X, df, system

    def run(self, run: Run) -> list[str]:
        X, df, system = self.derive()
        found = [Agreement.of(self, system, df.value, scheme) for scheme in self.schemes]
        law, words = _law(X, self.horizon)
        folder = run.folder("figures")
        save(figures.agreement(found, plain(df.value)), folder / "agreement.png")
        paths = self._paths(system, df.value, self.schemes[-1])
        save(figures.both_ways(paths, self, plain(df.value)), folder / "both-ways.png")
        if len(X.states) == 1:
            ends = self._ends(X, self.schemes[-1])
            save(figures.paths_and_law(ends, X, self.horizon, law), folder / "paths.png")
            if law is not None:
                last = ends.dataset[X.state.name].values[:, -1]
                distance = distance_from(law.frozen().cdf, last)
                run.result(law=law.name, distance=distance)
                chance = ", so chance alone may explain it" if 0 in distance else ""
                words = f"{words[:-1]}; the law of the simulated paths is {distance} from it{chance}."
        steps = derivation(df)
        write_text(run.path / "derivation.txt", steps + "\n")
        for each in found:
            each.record(run, self)
        run.result(differential=str(df))
        lines = [escape(steps), ""]
        lines += [each.words for each in found]
        lines.append(escape(words))
        return [*lines, f"Look at {escape(str(folder))}: {', '.join(sorted(p.name for p in folder.glob('*.png')))}."]

    def _paths(self, system: ItoProcess, f: sp.Expr, scheme: str) -> dict[str, Any]:
        """A few members at the coarsest step: times, f(X) and Y."""
        step = system.discretise(dt=self._dt(_LEVELS - 1), scheme=scheme, substeps=1 << (_LEVELS - 1))
        path = simulate(step, steps=self._steps(_LEVELS - 1), save_every=1, ensemble=4, seed=self.seed, progress=False)
        return {
            "time": path.dataset["time"].values,
            "f": _value(f, system, path.dataset),
            "Y": _last(system, path),
            "name": system.states[-1].name,
        }

    def _ends(self, X: ItoProcess, scheme: str) -> Any:
        """Paths of X itself at the finest step: all of them at 64 times."""
        step = X.discretise(dt=self.horizon / self.steps, scheme=scheme)
        return simulate(step, steps=self.steps, save_every=self.steps // 64, ensemble=self.ensemble, seed=self.seed)

    def _steps(self, level: int) -> int:
        return self.steps >> level

    def _dt(self, level: int) -> float:
        return self.horizon / self._steps(level)


@dataclass(frozen=True)
class Agreement:
    """How far Y_h is from f(X_h): the root mean square, over members, of the largest difference at 16 times.

    The rate is the slope of log error on log h by least squares. Intervals are Student's, from 16 batches of members.
    """

    scheme: str
    name: str  # of the simulated f(X)
    predicted: float
    dt: np.ndarray
    error: np.ndarray  # (levels,)
    finest: Estimate  # the error at the smallest step
    rate: Estimate | None  # None where the two agree to rounding

    @classmethod
    def of(cls, settings: Ito, system: ItoProcess, f: sp.Expr, scheme: str) -> Agreement:
        squares, sizes = [], []
        for level in range(_LEVELS):
            step = system.discretise(settings._dt(level), scheme, substeps=1 << level)
            steps = settings._steps(level)
            path = simulate(
                step, steps=steps, save_every=steps // _LOOKS, ensemble=settings.ensemble, seed=settings.seed
            )
            apart = np.abs(_value(f, system, path.dataset) - _last(system, path)).max(axis=1)
            squares.append([batch.mean() for batch in np.array_split(apart**2, _BATCHES)])
            sizes.append(step.dt)
        dt, squared = np.array(sizes), np.array(squares)
        error = np.sqrt(squared.mean(axis=1))
        batches = f"Student, {_BATCHES} batches of paths"
        mean = student(squared[0])
        ends = {name: max(getattr(mean, name), 0.0) ** 0.5 for name in ("value", "low", "high")}
        finest = replace(mean, **ends, method=batches, observations=settings.ensemble)
        rate = None
        if squared.max() >= 1e-24:
            slopes = [_slope(dt, np.sqrt(column)) for column in squared.T]
            rate = normal(_slope(dt, error), float(np.std(slopes, ddof=1)) / _BATCHES**0.5, degrees=_BATCHES - 1)
            limits = ("the bias of fitting a power law at finite h", *rate.limits)
            rate = replace(rate, method=batches, limits=limits, observations=settings.ensemble)
        predicted = find(scheme).strong_for(system.coefficients())
        return cls(scheme, system.states[-1].name, predicted, dt, error, finest, rate)

    @property
    def words(self) -> str:
        if self.rate is None:
            return f"[bold]{self.scheme}[/]: f(X) and {self.name} agree to rounding at every step size."
        return (
            f"[bold]{self.scheme}[/]: f(X) and {self.name} differ by {escape(str(self.finest))} at "
            f"h = {self.dt[0]:.2g}, and as h^r, r = {escape(str(self.rate))}; the scheme's strong order is "
            f"{self.predicted:g}."
        )

    def record(self, run: Run, settings: Ito) -> None:
        """The rate among the results, and a line of metrics for every step size."""
        run.result(
            **{
                f"{self.scheme}_rate": self.rate,
                f"{self.scheme}_finest_error": self.finest,
                f"{self.scheme}_predicted": self.predicted,
            }
        )
        run.rewind(self.scheme, 0)
        for level, (dt, error) in enumerate(zip(self.dt, self.error, strict=True)):
            run.log(self.scheme, settings._steps(level), dt=float(dt), error=float(error))


def _slope(dt: np.ndarray, error: np.ndarray) -> float:
    return float(np.polyfit(np.log(dt), np.log(np.maximum(error, 1e-300)), 1)[0])


def _value(f: sp.Expr, system: ItoProcess, dataset: Any) -> np.ndarray:
    """f along the paths of X, shape (ensemble, time)."""
    states = system.states[:-1]
    given: dict[Any, Any] = {s: sp.sympify(v) for s, v in system.given().items()}
    columns = [torch.from_numpy(dataset[s.name].values) for s in states]
    time = torch.tensor(dataset["time"].values).expand_as(columns[0])
    return torch_function((*states, system.time), f.subs(given))(*columns, time).numpy()


def _last(system: ItoProcess, path: Any) -> np.ndarray:
    return path.dataset[system.states[-1].name].values


def distance_from(cdf: Any, values: np.ndarray) -> Estimate:
    """Kolmogorov's distance sup |F - cdf| of the law F of the values: that of their empirical F_n, -+ the DKW band.

    sup |F_n - F| <= w with the confidence stated, so sup |F - cdf| is within w of sup |F_n - cdf|.
    """
    seen, n = float(stats.kstest(values, cdf).statistic), len(values)
    w = dvoretzky_kiefer_wolfowitz(n, error=1 - Fraction(0.95))
    return Estimate(
        seen,
        max(math.nextafter(seen - w, -1), 0.0),
        min(math.nextafter(seen + w, 2), 1.0),
        guarantee="at this n",
        method="Dvoretzky-Kiefer-Wolfowitz",
        assumes="the paths are independent and of one law",
        limits=("the rounding of the law's distribution function", "what of the distance is the time step's"),
        observations=n,
    )


def _law(X: ItoProcess, horizon: float) -> tuple[Law | None, str]:
    """The exact law of X at the horizon; or why there is none."""
    try:
        law = X.numeric().law(horizon)
        return law, f"The exact law of {', '.join(map(str, X.states))} at time {horizon:g} is {law.name}."
    except InputError as error:
        return None, f"The exact law is not known here: {error}"


def _free_name(X: ItoProcess) -> str:
    taken = {s.name for s in X._symbols()} | {s.name for s in X.states}
    return next(name for name in ("Y", "Z", "F", *(f"Y{k}" for k in range(100))) if name not in taken)
