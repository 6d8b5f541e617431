"""Philox against the published vectors; the kernels against the PyTorch form; laws; independence of splitting."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import sojourn as sj
from sojourn.noise import philox

FULL = 0xFFFFFFFF
# Random123's known-answer vectors for philox4x32-10: counter, key, result
VECTORS = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([FULL] * 4, [FULL] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_known_answers(counter, key, expected):
    assert philox(torch.tensor(counter), key[0] | key[1] << 32).tolist() == expected


def test_known_answers_through_the_kernel():
    # block 0, step 0, member 0, stream 0, seed 0 is the all-zero counter and key
    assert sj.Noise(0).words(0, 1, (4,)).tolist() == [VECTORS[0][2]]


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, FULL),
    member=st.integers(0, 2**31),
    step=st.integers(0, FULL),
    n=st.integers(1, 23),
)
def test_kernel_equals_definition(seed, stream, member, step, n):
    noise = sj.Noise(seed, stream, member)
    assert torch.equal(noise.words(step, 3, (n,)), noise.draw_torch("words", step, 3, n, torch.int64, "cpu"))
    assert torch.equal(noise.uniform(step, 3, (n,)), noise.draw_torch("uniform", step, 3, n, torch.float32, "cpu"))
    for dtype in (torch.float32, torch.float64):
        ours, theirs = noise.normal(step, 3, (n,), dtype), noise.draw_torch("normal", step, 3, n, dtype, "cpu")
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6 if dtype == torch.float32 else 1e-14)


@given(split=st.integers(1, 9), seed=st.integers(0, 2**64 - 1))
@settings(max_examples=20, deadline=None)
def test_members_draw_the_same_alone_as_among_all(split, seed):
    noise = sj.Noise(seed)
    whole = noise.normal(3, 10, (7,))
    parts = [noise.normal(3, split, (7,)), noise.members(split).normal(3, 10 - split, (7,))]
    assert torch.equal(whole, torch.cat(parts))


def test_laws():
    """Kolmogorov-Smirnov at level 1e-6 each, on a fixed seed."""
    uniform = sj.Noise(1).uniform(0, 10, (20_000,)).numpy().ravel()
    normal = sj.Noise(2).normal(0, 10, (20_000,), torch.float64).numpy().ravel()
    assert stats.kstest(uniform, "uniform").pvalue > 1e-6
    assert stats.kstest(normal, "norm").pvalue > 1e-6
    assert abs(np.corrcoef(normal[::2], normal[1::2])[0, 1]) < 4.9 / np.sqrt(1e5)


def test_streams_and_steps_are_uncorrelated():
    """Pearson correlations of 1e5 pairs below 4.9 standard deviations (false alarm 1e-6 each)."""
    noise = sj.Noise(7)
    draws = [noise.normal(0, 1, (100_000,)), noise.normal(1, 1, (100_000,)), noise.split("a").normal(0, 1, (100_000,))]
    draws.append(noise.split("b").normal(0, 1, (100_000,)))
    correlation = np.corrcoef(np.concatenate([d.numpy() for d in draws]))
    assert np.abs(correlation - np.eye(4)).max() < 4.9 / np.sqrt(1e5)


def test_bad_seed():
    with pytest.raises(sj.InputError, match=r"seed=-1 is not in \[0, 2\^64\)"):
        sj.Noise(-1)


def test_a_sequence_is_the_same_however_it_is_cut():
    """Numbers 0..23 of each member's sequence, in steps of 1, 2, 3, 4 and 8, alone and among others."""
    noise = sj.Noise(7).split("sequence")
    whole = noise.sequence(0, 5, 24, torch.float64)
    for n in (1, 2, 3, 4, 8):
        parts = torch.cat([noise.sequence(k, 5, n, torch.float64) for k in range(24 // n)], 1)
        assert torch.equal(parts, whole)
    assert torch.equal(noise.members(3).sequence(0, 2, 24, torch.float64), whole[3:])
    for block in range(6):
        torch.testing.assert_close(
            noise.draw_torch("normal", 0, 5, 4, torch.float64, "cpu", block), whole[:, 4 * block : 4 * block + 4]
        )
    with pytest.raises(sj.InputError, match="beyond the sequence"):
        noise.sequence(2**34, 1, 1)
