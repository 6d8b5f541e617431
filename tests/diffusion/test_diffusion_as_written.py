"""The calls that the project promises of diffusion models, as written."""

import torch

import sojourn as sj
from sojourn.bounds.estimate import Estimate


def test_as_written():
    from sojourn.diffusion import DDPM, Schedule, UNet, samplers

    schedule = Schedule.linear(1e-4, 0.02, steps=1000)
    x_0 = torch.tensor([[-1.0, 1.0, 0.0]])
    x_t = torch.tensor([[0.5, 0.2, -0.3]])
    mean, variance = schedule.posterior(x_t, x_0, 500)  # mean, variance
    alpha, alpha_bar, before = (
        float(a) for a in (schedule.alpha[500], schedule.alpha_bar[500], schedule.alpha_bar[499])
    )
    expected = (before**0.5 * (1 - alpha) * x_0 + alpha**0.5 * (1 - before) * x_t) / (1 - alpha_bar)
    torch.testing.assert_close(mean, expected, rtol=1e-6, atol=1e-6)
    assert abs(float(variance) - (1 - before) / (1 - alpha_bar) * (1 - alpha)) < 1e-9

    torch.manual_seed(0)
    network = UNet((1, 8, 8), width=8, multipliers=(1, 2), blocks=1)
    short = Schedule.linear(1e-3, 0.2, steps=100)
    model = DDPM(network, short, predicts="epsilon", variance="fixed_small")
    images = (torch.arange(4 * 64).reshape(4, 1, 8, 8) % 256) / 127.5 - 1
    found = model.bound(images, progress=False)  # .prior, .steps, .decoder, .bits_per_dim, each an Estimate
    assert all(isinstance(part, Estimate) for part in (found.prior, found.decoder, found.bits_per_dim, *found.steps))
    # an untrained network predicts epsilon = 0, so 8 bits are not to be had
    assert found.bits_per_dim.value > 4
    path = sj.simulate(model.reverse(samplers.DDIM(steps=50)), ensemble=64, seed=0)
    assert path.dataset["x"].dims == ("ensemble", "time", "channel", "row", "column")
    assert path.dataset.sizes["ensemble"] == 64
    # DDIM with epsilon = 0 multiplies by 1 / alpha, clamped: signs are those of x_T
    x_T, x = torch.from_numpy(path.dataset["x"].values[:, 0]), path.state()["x"]
    assert torch.equal(torch.sign(x_T), torch.sign(x))
