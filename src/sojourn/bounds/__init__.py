"""Tail inequalities, confidence intervals and confidence sequences, evaluated with rounding away from the truth.

bounds.hoeffding(50, n=1000, range=(0, 1))                   # an inequality: P(S - E S >= 50) is at most this
bounds.best_bound(bounds.Assumptions(n=1000, mean=0.5, range=(0, 1)), 0.05)
bounds.intervals.betting(x, range=(0, 1))                    # an interval for a number of observations fixed before
bounds.sequences.Betting(range=(0, 1)).update(x).estimate()  # intervals at all times at once
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sojourn.bounds.assumptions import Assumptions
from sojourn.bounds.best import BestBound, best_bound, best_deviation, best_sample_size
from sojourn.bounds.convex_order import bentkus, bentkus_variance
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.inequality import Inequality
from sojourn.bounds.lower import ash, mills, paley_zygmund, slud
from sojourn.bounds.martingales import (
    azuma,
    azuma_hoeffding,
    de_la_pena,
    delyon,
    fan_grama_liu,
    freedman,
    freedman_bennett,
    mcdiarmid,
    pinelis,
)
from sojourn.bounds.moments import cantelli, chebyshev, markov, markov_of_sum, moment, vysochanskij_petunin
from sojourn.bounds.normal_approximation import berry_esseen, berry_esseen_below, berry_esseen_independent
from sojourn.bounds.sums import (
    bennett,
    bernstein,
    chernoff_bernoulli,
    hoeffding,
    hoeffding_variance,
    sub_gamma,
    sub_gaussian,
)
from sojourn.bounds.suprema import (
    bousquet,
    doob,
    doob_lp,
    doob_norm,
    etemadi,
    hajek_renyi,
    kolmogorov,
    levy,
    marshall,
    reflection,
    ville,
)

if TYPE_CHECKING:
    from sojourn.bounds import heavy_tails, intervals, passage, sequences, trajectories

_ROOMS = ("heavy_tails", "intervals", "passage", "sequences", "trajectories")
"""What needs kernels or data: imported when first used."""

__all__ = [
    "Assumptions",
    "BestBound",
    "Estimate",
    "Inequality",
    "ash",
    "azuma",
    "azuma_hoeffding",
    "bennett",
    "bentkus",
    "bentkus_variance",
    "bernstein",
    "berry_esseen",
    "berry_esseen_below",
    "berry_esseen_independent",
    "best_bound",
    "best_deviation",
    "best_sample_size",
    "bousquet",
    "cantelli",
    "chebyshev",
    "chernoff_bernoulli",
    "de_la_pena",
    "delyon",
    "doob",
    "doob_lp",
    "doob_norm",
    "etemadi",
    "fan_grama_liu",
    "freedman",
    "freedman_bennett",
    "hajek_renyi",
    "heavy_tails",
    "hoeffding",
    "hoeffding_variance",
    "intervals",
    "kolmogorov",
    "levy",
    "markov",
    "markov_of_sum",
    "marshall",
    "mcdiarmid",
    "mills",
    "moment",
    "paley_zygmund",
    "passage",
    "pinelis",
    "reflection",
    "sequences",
    "slud",
    "sub_gamma",
    "sub_gaussian",
    "trajectories",
    "ville",
    "vysochanskij_petunin",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'sojourn.bounds' has no attribute {name!r}")
    return import_module(f"sojourn.bounds.{name}")
