"""Standard normals for many members at once: those of `Noise.sequence`, to rounding, in registers.

Philox4x32-10 as in `philox.py`, eight members to a vector of 64-bit integers. Two normals from two words by Box-Muller:
R cos(a), R sin(a) with R = sqrt(-2 log((w0 + 1) 2^-32)), a = 2 pi w1 2^-32.
Here the logarithm is taken near 1 from 2^32 - 1 - w0, and the angle is reduced to an eighth of a turn in integers, so
that float32 normals too are right to a few units in the last place, wherever they lie.
"""

import math

from llvmlite import ir
from numba import njit, types, uint32
from numba.extending import intrinsic

from sojourn.kernels.float_vectors import Floats, _address
from sojourn.kernels.lanes import Lanes, spread

_EIGHT, _LOW = 8, 0xFFFFFFFF
_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
LN2 = math.log(2)

# Minimax polynomials; the number after each is its largest error, relative to the function. SIN and COS multiply y^2 in
# sin(y) / y - 1 and cos(y) - 1 for |y| <= pi / 4.
LOG1P = [1.0000000035614376, -0.49999932121539387, 0.3333316888526226, -0.2500802744644676, 0.20011936798405527]
LOG1P += [-0.1641278639339886, 0.13987750545333835, -0.15403227036788467, 0.14055700386812547]
"""log(1 + r) / r for |r| <= 1/3, for float32: 2.6e-8."""
ATANH = [0.33333333333336357, 0.199999999980809, 0.1428571469763733, 0.11111069251189847, 0.09093178025056864]
ATANH += [0.07625094360958667, 0.07684095745604536]
"""(atanh(s) / s - 1) / s^2 for |s| <= 1/5, for float64: 1.5e-17."""
_SIN32 = [-0.1666665494358604, 0.008332178142385054, -0.00019517298618673112]  # 3.6e-9
_SIN64 = [-0.16666666666666632, 0.008333333333322425, -0.0001984126982981695, 2.755731369520125e-06]
_SIN64 += [-2.5050758647029532e-08, 1.5896827478194378e-10]  # 3.5e-18
_COS32 = [-0.49999999694480934, 0.04166662035743495, -0.001388668165487904, 2.4383567825798137e-05]  # 6.4e-11
_COS64 = [-0.5, 0.04166666666666647, -0.0013888888888862, 2.480158728409444e-05, -2.7557313117236697e-07]
_COS64 += [2.087558211941266e-09, -1.1353280851201078e-11]  # 3.9e-20
SIN, COS = {32: _SIN32, 64: _SIN64}, {32: _COS32, 64: _COS64}


TOGETHER = 32  # members whose normals are drawn at once: enough independent work to hide the latency of each


@njit(nogil=True, forceinline=True)
def fill(out, width, members, first_block, blocks, first_member, stream, k0, k1):
    """Normals 4 first_block + j, j = 0, 1, ..., of the sequence of each member i, to out[j width + i].

    Args:
        out: (4 blocks width,) float32 or float64.
        width: room for members, a multiple of TOGETHER.
        members: how many, beginning with `first_member`; rounded up to a multiple of TOGETHER.
        first_block, blocks: which blocks of four numbers.
        stream, k0, k1: of the noise, 32 bits each; k0 is the low word of its seed.
    """
    for block in range(blocks):
        for i in range(0, members, TOGETHER):
            member = uint32(first_member + i)
            _four(out, 4 * block * width + i, width, uint32(first_block + block), member, stream, k0, k1)


@intrinsic
def _four(typing, out, place, width, block, member, stream, k0, k1):
    """The four normals of one block, for TOGETHER members, to out[place + j width], j = 0 .. 3."""

    def generate(context, builder, signature, arguments):
        array_type = signature.args[0]
        array, place, width, block, member, stream, k0, k1 = arguments
        lanes = Floats(array_type.dtype).lanes
        stride = lanes // _EIGHT  # float32: even and odd members apart
        firsts = [base + odd for base in range(0, TOGETHER, lanes) for odd in range(stride)]
        words = _words(builder, block, member, stream, k0, k1, stride, firsts)
        for vector in range(TOGETHER // lanes):
            if stride == 2:
                w = [_interleave(even, odd) for even, odd in zip(*words[2 * vector : 2 * vector + 2], strict=True)]
                normals = *box_muller_32(w[0], w[1]), *box_muller_32(w[2], w[3])
            else:
                w = words[vector]
                normals = *box_muller_64(w[0], w[1]), *box_muller_64(w[2], w[3])
            for j, normal in enumerate(normals):
                offset = builder.add(place, builder.mul(width, width.type(j)))
                target = _address(context, builder, array_type, array, builder.add(offset, place.type(vector * lanes)))
                builder.store(normal.value, target, align=array_type.dtype.bitwidth // 8)
        return context.get_dummy_value()

    word = types.uint32
    return types.void(out, types.intp, types.intp, word, word, word, word, word), generate


def _words(builder, block, member, stream, k0, k1, stride, firsts):
    """For each `first` the four words of members member + first + stride j, j = 0 .. 7, low halves of 64-bit lanes."""
    i64 = ir.IntType(64)

    def wide(word):
        return spread(builder, builder.zext(word, i64), _EIGHT)

    def counters(first):
        offsets = ir.Constant(ir.VectorType(i64, _EIGHT), [first + stride * j for j in range(_EIGHT)])
        return wide(block), wide(k0.type(0)), wide(member) + Lanes(builder, offsets), wide(stream)

    states = [counters(first) for first in firsts]
    for turn in range(10):
        key0 = wide(builder.add(k0, k0.type(turn * _W0 & _LOW)))
        key1 = wide(builder.add(k1, k1.type(turn * _W1 & _LOW)))
        for k, (c0, c1, c2, c3) in enumerate(states):
            p0, p1 = (c0 & _LOW) * _M0, (c2 & _LOW) * _M1
            states[k] = (p1 >> 32) ^ c1 ^ key0, p1, (p0 >> 32) ^ c3 ^ key1, p0
    return states


def _interleave(even, odd):
    """Low halves of both as 32-bit lanes: even 0, odd 0, even 1, ..."""
    places = [2 * (j // 2) + 2 * _EIGHT * (j % 2) for j in range(2 * _EIGHT)]
    return even.split_integers(32).shuffled(odd.split_integers(32), places)


def box_muller_32(w0, w1):
    """Two vectors of normals, float32, from two of 32-bit words."""
    near_one = w0.compare(">=", 0xAAAAAAAA)  # (w0 + 1) 2^-32 >= 2/3, where cancellation would set in
    u = w0.unsigned_to_floats() + 1.0
    exponent, mantissa = split_exponent(u, 2 / 3)
    r = near_one.choose((~w0).unsigned_to_floats() * -(2.0**-32), mantissa - 1.0)
    radius = (exponent - 32.0).fma(-2 * LN2, r * r.polynomial([-2 * c for c in LOG1P])).sqrt()
    return _on_circle(radius, w1)


def box_muller_64(w0, w1):
    """Two vectors of normals, float64, from two of 64-bit integers of which the low halves count."""
    u = (w0 & _LOW).unsigned_to_floats() + 1.0
    exponent, mantissa = split_exponent(u, 2 / 3)
    r = mantissa - 1.0
    s = r / (r + 2.0)
    z = s * s
    logarithm = (s + s * (z * z.polynomial(ATANH))) * -4.0
    return _on_circle((exponent - 32.0).fma(-2 * LN2, logarithm).sqrt(), w1 << 32)


def split_exponent(x, lowest):
    """e and m with x = 2^e m, lowest <= m < 2 lowest, for positive normal x."""
    fraction = {32: 23, 64: 52}[x.bits]
    bits = x.as_integers()
    exponent = (bits - float_bits(lowest, x.bits)).shift_signed(fraction)
    return exponent.signed_to_floats(), (bits - (exponent << fraction)).as_floats()


def _on_circle(radius, turn):
    """radius cos(a), radius sin(a) for the angle a of turn / 2^bits turns; turn is an integer."""
    bits = turn.bits
    quadrant = turn + (1 << bits - 3)  # its two uppermost bits count the quarters, each centred on its axis
    y = (turn << 2).signed_to_floats() * (math.pi / 2 / 2.0**bits)
    z = y * y
    sine = y + y * (z * z.polynomial(SIN[bits]))
    cosine = (z * z.polynomial(COS[bits])) + 1.0
    swapped = (quadrant & (1 << bits - 2)).compare("!=", 0)
    minus = 1 << bits - 1
    cosine, sine = swapped.choose(sine, cosine), swapped.choose(cosine, sine)
    cosine = (cosine.as_integers() ^ ((quadrant + (1 << bits - 2)) & minus)).as_floats()
    sine = (sine.as_integers() ^ (quadrant & minus)).as_floats()
    return radius * cosine, radius * sine


def float_bits(value, bits):
    """The bits of a number as float32 or float64."""
    import numpy as np

    return int(np.array(value, f"f{bits // 8}").view(f"u{bits // 8}"))
