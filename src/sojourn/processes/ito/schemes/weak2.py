"""The simplified weak Taylor step of order 2, for any noise; right in law only, so of no strong order.

X + a h + 1/2 L0 a h^2 + sum_j (B_j + h/2 (L0 B_j + Lj a)) dW_j + 1/2 sum_jk Lj B_k (dW_j dW_k + V_jk),
V_jj = -h, V_jk = -V_kj = h or -h with probability 1/2 each.
"""

import sympy as sp

from sojourn.errors import InputError
from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.schemes.scheme import Scheme, strongest


def step(sde, t, x, h, increments):
    a, B, W = sde.drift(t, x), sde.diffusion(t, x), increments.W
    states, noises = range(len(x)), range(sde.noises)
    second = sde.L0_drift(t, x)
    new = [x[i] + a[i] * h + second[i] * (h * h / 2) for i in states]
    for j in noises:
        mixed, along = sde.L0_diffusion(t, x, j), sde.L_drift(t, x, j)
        new = [new[i] + (B[i][j] + (mixed[i] + along[i]) * (h / 2)) * W[j] for i in states]
        for k in noises:
            iterated = (W[j] * W[k] + (-h if j == k else increments.area(j, k))) / 2
            new = [value + slope * iterated for value, slope in zip(new, sde.L_diffusion(t, x, j, k), strict=True)]
    return new


def smooth(coefficients):
    """Raises InputError where a coefficient in symbols has a kink or a jump, so no second derivative."""
    if not isinstance(coefficients, Coefficients):  # Python functions do not show theirs
        return
    for name, entries in (("drift", coefficients.drift), *(("diffusion", row) for row in coefficients.diffusion)):
        for entry in entries:
            if kink := entry.atoms(sp.Max, sp.Min, sp.Abs, sp.sign, sp.Heaviside, sp.Piecewise):
                raise InputError(
                    f"scheme='weak2' takes second derivatives, and the {name} {entry} has {kink.pop()}; "
                    f"use scheme={strongest(coefficients)!r}"
                )


WEAK2 = Scheme(
    "weak2",
    step,
    "WV",
    strong=0.0,
    weak=2.0,
    reference="Kloeden and Platen, Numerical Solution of SDEs (1992), (14.2.7)",
    check=smooth,
)
