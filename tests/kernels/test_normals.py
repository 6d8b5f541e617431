"""Normals of the kernels: those of `Noise.sequence`, and right to a few units in the last place wherever they lie."""

import mpmath
import numpy as np
import pytest
import torch
from llvmlite import ir
from numba import njit, types, uint32
from numba.core import cgutils
from numba.extending import intrinsic

from sojourn.kernels import normals
from sojourn.kernels.lanes import Lanes
from sojourn.noise import Noise

mpmath.mp.dps = 40


@njit
def fill(out, width, members, first_block, blocks, first_member, stream, k0, k1):
    normals.fill(out, width, members, first_block, blocks, first_member, uint32(stream), uint32(k0), uint32(k1))


def drawn(noise, dtype, first_block, blocks, ensemble):
    """(4 blocks, ensemble) normals, by the kernel."""
    rounded = -(-ensemble // normals.TOGETHER) * normals.TOGETHER
    width = rounded + normals.TOGETHER
    out = np.full(4 * blocks * width, np.nan, dtype)
    seed = noise.seed & 0xFFFFFFFF, noise.seed >> 32
    fill(out, width, ensemble, first_block, blocks, noise.first_member, noise.stream, *seed)
    rows = out.reshape(4 * blocks, width)
    assert np.isnan(rows[:, rounded:]).all()  # nothing is written beyond
    return rows[:, :ensemble]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", [0, 2**63 + 12345678901])
@pytest.mark.parametrize(("first_block", "first_member"), [(0, 0), (3, 1000), (2**32 - 4, 2**32 - 20)])
def test_normals_are_those_of_the_sequence(dtype, seed, first_block, first_member):
    noise = Noise(seed, stream=2**31 + 7, first_member=first_member)
    ensemble = min(203, 2**32 - first_member)
    got = drawn(noise, dtype, first_block, 3, ensemble)
    # the sequence rounds its angle to double, the kernel does not, which shows near the zeros of cos and sin
    rtol, atol = (3e-7, 1e-14) if dtype == np.float32 else (2e-15, 5e-15)
    for block in range(3):
        expected = noise.sequence(first_block + block, ensemble, 4, torch.float64).numpy().T
        np.testing.assert_allclose(got[4 * block : 4 * block + 4], expected, rtol=rtol, atol=atol)


def box_muller(formula, bits):
    """The pairs that a formula makes of arrays of words."""

    @intrinsic
    def pair(typing, out, w0, w1, place):
        def generate(context, builder, signature, arguments):
            def pointer(k, element):
                data = context.make_array(signature.args[k])(context, builder, arguments[k]).data
                vector = ir.VectorType(element, 512 // bits).as_pointer()
                return builder.bitcast(builder.gep(data, [arguments[3]]), vector)

            word = ir.IntType(bits)
            words = [Lanes(builder, builder.load(pointer(k, word), align=8)) for k in (1, 2)]
            cosine, sine = formula(*words)
            target = pointer(0, cosine.element)
            builder.store(cosine.value, target, align=8)
            builder.store(sine.value, builder.gep(target, [cgutils.intp_t(1)]), align=8)
            return context.get_dummy_value()

        return types.void(out, w0, w1, types.intp), generate

    @njit
    def run(out, w0, w1):
        for k in range(0, len(w0), 512 // bits):
            pair(out[k:], w0, w1, k)

    def apply(w0, w1):
        lanes = 512 // bits
        out = np.empty((len(w0) // lanes, 2, lanes), f"f{bits // 8}")
        for k in range(len(out)):
            part = slice(k * lanes, (k + 1) * lanes)
            run(out[k].reshape(-1), w0[part].copy(), w1[part].copy())
        return out.transpose(1, 0, 2).reshape(2, -1)

    return apply


@pytest.mark.parametrize(("formula", "bits", "bound"), [(normals.box_muller_32, 32, 4), (normals.box_muller_64, 64, 6)])
def test_box_muller_is_right_to_a_few_units_everywhere(formula, bits, bound):
    top = 2**32
    corners = [0, 1, 2, 3, 255, 2**24 - 1, 2**24, 2**24 + 1, 2**31 - 1, 2**31, top - 1, top - 2, top - 3, top - 257]
    third = [0xAAAAAAAA + k for k in range(-300, 301, 50)] + [0xAAAAAAAA, 0xAAAAAAA9]
    octants = [k * 2**29 + d for k in range(8) for d in (-2, -1, 0, 1, 2)]
    special = np.array([w % top for w in corners + third + octants], np.uint64)
    random = np.random.default_rng(1)
    w0 = np.concatenate([np.repeat(special, 2), random.integers(0, top, 2000, dtype=np.uint64)])
    w1 = np.concatenate([random.permutation(np.repeat(special, 2)), random.integers(0, top, 2000, dtype=np.uint64)])
    near_one = top - 1 - np.exp(random.uniform(0, 22, 1000)).astype(np.uint64)
    w0, w1 = np.concatenate([w0, near_one]), np.concatenate([w1, random.integers(0, top, 1000, dtype=np.uint64)])
    count = len(w0) // 16 * 16
    w0, w1 = w0[:count].astype(f"u{bits // 8}"), w1[:count].astype(f"u{bits // 8}")
    got = box_muller(formula, bits)(w0, w1)
    eps = float(np.finfo(got.dtype).eps)
    worst = 0.0
    for a, b, first, second in zip(*got, w0, w1, strict=True):
        radius = mpmath.sqrt(-2 * mpmath.log(mpmath.mpf(int(first) + 1) / top))
        half_turns = mpmath.mpf(int(second)) / top * 2
        for value, exact in ((a, radius * mpmath.cospi(half_turns)), (b, radius * mpmath.sinpi(half_turns))):
            if exact == 0:
                assert value == 0
            else:
                worst = max(worst, float(abs((mpmath.mpf(float(value)) - exact) / exact)) / eps)
    assert worst <= bound, worst
