"""Heun on the Stratonovich form dX = a' dt + B o dW, a' = a - 1/2 sum_j Lj B_j; weak order 1, strong 1/2.

P = X + a' h + B dW,    X + h/2 (a'(t, X) + a'(t+h, P)) + 1/2 (B(t, X) + B(t+h, P)) dW
Strong order 1 where the noise commutes, and order 2 where there is none.
"""

from sojourn.processes.ito.schemes.scheme import Scheme


def step(sde, t, x, h, increments):
    states, W = range(len(x)), increments.W
    a, B = sde.stratonovich_drift(t, x), sde.diffusion(t, x)
    P = sde.let(*(x[i] + a[i] * h + sum(b * dW for b, dW in zip(B[i], W, strict=True)) for i in states))
    later, after = sde.stratonovich_drift(t + h, P), sde.diffusion(t + h, P)
    return [
        x[i] + (a[i] + later[i]) * h / 2 + sum((B[i][k] + after[i][k]) * W[k] for k in range(sde.noises)) / 2
        for i in states
    ]


HEUN = Scheme(
    "heun",
    step,
    "W",
    strong=0.5,
    weak=1.0,
    reference="Ruemelin, SIAM J. Numer. Anal. 19 (1982)",
    one_where="commuting",
)
