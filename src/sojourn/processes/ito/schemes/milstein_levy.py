"""Milstein for noise that need not commute: X + a h + B dW + sum_jk Lj B_k I_jk; strong order 1.

I_jk = int W_j dW_k over the step = (dW_j dW_k - delta_jk h) / 2 + A_jk,    A_jk = 1/2 int (W_j dW_k - W_k dW_j)
"""

from sojourn.processes.ito.schemes.scheme import Scheme


def step(sde, t, x, h, increments):
    a, B, W = sde.drift(t, x), sde.diffusion(t, x), increments.W
    new = [x[i] + a[i] * h + sum(b * dW for b, dW in zip(B[i], W, strict=True)) for i in range(len(x))]
    for j in range(sde.noises):
        for k in range(sde.noises):
            # the first index, j, is the inner integral's, and the noise that Lj differentiates along
            iterated = (W[j] * W[j] - h) / 2 if j == k else W[j] * W[k] / 2 + increments.area(j, k)
            new = [value + slope * iterated for value, slope in zip(new, sde.L_diffusion(t, x, j, k), strict=True)]
    return new


MILSTEIN_LEVY = Scheme(
    "milstein-levy",
    step,
    "WA",
    strong=1.0,
    weak=1.0,
    reference="Milstein, Theory Probab. Appl. 19 (1974); Mrongowius and Roessler, Stoch. Anal. Appl. 40 (2022)",
)
