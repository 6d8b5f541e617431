"""Milstein: X + a h + B dW + 1/2 sum_jk Lj B_k (dW_j dW_k - delta_jk h); strong order 1 where the noise commutes."""

from sojourn.errors import InputError
from sojourn.processes.ito.schemes.scheme import Scheme


def step(sde, t, x, h, increments):
    a, B, W = sde.drift(t, x), sde.diffusion(t, x), increments.W
    new = [x[i] + a[i] * h + sum(b * dW for b, dW in zip(B[i], W, strict=True)) for i in range(len(x))]
    for j in range(sde.noises):
        for k in range(sde.noises):
            iterated = (W[j] * W[k] - h if j == k else W[j] * W[k]) / 2
            new = [value + slope * iterated for value, slope in zip(new, sde.L_diffusion(t, x, j, k), strict=True)]
    return new


def commutes(coefficients):
    """Raises InputError unless Lj B_k = Lk B_j for all j, k."""
    if found := coefficients.commutator:
        i, j, k, bracket = found
        raise InputError(
            f"scheme='milstein' needs noise that commutes, and L{j + 1} B{k + 1} - L{k + 1} B{j + 1} = {bracket} in "
            f"the equation of {coefficients.states[i]}; use scheme='milstein-levy', or 'euler'"
        )


MILSTEIN = Scheme(
    "milstein",
    step,
    "W",
    strong=1.0,
    weak=1.0,
    reference="Milstein, Theory Probab. Appl. 19 (1974)",
    check=commutes,
)
