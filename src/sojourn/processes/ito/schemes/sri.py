"""SRIW1 of Roessler for one noise, or diagonal noise (X_i moved by W_i alone); strong and weak order 3/2.

Stages H for the drift and G for the noise; I_11 = (dW^2 - h)/2, I_111 = (dW^3 - 3 h dW)/6, Z = int (W(s) - W(t)) ds:
    H_2 = X + 3/4 h a_1 + 3/2 b_1 Z / h
    G_2 = X + 1/4 h a_1 + 1/2 sqrt(h) b_1
    G_3 = X + h a_1 - sqrt(h) b_1
    G_4 = X + 1/4 h a_1 + sqrt(h) (-5 b_1 + 3 b_2 + 1/2 b_3)
    X + h (a_1 + 2 a_2) / 3 + dW (-b_1 + 4/3 b_2 + 2/3 b_3) + I_11 / sqrt(h) (-b_1 + 4/3 b_2 - 1/3 b_3)
      + Z / h (2 b_1 - 4/3 b_2 - 2/3 b_3) + I_111 / h (-2 b_1 + 5/3 b_2 - 2/3 b_3 + b_4)
where a_2 = a(t + 3/4 h, H_2), and b_2, b_3, b_4 are at times t + h/4, t + h, t + h/4.

No derivatives. The stages in sqrt(h) leave an error of h^(5/2) in E[X^2] of a step, so the weak order is 3/2; it is 2
where b is linear in X.
"""

from sojourn.errors import InputError
from sojourn.processes.ito.schemes.scheme import Scheme, strongest


def step(sde, t, x, h, increments):
    states = range(len(x))
    own = [0 if sde.noises == 1 else i for i in states]  # the noise that moves state i

    def b(time, at):
        B = sde.diffusion(time, at)
        return [B[i][own[i]] for i in states]

    def stage(a, scale, noise):
        return sde.let(*(x[i] + a[i] * scale + noise(i) for i in states))

    (root,) = sde.let(sde.sqrt(h))
    Z = sde.let(*(z / h for z in increments.Z))
    W = increments.W
    a1, b1 = sde.drift(t, x), b(t, x)
    a2 = sde.drift(t + h * 3 / 4, stage(a1, h * 3 / 4, lambda i: b1[i] * Z[own[i]] * 3 / 2))
    b2 = b(t + h / 4, stage(a1, h / 4, lambda i: b1[i] * root / 2))
    b3 = b(t + h, stage(a1, h, lambda i: b1[i] * -root))
    b4 = b(t + h / 4, stage(a1, h / 4, lambda i: (b1[i] * -5 + b2[i] * 3 + b3[i] / 2) * root))
    I11 = sde.let(*((w * w - h) / 2 / root for w in W))
    I111 = sde.let(*(w * (w * w - h * 3) / 6 / h for w in W))
    return [
        x[i]
        + (a1[i] + a2[i] * 2) * h / 3
        + W[own[i]] * (b2[i] * 4 + b3[i] * 2 - b1[i] * 3) / 3
        + I11[own[i]] * (b2[i] * 4 - b3[i] - b1[i] * 3) / 3
        + Z[own[i]] * (b1[i] * 6 - b2[i] * 4 - b3[i] * 2) / 3
        + I111[own[i]] * (b2[i] * 5 - b3[i] * 2 - b1[i] * 6 + b4[i] * 3) / 3
        for i in states
    ]


def one_or_diagonal(coefficients):
    """Raises InputError unless there is one noise, or noise i moves state i alone by what depends on no other state."""
    if coefficients.noises > 1 and not coefficients.diagonal:
        raise InputError(
            f"scheme='sri' needs one noise, or diagonal noise (W_i moves X_i alone, by an amount that depends on no "
            f"other state), and here {coefficients.noises} noises move {len(coefficients.states)} states otherwise; "
            f"use scheme={strongest(coefficients)!r}, or 'weak2'"
        )


SRI = Scheme(
    "sri",
    step,
    "WZ",
    strong=1.5,
    weak=1.5,
    reference="Roessler, SIAM J. Numer. Anal. 48 (2010)",
    check=one_or_diagonal,
)
