"""Euler-Maruyama: X + a h + B dW; strong order 1/2 (1 where the noise is additive), weak order 1."""

from sojourn.processes.ito.schemes.scheme import Scheme


def step(sde, t, x, h, increments):
    a, B = sde.drift(t, x), sde.diffusion(t, x)
    return [x[i] + a[i] * h + sum(b * dW for b, dW in zip(B[i], increments.W, strict=True)) for i in range(len(x))]


EULER = Scheme(
    "euler",
    step,
    "W",
    strong=0.5,
    weak=1.0,
    reference="Maruyama, Rend. Circ. Mat. Palermo 4 (1955)",
    one_where="additive",
)
