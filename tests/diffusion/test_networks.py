"""Networks against the papers' sizes, independent arithmetic, symmetries and derivatives by other means."""

import math

import numba
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sojourn.diffusion.networks import MLP, Classes, DiT, Image, UNet, Vector
from sojourn.diffusion.networks.convolution import Convolution
from sojourn.diffusion.networks.dit import _from_patches, _to_patches
from sojourn.diffusion.networks.embeddings import sinusoids
from sojourn.diffusion.networks.normalise import group_norm, group_norm_silu, plain
from sojourn.errors import InputError

SMALL = {"width": 16, "multipliers": (1, 2), "blocks": 1, "attention": (4,), "dropout": 0.0}


def randomised(network, seed=0):
    """With weights that are not zero anywhere, in evaluation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return network.eval()


def drawn(*shape, seed=1, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def count(network):
    return sum(p.numel() for p in network.parameters())


# ----------------------------------------------------------------------------------------------- published numbers


def test_the_unet_of_ho_has_35_7_million_parameters():
    with torch.device("meta"):
        assert count(UNet((3, 32, 32))) == 35_746_307


@pytest.mark.parametrize(
    ("width", "depth", "heads", "millions"),
    [(384, 12, 6, 33), (768, 12, 12, 130), (1024, 24, 16, 458), (1152, 28, 16, 675)],
)
def test_transformers_have_the_papers_sizes(width, depth, heads, millions):
    with torch.device("meta"):
        network = DiT((4, 32, 32), 2, width=width, depth=depth, heads=heads, outputs=2, condition=Classes(1000))
    assert round(count(network) / 1e6) == millions


def test_sinusoids_are_those_of_the_formula_at_fractional_times():
    t = torch.tensor([0.0, 0.25, 999.0], dtype=torch.float64)
    for shift in (0, 1):
        found = sinusoids(t, 8, shift=shift)
        for i, time in enumerate(t.tolist()):
            angles = [time * 10000 ** (-j / (4 - shift)) for j in range(4)]
            expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            assert found[i].tolist() == pytest.approx(expected, abs=1e-12)


# ------------------------------------------------------------------------------------------------ the start and dtype


@pytest.mark.parametrize(
    "network",
    [UNet((1, 8, 8), **SMALL), DiT((1, 8, 8), width=24, depth=2), MLP((2, 3), 16)],
    ids=["unet", "dit", "mlp"],
)
def test_networks_start_at_zero(network):
    x = drawn(3, *network.shape)
    assert network(x, torch.tensor([0.0, 10.5, 999.0])).abs().max() == 0


@pytest.mark.parametrize(
    "network",
    [UNet((2, 8, 12), 16, multipliers=(1, 2), attention=(4,)), DiT((2, 8, 12), width=24, depth=2), MLP((5,), 32)],
    ids=["unet", "dit", "mlp"],
)
def test_float32_agrees_with_float64(network):
    randomised(network)
    x, t = drawn(4, *network.shape), torch.tensor([0.0, 1.0, 500.0, 999.0])
    single = network(x, t)
    double = network.double()(x.double(), t)
    assert double.dtype == torch.float64
    assert (single - double).abs().max() < 1e-5 * double.abs().max()


def test_each_datum_is_alone():
    network = randomised(UNet((1, 8, 8), **SMALL, condition=Classes(3)))
    x, t, label = drawn(5, 1, 8, 8), torch.arange(5) * 100.0, torch.tensor([0, 1, 2, -1, 0])
    together = network(x, t, label)
    for i in range(5):
        alone = network(x[i : i + 1], t[i : i + 1], label[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


# -------------------------------------------------------------------------------------- independent forms, symmetries


def test_attention_is_the_formula_pixel_by_pixel():
    network = randomised(UNet((1, 4, 4), 16, multipliers=(1,), blocks=1, attention=(4,), head_channels=8)).double()
    attention = network.down[0].attentions[0]
    x = drawn(2, 16, 4, 4, dtype=torch.float64)
    pixels = plain(x, None, attention.norm.weight, attention.norm.bias, 16, 1e-6, False).flatten(2).transpose(1, 2)
    q, k, v = attention.qkv(pixels).chunk(3, -1)
    found = torch.zeros_like(q)
    for head in (slice(0, 8), slice(8, 16)):
        for n in range(2):
            for i in range(16):
                weights = torch.softmax(k[n, :, head] @ q[n, i, head] / math.sqrt(8), 0)
                found[n, i, head] = weights @ v[n, :, head]
    expected = x + attention.out(found).transpose(1, 2).view_as(x)
    assert torch.allclose(attention(x), expected, atol=1e-12)


def test_a_transformer_without_positions_commutes_with_permutations_of_patches():
    network = randomised(DiT((1, 8, 8), 4, width=24, depth=3)).double()
    x, t = drawn(2, 1, 8, 8, dtype=torch.float64), torch.tensor([3.0, 800.0])

    def swapped(z):
        """The four patches turned about the middle."""
        return z.roll((4, 4), (2, 3))

    assert not torch.allclose(network(swapped(x), t), swapped(network(x, t)), atol=1e-3)
    network.positions.zero_()
    assert torch.allclose(network(swapped(x), t), swapped(network(x, t)), atol=1e-12)


def test_patches_are_read_and_written_in_one_order():
    x = drawn(3, 2, 6, 4)
    patches = _to_patches(x, 2)
    assert sorted(patches[0, 3].tolist()) == sorted(x[0, :, 2:4, 2:4].flatten().tolist())  # row 1, column 1 of 3 x 2
    assert torch.equal(_from_patches(patches, 2, (6, 4)), x)


def test_the_mlp_has_the_exact_trace_and_second_derivatives():
    network = randomised(MLP((3,), 16)).double()
    x, t = drawn(1, 3, dtype=torch.float64), torch.tensor([5.0])

    def field(z):
        return network(z[None], t)[0]

    jacobian = torch.func.jacrev(field)(x[0])
    step = 1e-5
    for k in range(3):
        shift = step * torch.eye(3, dtype=torch.float64)[k]
        difference = (field(x[0] + shift) - field(x[0] - shift)) / (2 * step)
        assert torch.allclose(jacobian[:, k], difference, atol=1e-8)
    assert torch.autograd.gradgradcheck(field, (x[0].requires_grad_(),))


# ------------------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    "make", [lambda c: UNet((1, 8, 8), **SMALL, condition=c), lambda c: DiT((1, 8, 8), width=24, depth=2, condition=c)]
)
def test_none_is_a_condition_of_its_own(make):
    x, t = drawn(3, 1, 8, 8), torch.tensor([1.0, 2.0, 3.0])
    image, nan = drawn(3, 2, 8, 8, seed=2), float("nan")
    for kind, given, marked in [
        (Classes(4), torch.tensor([0, 3, 1]), torch.tensor([-1, -1, 1])),
        (Vector(2), torch.tensor([[0.1, 0.2], [1, 2], [3, 4]]), torch.tensor([[nan, nan], [nan, 1], [3, 4]])),
        (Image(2), image, torch.cat((torch.full((2, 2, 8, 8), nan), image[2:]))),
    ]:
        network = randomised(make(kind))
        none, some, both = network(x, t), network(x, t, given), network(x, t, marked)
        assert torch.allclose(both[:2], none[:2], rtol=1e-4, atol=1e-5)
        assert torch.allclose(both[2], some[2], rtol=1e-4, atol=1e-5)
        assert (some - none).abs().amax((1, 2, 3)).min() > 1e-3
        gradients = torch.autograd.grad(both.square().sum(), list(network.parameters()))
        assert all(g.isfinite().all() for g in gradients)


def test_a_zero_image_differs_from_none():
    network = randomised(UNet((1, 8, 8), **SMALL, condition=Image(1)))
    x, t = drawn(1, 1, 8, 8), torch.tensor([1.0])
    assert (network(x, t, torch.zeros(1, 1, 8, 8)) - network(x, t)).abs().max() > 1e-3


# ---------------------------------------------------------------------------------------------------- normalisation


@pytest.mark.parametrize(("shape", "groups"), [((2, 16, 5, 3), 4), ((3, 96, 7, 7), 32), ((1, 32, 2, 4), 8)])
@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize("shifted", [True, False])
def test_the_kernel_equals_its_definition(shape, groups, silu, shifted):
    norm = nn.GroupNorm(groups, shape[1], eps=1e-6)
    x = (2 * drawn(*shape) + 5).to(memory_format=torch.channels_last)
    with torch.no_grad():
        norm.weight.copy_(drawn(shape[1], seed=2))
        norm.bias.copy_(drawn(shape[1], seed=3))
    shift = drawn(shape[0], shape[1], seed=4).requires_grad_() if shifted and silu else None
    gradient = drawn(*shape, seed=5)
    leaves = [z for z in (x.requires_grad_(), shift, norm.weight, norm.bias) if z is not None]
    found = group_norm_silu(x, norm, shift=shift) if silu else group_norm(x, norm)
    assert type(found.grad_fn).__name__ == "_KernelBackward"
    doubles = [None if z is None else z.detach().double().requires_grad_() for z in (x, shift, norm.weight, norm.bias)]
    expected = plain(*doubles, groups, 1e-6, silu)
    assert (found - expected).abs().max() < 1e-5
    ours = torch.autograd.grad(found, leaves, gradient)
    theirs = torch.autograd.grad(expected, [z for z in doubles if z is not None], gradient.double())
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() < 1e-5 * (1 + b.abs().max())


def test_large_means_and_values_are_no_trouble():
    norm = nn.GroupNorm(4, 16, eps=1e-6)
    x = (drawn(2, 16, 8, 8) + 1000).to(memory_format=torch.channels_last)
    assert (
        group_norm(x, norm) - plain(x.double(), None, *(z.double() for z in norm.parameters()), 4, 1e-6, False)
    ).abs().max() < 1e-3
    with torch.no_grad():
        norm.weight.fill_(1000.0)
        z = group_norm_silu(x, norm)
    assert z.isfinite().all()
    assert z.min() > -0.279


def test_second_derivatives_through_the_kernels_are_those_of_the_definition():
    norm, convolution = nn.GroupNorm(4, 16), Convolution(16, 16)
    x = drawn(4, 16, 8, 8).to(memory_format=torch.channels_last).requires_grad_()

    def twice(function, z):
        (first,) = torch.autograd.grad(function(z).square().sum(), z, create_graph=True)
        return torch.autograd.grad(first.square().sum(), z)[0]

    found = twice(lambda z: convolution(group_norm_silu(z, norm)), x)
    norm, convolution = norm.double(), convolution.double()
    expected = twice(lambda z: convolution(F.silu(norm(z))), x.detach().double().requires_grad_())
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("shape", [(3, 16, 32, 9, 11), (2, 48, 16, 12, 12), (5, 32, 48, 7, 8)])
def test_the_convolution_kernel_equals_its_definition(shape):
    n, inputs, outputs, h, w = shape
    convolution = Convolution(inputs, outputs)
    x = drawn(n, inputs, h, w).to(memory_format=torch.channels_last).requires_grad_()
    gradient = drawn(n, outputs, h, w, seed=2)
    found = convolution(x)
    assert type(found.grad_fn).__name__ == "_KernelBackward"
    leaves = [z.detach().double().requires_grad_() for z in (x, convolution.weight, convolution.bias)]
    expected = F.conv2d(*leaves, padding=1)
    assert (found - expected).abs().max() < 2e-6 * expected.abs().max()
    ours = torch.autograd.grad(found, (x, convolution.weight, convolution.bias), gradient)
    for a, b in zip(ours, torch.autograd.grad(expected, leaves, gradient.double()), strict=True):
        assert (a - b).abs().max() < 2e-6 * b.abs().max()


def test_kernels_give_the_same_bits_on_any_number_of_threads():
    torch.manual_seed(0)
    convolution, norm = Convolution(16, 32), nn.GroupNorm(8, 32)
    x = drawn(40, 16, 9, 9).to(memory_format=torch.channels_last).requires_grad_()

    def run():
        out = group_norm_silu(convolution(x), norm)
        return out, *torch.autograd.grad(out.square().sum(), (x, *convolution.parameters(), *norm.parameters()))

    most, found = numba.get_num_threads(), []
    for threads in (1, most):
        numba.set_num_threads(threads)
        found.append(run())
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_transforms_see_the_same_network():
    network = randomised(UNet((1, 8, 8), **SMALL))
    x, t, v = drawn(2, 1, 8, 8), torch.tensor([10.0, 20.0]), drawn(2, 1, 8, 8, seed=7)
    out, pull = torch.func.vjp(lambda z: network(z, t), x)
    y = x.clone().requires_grad_()
    expected = network(y, t)
    assert torch.allclose(out, expected, atol=1e-5)
    assert torch.allclose(pull(v)[0], torch.autograd.grad(expected, y, v)[0], atol=1e-5)
    each = torch.func.vmap(lambda z, time: network(z[None], time[None])[0])(x, t)
    assert torch.allclose(each, expected, atol=1e-5)


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: UNet((1, 28, 28)),
            r"shape=\(1, 28, 28\) cannot be halved 3 times; pad it, or give fewer multipliers than 4",
        ),
        (lambda: UNet((28, 28)), r"shape=\(28, 28\) is not \(channels, height, width\)"),
        (
            lambda: UNet((1, 32, 32), attention=(15,)),
            r"attention=\(15,\): 15 is not among the heights \[32, 16, 8, 4\]",
        ),
        (lambda: UNet((1, 32, 32), 63), "width=63.*the width is even"),
        (lambda: UNet((1, 32, 32), 64, head_channels=24), "head_channels=24 does not divide width=64"),
        (lambda: UNet((1, 32, 32), outputs=3), "outputs=3 is neither 1"),
        (lambda: UNet((1, 32, 32), dropout=1.5), r"dropout=1.5 is not in \[0, 1\)"),
        (lambda: UNet((1, 32, 32), details="other"), "details='other' is none of 'ho', 'diffusers'"),
        (lambda: DiT((1, 28, 28), 3), "patch=3 does not divide 28 x 28"),
        (lambda: DiT((1, 28, 28), width=100, heads=3), "width is a multiple of 4 and of heads"),
        (lambda: MLP((2,), 7), "width=7.*even"),
        (lambda: MLP((2,), condition=Image(1)), "needs a UNet or a DiT"),
    ],
)
def test_impossible_networks_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_wrong_inputs_are_refused():
    network = MLP((2,), 8, condition=Classes(3))
    x, t = torch.zeros(4, 2), torch.zeros(4)
    with pytest.raises(InputError, match=r"x has shape \(4, 3\); this network takes \(n, 2\)"):
        network(torch.zeros(4, 3), t)
    with pytest.raises(InputError, match=r"t has shape \(1,\); give one time for each of the 4 data"):
        network(x, torch.zeros(1))
    with pytest.raises(InputError, match=r"label 3 is not among 0..2 nor -1 for none; .*Classes\(4\) or more"):
        network(x, t, torch.tensor([0, 1, 2, 3]))
    with pytest.raises(InputError, match=r"the condition is torch.float32 of shape \(4,\); .* takes int64"):
        network(x, t, torch.zeros(4))
    with pytest.raises(InputError, match=r"Vector\(size=2\) takes floating numbers of shape \(4, 2\)"):
        MLP((2,), 8, condition=Vector(2))(x, t, torch.zeros(4, 3))
    with pytest.raises(InputError, match="to a network that takes none"):
        MLP((2,), 8)(x, t, torch.zeros(4, 3))
