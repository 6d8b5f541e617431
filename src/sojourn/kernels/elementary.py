"""Elementary functions of many numbers side by side, without branches: formulas on `Lanes`, float32 and float64.

NaN stays NaN, infinities and zero go where they should. Errors, in units of the last place: see each function; those
without a float32 form of their own are computed in float64 and rounded.
"""

from __future__ import annotations

import math
from functools import wraps

from sojourn.kernels.normals import ATANH, COS, LN2, LOG1P, SIN, split_exponent

# Minimax polynomials; the number after each is its largest error, relative to the function.
_EXP = {
    32: [0.5000000046383781, 0.16666666817274448, 0.041666354787067886, 0.00833327301093296, 0.0013940998219746465,
         0.0001991418811430594],
    64: [0.5, 0.16666666666666677, 0.0416666666666667, 0.008333333333321626, 0.0013888888888866746,
         0.0001984126988613139, 2.4801587360695975e-05, 2.755724421209053e-06, 2.7557242663316754e-07,
         2.5109033468247864e-08, 2.092446815771535e-09],
}  # fmt: skip
"""(exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2: 2.4e-10 and 2.7e-19 of exp(r) - 1."""
_SINH = [0.16666666666666669, 0.008333333333333148, 0.00019841269841431873, 2.755731915707224e-06]
_SINH += [2.505212313666487e-08, 1.6057259773167368e-10, 7.758748669823214e-13]
"""(sinh(x) / x - 1) / x^2 for |x| <= 1: 8.7e-20."""
_TANH = [-0.33333333333332854, 0.13333333333262087, -0.05396825393126597, 0.02186948757606132, -0.008863221002268008]
_TANH += [0.0035919891713589776, -0.0014549588671863923, 0.0005863165092697108, -0.00022856415443456586]
_TANH += [7.714430693528125e-05, -1.607254198229034e-05]
"""(tanh(x) / x - 1) / x^2 for |x| <= 0.625: 1.1e-17."""
_ATAN = [-0.3333333333333015, 0.19999999999088897, -0.14285714195258484, 0.11111106653513561, -0.09090782411288623]
_ATAN += [0.07690068288412269, -0.06641121109684406, 0.05692538640061945, -0.043590943849636285, 0.021259834976736797]
"""(atan(x) / x - 1) / x^2 for |x| <= tan(pi / 8): 3.6e-17."""
_ERF = [1.1283791670955126, -0.3761263890318352, 0.11283791670944185, -0.026866170643111375, 0.00522397760611762]
_ERF += [-0.0008548325929271561, 0.00012055293575584894, -1.4924712276392898e-05, 1.644713125308437e-06]
_ERF += [-1.6206311317090234e-07, 1.371096985769452e-08, -7.779448909652672e-10]
"""erf(x) / x in x^2 for |x| <= 1: 7.3e-18."""
_ERFC = [0.2897221163234631, 0.3968704560303577, -0.1775868509275739, 0.03899932730437776, 0.03431997867159961]
_ERFC += [-0.058794952316783014, 0.050757959541171446, -0.02535736860315336, -0.004451400255646482]
_ERFC += [0.028753661803696786, -0.041284636265964875, 0.039459949504116784, -0.02342082315941191]
_ERFC += [-0.0034343028974466866, 0.02854919531011156, -0.0320160032697499, 0.01356081764380171]
"""exp(1 / t^2) erfc(1 / t) in t - 7/12 for 1/6 <= t <= 1: 8.9e-17 of erf."""

_LN2_PARTS = {32: (0.693359375, -2.1219444005469057e-4), 64: (0.6931471803691238, 1.9082149292705877e-10)}
_HALF_PI_PARTS = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)  # 33 bits and 33 bits


def _in_double(formula):
    """The formula for float64, and for float32 by its rounding."""

    @wraps(formula)
    def apply(*arguments):
        if arguments[0].bits == 64:
            return formula(*arguments)
        half = arguments[0].count // 2
        parts = []
        for first in (0, half):
            places = range(first, first + half)
            parts.append(formula(*(a.shuffled(a, places).resized(64) for a in arguments)).resized(32))
        return parts[0].shuffled(parts[1], range(2 * half))

    return apply


def sqrt(x):
    """Rounded correctly."""
    return x.sqrt()


def absolute(x):
    """|x|."""
    return x.absolute()


def sign(x):
    """-1, 0 or 1; 0 for NaN, as PyTorch's."""
    return x.compare(">", 0).choose(1.0, x.compare("<", 0).choose(x.constant(-1.0), 0.0))


def maximum(x, y):
    """The larger one, or NaN where either is NaN."""
    return y.compare("!=", y).choose(y, x.compare("<=", y).choose(y, x))


def minimum(x, y):
    """The smaller one, or NaN where either is NaN."""
    return y.compare("!=", y).choose(y, x.compare(">=", y).choose(y, x))


def whole_power(x, exponent):
    """x^exponent by squaring; 1 / x^-exponent where it is negative."""
    if exponent < 0:
        return 1.0 / whole_power(x, -exponent)
    value, square = None, x
    while exponent:
        if exponent & 1:
            value = square if value is None else value * square
        square, exponent = square * square if exponent > 1 else square, exponent >> 1
    return x.constant(1) if value is None else value


def exp(x):
    """e^x, within 1.5."""
    return _nan_of(x, _scaled_exp(x, 0))


def log(x):
    """log(x), within 2."""
    fraction, tiny = {32: (23, 2.0**-126), 64: (52, 2.0**-1022)}[x.bits]
    subnormal = x.compare("<", tiny)
    e, m = split_exponent(subnormal.choose(x * 2.0**fraction, x), 2 / 3)
    e = e - subnormal.choose(e.constant(fraction), 0.0)
    r = m - 1.0
    if x.bits == 32:
        value = r * r.polynomial(LOG1P)
    else:
        s = r / (r + 2.0)
        z = s * s
        # log(m) = 2 s + 2 s^3 A, and 2 s = r - s r
        value = r - s * (r - (z * z.polynomial(ATANH)) * 2.0)
    high, low = _LN2_PARTS[x.bits]
    value = e.fma(high, e.fma(low, value))
    value = x.compare("==", math.inf).choose(x, value)
    value = x.compare("==", 0.0).choose(value.constant(-math.inf), value)
    return _nan_of(x, x.compare("<", 0.0).choose(value.constant(math.nan), value))


def sin(x):
    """sin(x), within 2 for |x| < 1e5 in float32, for |x| < 1e6 in float64 to 2e-16 absolutely; farther out it fades."""
    sine, cosine, quadrant = _circle(x)
    return _turned(sine, cosine, quadrant)


def cos(x):
    """cos(x); as `sin`."""
    sine, cosine, quadrant = _circle(x)
    return _turned(sine, cosine, quadrant + 1)


@_in_double
def tan(x):
    """tan(x), within 4; as `sin`."""
    sine, cosine, quadrant = _circle(x)
    swapped = (quadrant & 1).compare("!=", 0)
    return swapped.choose(-cosine, sine) / swapped.choose(sine, cosine)


@_in_double
def sinh(x):
    """sinh(x), within 3."""
    z = x * x
    near = x + x * (z * z.polynomial(_SINH))
    half = _scaled_exp(x.absolute(), -1)  # e^|x| / 2
    far = _signed(half - 0.25 / half, x)
    return _nan_of(x, x.absolute().compare("<", 1.0).choose(near, far))


@_in_double
def cosh(x):
    """cosh(x), within 3."""
    half = _scaled_exp(x.absolute(), -1)
    return _nan_of(x, half + 0.25 / half)


@_in_double
def tanh(x):
    """tanh(x), within 3."""
    z = x * x
    near = x + x * (z * z.polynomial(_TANH))
    far = _signed(1.0 - 2.0 / (_scaled_exp(x.absolute() * 2.0, 0) + 1.0), x)
    return _nan_of(x, x.absolute().compare("<", 0.625).choose(near, far))


@_in_double
def atan(x):
    """atan(x), within 3."""
    size = x.absolute()
    beyond = size.compare(">", 1.0)
    a = beyond.choose(1.0 / size, size)
    upper = a.compare(">", math.tan(math.pi / 8))
    r = upper.choose((a - 1.0) / (a + 1.0), a)  # atan(a) = pi/4 + atan((a - 1) / (a + 1))
    z = r * r
    value = r + r * (z * z.polynomial(_ATAN))
    value = upper.choose(value + math.pi / 4, value)
    return _signed(beyond.choose(math.pi / 2 - value, value), x)


@_in_double
def erf(x):
    """erf(x), within 4."""
    z = x * x
    near = x * z.polynomial(_ERF)
    size = x.absolute()
    size = size.compare("<", 6.0).choose(size, 6.0)
    t = size.compare(">", 1.0).choose(1.0 / size, 1.0) - 7 / 12
    far = _signed(1.0 - _scaled_exp(-(size * size), 0) * t.polynomial(_ERFC), x)
    return _nan_of(x, x.absolute().compare("<", 1.0).choose(near, far))


@_in_double
def power(x, y):
    """x^y; in float64 the relative error is up to (2 + 2 |y log x|) 2^-53. NaN for x < 0 unless y is whole."""
    value = exp(log(x.absolute()) * y)
    whole = y.nearest().compare("==", y)
    odd = ((y * 0.5).nearest() - y * 0.5).compare("!=", 0.0)
    below = whole.choose(odd.choose(-value, value), math.nan)
    value = x.compare("<", 0.0).choose(below, value)
    return y.compare("==", 0.0).choose(value.constant(1.0), value)


# ------------------------------------------------------------------------------------------------- parts of them


def _scaled_exp(x, exponent):
    """2^exponent e^x; where x is NaN, anything."""
    limit = {32: 110.0, 64: 760.0}[x.bits]  # beyond, the result is 0 or infinite anyway
    x = x.compare("<", limit).choose(x, limit)
    x = x.compare(">", -limit).choose(x, -limit)
    k = (x * (1 / LN2)).nearest()
    high, low = _LN2_PARTS[x.bits]
    r = k.fma(-low, k.fma(-high, x))
    value = r + r * r * r.polynomial(_EXP[x.bits]) + 1.0
    whole = k.to_integers() + exponent
    first = whole.shift_signed(1)  # in two halves, so that a result may be subnormal
    return value * _two_to(first) * _two_to(whole - first)


def _two_to(k):
    """2^k as floating-point numbers, from integers."""
    fraction, bias = {32: (23, 127), 64: (52, 1023)}[k.bits]
    return ((k + bias) << fraction).as_floats()


def _circle(x):
    """sin and cos of the rest of x in [-pi/4, pi/4], and the number of quarter turns taken away, as an integer."""
    rest, quarters = _rest(x)
    z = rest * rest
    sine = rest + rest * (z * z.polynomial(SIN[x.bits]))
    cosine = z * z.polynomial(COS[x.bits]) + 1.0
    return sine, cosine, quarters.to_integers()


def _rest(x):
    """x minus a whole number of quarter turns, and that number."""
    if x.bits == 64:
        quarters = (x * (2 / math.pi)).nearest()
        rest = x
        for part in _HALF_PI_PARTS:
            rest = quarters.fma(-part, rest)
        return rest, quarters
    half = x.count // 2
    parts = [_rest(x.shuffled(x, range(first, first + half)).resized(64)) for first in (0, half)]
    low, high = ([part.resized(32) for part in both] for both in parts)
    return tuple(a.shuffled(b, range(2 * half)) for a, b in zip(low, high, strict=True))


def _turned(sine, cosine, quadrant):
    """sin of the angle with the given sin and cos, `quadrant` quarter turns on."""
    value = (quadrant & 1).compare("!=", 0).choose(cosine, sine)
    minus = (quadrant & 2) << value.bits - 2
    return (value.as_integers() ^ minus).as_floats()


def _signed(size, x):
    """size >= 0 with the sign of x."""
    return (size.as_integers() | (x.as_integers() & (1 << x.bits - 1))).as_floats()


def _nan_of(x, value):
    """NaN where x is NaN, the value elsewhere."""
    return x.compare("!=", x).choose(x, value)
