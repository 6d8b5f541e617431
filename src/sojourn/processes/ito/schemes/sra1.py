"""SRA1 of Roessler for additive noise: two stages, no derivatives; strong order 3/2, weak order 2.

H = X + 3/4 a(t, X) h + 3/2 B(t+h) Z / h
X + h/3 (a(t, X) + 2 a(t + 3/4 h, H)) + B(t+h) dW + (B(t) - B(t+h)) Z / h,    Z_k = int (W_k(s) - W_k(t)) ds
"""

from sojourn.errors import InputError
from sojourn.processes.ito.schemes.scheme import Scheme, strongest


def step(sde, t, x, h, increments):
    states, W = range(len(x)), increments.W
    Z = sde.let(*(z / h for z in increments.Z))
    a, before, after = sde.drift(t, x), sde.diffusion(t, x), sde.diffusion(t + h, x)
    H = sde.let(
        *(x[i] + a[i] * h * 3 / 4 + sum(b * z for b, z in zip(after[i], Z, strict=True)) * 3 / 2 for i in states)
    )
    later = sde.drift(t + h * 3 / 4, H)
    return [
        x[i]
        + (a[i] + later[i] * 2) * h / 3
        + sum(after[i][k] * W[k] + (before[i][k] - after[i][k]) * Z[k] for k in range(sde.noises))
        for i in states
    ]


def additive(coefficients):
    """Raises InputError where B depends on the state."""
    if not coefficients.additive:
        raise InputError(
            f"scheme='sra1' needs noise that does not depend on the state, and B depends on "
            f"{', '.join(map(str, coefficients.states))}; use scheme={strongest(coefficients)!r}"
        )


SRA1 = Scheme(
    "sra1",
    step,
    "WZ",
    strong=1.5,
    weak=2.0,
    reference="Roessler, SIAM J. Numer. Anal. 48 (2010)",
    check=additive,
)
