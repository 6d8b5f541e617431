"""A step of eight robots within their vessels, all by the same instructions: `motion.move` and `motion.reflected`."""

import math

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from sojourn.kernels.blood_block import (
    ACROSS,
    ALONG,
    AXIS,
    BOUNCE,
    CHORD,
    CONTACT,
    EXPOSURE,
    FRAME,
    INVERSE,
    LENGTH,
    LIMIT,
    MIXING,
    MOVES,
    ORIGIN,
    PEAK,
    RADIUS,
    RATE,
    SHEAR,
    STEP,
    VELOCITY,
    W,
)
from sojourn.kernels.float_vectors import fma, load, store
from sojourn.kernels.vector_functions import choose, power, sqrt


@njit(nogil=True, forceinline=True)
def move(w, i, xi, draws, body, field, jacobian, pulls, magnetic, pushed):
    """`motion.move` and `motion.reflected` for robots i .. i + 7; the bits of those to which something has happened."""
    a, diffusivity, mobility, turning, spin, speed, moment, shape, dt = body
    y1, y2 = load(w, ACROSS + i), load(w, ACROSS + W + i)
    r2 = fma(y1, y1, fma(y2, y2, 1e-40))
    r = sqrt(r2)
    limit, mixing = load(w, LIMIT + i), load(w, MIXING + i)
    gap = (limit - r) * (1 / a)
    gap = choose(gap > 0.0, gap, 0.0)
    # One division for 1/r, 1/h and the wall's resistance.
    h, resisted = gap + 1.0, fma(gap, fma(gap, 6.0, 9.0), 2.0)
    both = h * resisted
    inverse = 1.0 / (r * both)
    out = both * inverse
    rest = r * inverse
    e, eased = resisted * rest, h * rest
    o1, o2 = y1 * out, y2 * out
    parallel = fma(e, fma(e * e, fma(e, fma(e, -1 / 16, -45 / 256), 1 / 8), -9 / 16), 1.0)
    normal = 2.0 * gap * fma(gap, 3.0, 1.0) * eased
    slope = fma(gap, fma(gap, 42.0, 24.0), 4.0) * (eased * eased)
    more = load(w, INVERSE + i) * (normal - parallel)
    azimuth = normal - more * r2
    noise, mixed = 2 * dt * diffusivity, 2 * dt * fma(mixing, r, 1e-30)
    kick = sqrt(parallel * noise)
    kick_n, kick_a = sqrt(fma(normal, noise, mixed)), sqrt(fma(azimuth, noise, mixed))

    f0, f1, f2 = load(w, FRAME + i), load(w, FRAME + W + i), load(w, FRAME + 2 * W + i)
    f3, f4, f5 = load(w, FRAME + 3 * W + i), load(w, FRAME + 4 * W + i), load(w, FRAME + 5 * W + i)
    f6, f7, f8 = load(w, FRAME + 6 * W + i), load(w, FRAME + 7 * W + i), load(w, FRAME + 8 * W + i)
    a0, a1, a2 = load(w, AXIS + i), load(w, AXIS + W + i), load(w, AXIS + 2 * W + i)
    e0, e1, e2 = _dot(f0, f1, f2, a0, a1, a2), _dot(f3, f4, f5, a0, a1, a2), _dot(f6, f7, f8, a0, a1, a2)
    s, shear = load(w, ALONG + i), load(w, SHEAR + i)
    velocity = shear * (load(w, PEAK + i) - r2)
    x0, x1, x2 = load(xi, draws), load(xi, draws + W), load(xi, draws + 2 * W)
    swim = speed * dt
    drift = fma(fma(slope, -diffusivity / a, mixing) * 0.5, fma(x1, x1, x2 * x2), more * r * diffusivity) * dt
    if pushed is not None:
        rise, steepness = pushed
        risen = rise * power(r / load(w, RADIUS + i), steepness)
        drift = drift + mixing * (steepness * dt) * risen / (risen + 1.0)
    radial = fma(kick_n - kick_a, fma(x1, o1, x2 * o2), drift)
    ds = fma(velocity, dt, fma(e0, swim, kick * x0))
    d1 = fma(e1, swim, fma(kick_a, x1, radial * o1))
    d2 = fma(e2, swim, fma(kick_a, x2, radial * o2))

    # The turn, in the vessel's frame: vorticity and strain, the torque of the field, noise.
    strain = fma(y1, e1, y2 * e2)
    g = shear * dt
    t0 = g * shape * (e2 * y1 - e1 * y2) * e0
    t1 = g * (shape * (e0 * e0 * y2 - e2 * strain) - y2)
    t2 = g * (shape * (e1 * strain - e0 * e0 * y1) + y1)
    if magnetic:
        b0, b1, b2 = field[0] + 0.0 * s, field[1] + 0.0 * s, field[2] + 0.0 * s
        if pulls:
            along = s * load(w, CHORD + i)
            p0 = load(w, ORIGIN + i) + _dot(along, y1, y2, f0, f3, f6)
            p1 = load(w, ORIGIN + W + i) + _dot(along, y1, y2, f1, f4, f7)
            p2 = load(w, ORIGIN + 2 * W + i) + _dot(along, y1, y2, f2, f5, f8)
            b0 = b0 + _dot(p0, p1, p2, jacobian[0, 0], jacobian[0, 1], jacobian[0, 2])
            b1 = b1 + _dot(p0, p1, p2, jacobian[1, 0], jacobian[1, 1], jacobian[1, 2])
            b2 = b2 + _dot(p0, p1, p2, jacobian[2, 0], jacobian[2, 1], jacobian[2, 2])
            m0 = _dot(a0, a1, a2, jacobian[0, 0], jacobian[0, 1], jacobian[0, 2])
            m1 = _dot(a0, a1, a2, jacobian[1, 0], jacobian[1, 1], jacobian[1, 2])
            m2 = _dot(a0, a1, a2, jacobian[2, 0], jacobian[2, 1], jacobian[2, 2])
            pull = moment * mobility * dt
            g0, g1, g2 = _dot(f0, f1, f2, m0, m1, m2), _dot(f3, f4, f5, m0, m1, m2), _dot(f6, f7, f8, m0, m1, m2)
            towards = (normal - azimuth) * fma(g1, o1, g2 * o2)
            ds = ds + pull * parallel * g0
            d1 = d1 + pull * fma(azimuth, g1, towards * o1)
            d2 = d2 + pull * fma(azimuth, g2, towards * o2)
        c0, c1, c2 = _dot(f0, f1, f2, b0, b1, b2), _dot(f3, f4, f5, b0, b1, b2), _dot(f6, f7, f8, b0, b1, b2)
        twist = spin * moment * dt
        t0 = t0 + twist * (e1 * c2 - e2 * c1)
        t1 = t1 + twist * (e2 * c0 - e0 * c2)
        t2 = t2 + twist * (e0 * c1 - e1 * c0)
    shake = math.sqrt(2 * turning * dt)
    t0 = fma(load(xi, draws + 3 * W), shake, t0)
    t1 = fma(load(xi, draws + 4 * W), shake, t1)
    t2 = fma(load(xi, draws + 5 * W), shake, t2)

    # Turned, as `motion.rotated`.
    z = 0.25 * _dot(t0, t1, t2, t0, t1, t2)
    p, q = fma(z, z - 105.0, 945.0), fma(z, fma(z, 15.0, -420.0), 945.0)
    scale = p / fma(q, q, p * p * z)
    u0, u1, u2 = t1 * e2 - t2 * e1, t2 * e0 - t0 * e2, t0 * e1 - t1 * e0
    once, twice = scale * q, 0.5 * scale * p
    e0 = e0 + fma(once, u0, twice * (t1 * u2 - t2 * u1))
    e1 = e1 + fma(once, u1, twice * (t2 * u0 - t0 * u2))
    e2 = e2 + fma(once, u2, twice * (t0 * u1 - t1 * u0))
    size = 1.5 - 0.5 * _dot(e0, e1, e2, e0, e1, e2)
    e0, e1, e2 = e0 * size, e1 * size, e2 * size

    moves = load(w, MOVES + i) > 0.5
    store(w, AXIS + i, choose(moves, _dot(e0, e1, e2, f0, f3, f6), a0))
    store(w, AXIS + W + i, choose(moves, _dot(e0, e1, e2, f1, f4, f7), a1))
    store(w, AXIS + 2 * W + i, choose(moves, _dot(e0, e1, e2, f2, f5, f8), a2))
    store(w, EXPOSURE + i, fma(load(w, RATE + i) * r, dt, load(w, EXPOSURE + i)))
    n1, n2, new, before = y1 + d1, y2 + d2, s + ds, r2
    r2 = fma(n1, n1, fma(n2, n2, 1e-40))
    beyond = r2 > limit * limit
    if _bits(beyond):
        far = sqrt(r2)
        fold = choose(beyond, (limit - load(w, BOUNCE + i) * (far - limit)) / far, 1.0)
        n1, n2 = n1 * fold, n2 * fold
        r2 = fma(n1, n1, fma(n2, n2, 1e-40))
    new, n1, n2, r2 = choose(moves, new, s), choose(moves, n1, y1), choose(moves, n2, y2), choose(moves, r2, before)
    store(w, ALONG + i, new)
    store(w, ACROSS + i, n1)
    store(w, ACROSS + W + i, n2)
    bits = _bits(new < 0.0) | _bits(new > load(w, LENGTH + i)) | _bits(r2 > load(w, CONTACT + i))
    if bits:
        store(w, STEP + i, ds)
        store(w, VELOCITY + i, velocity)
    return bits


@njit(nogil=True, forceinline=True)
def _dot(a, b, c, x, y, z):
    return fma(a, x, fma(b, y, c * z))


@intrinsic
def _bits(typing, truths):
    """The truth values as bits of a whole number, the first one lowest."""

    def generate(context, builder, signature, arguments):
        narrow = builder.bitcast(arguments[0], ir.IntType(signature.args[0].lanes))
        return builder.zext(narrow, ir.IntType(64))

    return types.int64(truths), generate
