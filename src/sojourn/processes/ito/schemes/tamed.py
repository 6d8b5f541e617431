"""Tamed Euler: X + a h / (1 + h |a|) + B dW; strong order 1/2 and weak order 1 where a grows faster than linearly.

|a| is the sum of the absolute values: any norm does, and this one has a gradient at 0. B must grow linearly at most.
"""

from sojourn.processes.ito.schemes.scheme import Scheme


def step(sde, t, x, h, increments):
    a, B = sde.drift(t, x), sde.diffusion(t, x)
    (tame,) = sde.let(h / (1 + h * sum(sde.absolute(value) for value in a)))
    return [x[i] + a[i] * tame + sum(b * dW for b, dW in zip(B[i], increments.W, strict=True)) for i in range(len(x))]


TAMED = Scheme(
    "tamed",
    step,
    "W",
    strong=0.5,
    weak=1.0,
    reference="Hutzenthaler, Jentzen and Kloeden, Ann. Appl. Probab. 22 (2012)",
    one_where="additive",
)
