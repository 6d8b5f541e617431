"""Drift-implicit Euler: the Y that solves Y = X + a(t+h, Y) h + B dW; strong order 1/2, weak order 1, for stiff drift.

Solved by Newton's method from Y = X with da/dx in symbols. The first round already has the orders (it is the linearly
implicit Euler step) and is exact for linear drift; each further one squares the error. Four leave less than 1e-8 of
dX = (X - X^3) dt + dW at h = 0.1, and more where one step crosses much of the drift's range: lower h there.
"""

from sojourn.processes.ito.schemes.scheme import Scheme

_ROUNDS = 4


def step(sde, t, x, h, increments):
    states, B = range(len(x)), sde.diffusion(t, x)
    target = sde.let(*(x[i] + sum(b * dW for b, dW in zip(B[i], increments.W, strict=True)) for i in states))
    y, before = x, None
    for _ in range(_ROUNDS):
        J = sde.jacobian(t + h, y)
        if before is not None and all(J[i][k] is before[i][k] for i in states for k in states):
            break  # in symbols what is known keeps its name: the drift is linear, and y is the solution
        a, before = sde.drift(t + h, y), J
        matrix = [[(1 if i == k else 0) - h * J[i][k] for k in states] for i in states]
        move = eliminate(sde, matrix, [target[i] + a[i] * h - y[i] for i in states])
        y = sde.let(*(y[i] + move[i] for i in states))
    return y


def eliminate(sde, matrix, right):
    """The solution of matrix . y = right by elimination without exchange of rows.

    For drift with (x - y) . (a(x) - a(y)) <= L |x - y|^2 and h L < 1 the matrix 1 - h da/dx has a positive symmetric
    part, so no pivot is zero.
    """
    n = len(right)
    rows = [sde.let(*row, last) for row, last in zip(matrix, right, strict=True)]
    for k in range(n):
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rest = sde.let(*(rows[i][c] - factor * rows[k][c] for c in range(k + 1, n + 1)))
            rows[i] = [*rows[i][:k], 0, *rest]
    y = [0] * n
    for i in reversed(range(n)):
        known = sum(rows[i][c] * y[c] for c in range(i + 1, n))
        (y[i],) = sde.let((rows[i][n] - known) / rows[i][i])
    return y


IMPLICIT = Scheme(
    "implicit",
    step,
    "W",
    strong=0.5,
    weak=1.0,
    reference="Higham, Mao and Stuart, SIAM J. Numer. Anal. 40 (2002)",
    one_where="additive",
)
