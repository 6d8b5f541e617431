"""Milstein without its Levy areas, for any noise: strong order 1/2, and 1 where the noise commutes.

Alone it is no better than Euler-Maruyama. With an antithetic twin, which exchanges the increments of each pair of
steps, the missing areas cancel to leading order in a multilevel difference; see `sojourn.multilevel`.
"""

from sojourn.processes.ito.schemes.milstein import step
from sojourn.processes.ito.schemes.scheme import Scheme

MILSTEIN_TRUNCATED = Scheme(
    "milstein-truncated",
    step,
    "W",
    strong=0.5,
    weak=1.0,
    reference="Giles and Szpruch, Ann. Appl. Probab. 24 (2014)",
    one_where="commuting",
)
