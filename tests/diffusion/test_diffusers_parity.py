"""diffusers' own U-Net with our weights says what ours says, and folders pass both ways through its own code."""

import pytest
import torch

from sojourn.diffusion import DDPM, Schedule, diffusers_format
from sojourn.diffusion.networks import Classes, UNet

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]
diffusers = pytest.importorskip("diffusers")

HO = {"shape": (3, 32, 32)}
SMALL = {"shape": (1, 28, 28), "width": 32, "multipliers": (1, 2, 2), "attention": (14, 7), "condition": Classes(10)}
PLAIN = {"shape": (1, 28, 28), "width": 24, "multipliers": (1, 1, 2), "attention": (), "outputs": 2, "head_channels": 8}
OTHER = {"shape": (2, 16, 24), "width": 16, "multipliers": (1, 2), "blocks": 1, "details": "diffusers"}
CASES = {"ho": HO, "odd size, classes": SMALL, "no attention, two outputs": PLAIN, "details, not square": OTHER}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_one_folder_is_one_function(tmp_path, options):
    torch.manual_seed(0)
    network = UNet(**options)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.03 * torch.randn_like(p))
    variance = "learned_range" if network.outputs == 2 else "fixed_small"
    schedule = Schedule.linear(1e-4, 0.02, steps=1000)
    model = DDPM(network, schedule, variance=variance).eval()
    diffusers_format.save(tmp_path / "ours", model)
    pipeline = diffusers.DDPMPipeline.from_pretrained(tmp_path / "ours")
    x, t = torch.randn(5, *network.shape), torch.tensor([0.0, 1.0, 250.0, 750.0, 999.0])
    label = None if network.condition.kind is None else torch.tensor([0, 1, 2, 3, 9])
    with torch.no_grad():
        ours = network(x, t, label)
        theirs = pipeline.unet(x, t, **({} if label is None else {"class_labels": label})).sample
    assert ours.abs().max() > 0.1
    assert (ours - theirs).abs().max() < 1e-5 * max(1, float(ours.abs().max()))
    assert torch.allclose(pipeline.scheduler.alphas_cumprod.double(), schedule.alpha_bar[1:], rtol=1e-4)

    pipeline.save_pretrained(tmp_path / "theirs")
    if label is None:  # diffusers drops the note that the last class means "none"
        back = diffusers_format.load(tmp_path / "theirs").network.state_dict()
        assert all(torch.equal(back[name], value) for name, value in network.state_dict().items())
