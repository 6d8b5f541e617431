"""A network in parts of its members is the same function, with the same gradients, on any number of threads."""

import numba
import pytest
import torch
from torch import nn

from sojourn.diffusion.networks import Classes, UNet
from sojourn.diffusion.networks.parts import Dropout, _count, in_parts
from sojourn.errors import InputError

MEMBERS = 35  # in four parts


def made(dropout=0.0, dtype=torch.float32):
    torch.manual_seed(0)
    network = UNet(
        (1, 32, 32), 16, multipliers=(1, 2), blocks=1, attention=(), dropout=dropout, condition=Classes(3)
    ).to(dtype)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    x = torch.randn(MEMBERS, 1, 32, 32, dtype=dtype).requires_grad_()
    return network, x, torch.linspace(0, 999, MEMBERS, dtype=dtype), torch.arange(MEMBERS) % 3


def gradients(out, network, x, **options):
    return torch.autograd.grad(out.square().sum(), (x, *network.parameters()), **options)


def test_parts_grow_with_the_square_root_of_the_pixels():
    assert [_count(torch.empty(n, 1, 32, 32)) for n in (0, 1, 7, 8, 31, 32, 127, 128)] == [1, 1, 1, 2, 2, 4, 4, 8]
    assert _count(torch.empty(3, 1, 256, 256)) == 2  # of three members not four


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parts_are_the_whole(dtype):
    network, x, t, label = made(dtype=dtype)
    found, expected = network(x, t, label), network._whole(x, t, label)
    assert type(found.grad_fn).__name__ == "_PartsBackward"
    tight = 5e-5 if dtype == torch.float32 else 1e-12
    pairs = [(found, expected), *zip(gradients(found, network, x), gradients(expected, network, x), strict=True)]
    for a, b in pairs:
        assert (a - b).abs().max() <= tight * (1 + b.abs().max())  # some are zero: of a bias before its norm
    with torch.no_grad():
        assert torch.equal(network(x, t, label), found)


def test_threads_change_no_bit():
    network, x, t, label = made(dropout=0.3)
    most, found = numba.get_num_threads(), []
    for threads in (1, most):
        numba.set_num_threads(threads)
        torch.manual_seed(1)
        out = network(x, t, label)
        found.append((out, *gradients(out, network, x)))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_second_derivatives_and_second_backward_passes_are_those_of_the_whole():
    network, x, t, label = made(dtype=torch.float64)

    def twice(out):
        first = gradients(out, network, x, create_graph=True)
        return torch.autograd.grad(sum(z.square().sum() for z in first), x)[0]

    found, expected = twice(network(x, t, label)), twice(network._whole(x, t, label))
    assert (found - expected).abs().max() <= 1e-10 * expected.abs().max()
    out = network(x, t, label)
    once = gradients(out, network, x, retain_graph=True)
    assert all(torch.allclose(a, b) for a, b in zip(once, gradients(out, network, x), strict=True))


def test_dropout_is_drawn_once_for_all_derivatives():
    network, x, t, label = made(dropout=0.3, dtype=torch.float64)
    torch.manual_seed(5)
    out = network(x, t, label)
    plain = gradients(out, network, x, retain_graph=True)
    again = gradients(out, network, x, create_graph=True)
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(plain, again, strict=True))
    torch.manual_seed(5)
    assert torch.equal(network(x, t, label), out)
    torch.manual_seed(6)
    assert not torch.allclose(network(x, t, label), out)
    state = torch.get_rng_state()
    network.eval()(x, t, label)
    assert torch.equal(torch.get_rng_state(), state)  # what draws nothing takes no numbers


def test_parts_drop_the_share_they_say_and_not_the_same_members():
    class Only(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = Dropout(0.3)

        def forward(self, x):
            return self.drop(x)

    x = torch.ones(64, 1, 32, 32)
    out = in_parts(Only(), (x,), (), random=True)
    kept = out != 0
    assert torch.allclose(out[kept], torch.tensor(1 / 0.7))
    deviation = (0.3 * 0.7 / x.numel()) ** 0.5
    assert abs(float(kept.double().mean()) - 0.7) < 6 * deviation  # false alarms: 2e-9
    assert not torch.equal(kept[:16], kept[16:32])


def test_parts_are_in_the_callers_precision_and_their_errors_arrive():
    network, x, t, label = made()
    with torch.autocast("cpu", torch.bfloat16):
        assert network(x, t, label).dtype == torch.bfloat16 == network._whole(x, t, label).dtype
    with pytest.raises(InputError, match=r"label 3 is not among 0\.\.2"):
        network(x, t, label + 1)
    with pytest.raises(InputError, match=r"of shape \(34,\); .* takes int64 of shape \(35,\)"):
        network(x, t, label[1:])
