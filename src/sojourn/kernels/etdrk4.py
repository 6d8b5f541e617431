"""The arithmetic between the transforms of one ETDRK4 step of Gray-Scott, fused; equals `etdrk4.step`, to rounding.

Coefficients of waves are flat real arrays, u first and then v (a complex number is two entries), and so are the
scheme's coefficients, one for each entry. `w` is the transform of u v^2; the reaction is
    n_u = F (delta - m_u) - w,    n_v = w - (F + k) m_v,    delta = 1 for the constant wave, entry 0.
"""

from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "fastmath": {"contract"}}


@njit(**_OPTIONS)
def _reaction(m, w, feed, drain, n):
    h = w.size
    for i in range(h):
        n[i] = -feed * m[i] - w[i]
    for i in range(h):
        n[h + i] = w[i] - drain * m[h + i]
    n[0] += feed


@njit(**_OPTIONS)
def stage(m, w, feed, drain, half, middle, start, n, out):
    """n = N(m); out = E2 start + Q n."""
    _reaction(m, w, feed, drain, n)
    for i in range(n.size):
        out[i] = half[i] * start[i] + middle[i] * n[i]


@njit(**_OPTIONS)
def third_stage(b, w, feed, drain, half, middle, a, n_start, n, out):
    """n = N(b); out = E2 a + Q (2 n - N(start))."""
    _reaction(b, w, feed, drain, n)
    for i in range(n.size):
        out[i] = half[i] * a[i] + middle[i] * (2 * n[i] - n_start[i])


@njit(**_OPTIONS)
def last_stage(c, w, feed, drain, whole, first, second, last, start, n_start, na, nb, n, out):
    """n = N(c); out = E start + f1 N(start) + 2 f2 (N(a) + N(b)) + f3 n."""
    _reaction(c, w, feed, drain, n)
    for i in range(n.size):
        out[i] = whole[i] * start[i] + first[i] * n_start[i] + second[i] * (na[i] + nb[i]) + last[i] * n[i]


@njit(**_OPTIONS)
def product(y, out):
    """u v^2 of flat values, u first and then v."""
    h = out.size
    for i in range(h):
        out[i] = y[i] * y[h + i] * y[h + i]
