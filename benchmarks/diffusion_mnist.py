"""MNIST: Sojourn beside denoising-diffusion-pytorch, trained for the same processor time, measured alike.

    python benchmarks/diffusion_mnist.py train sojourn --minutes 20 --out A      # one thread each: run both at once
    python benchmarks/diffusion_mnist.py train peer --minutes 20 --out A
    python benchmarks/diffusion_mnist.py measure --out A

Needs denoising-diffusion-pytorch, and MNIST under SOJOURN_DATA. Each trains as its own documentation does, with U-Nets
of about one size. Both get bits per dimension from Sojourn's bound (the peer the better of the two fixed variances) and
a Fréchet distance, from as many steps of DDIM, in the features of one classifier trained on MNIST here, not Inception.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from sojourn import data
from sojourn.diffusion import DDPM, Schedule, UNet, fit, losses, samplers
from sojourn.diffusion.quality.classifier import classifier_frechet, train_classifier
from sojourn.driver import simulate
from sojourn.runs import Run
from sojourn.training import checkpoint
from sojourn.training.averages import PowerAverage
from sojourn.training.loop import Training

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["train", "measure"])
    parser.add_argument("who", nargs="?", choices=["sojourn", "peer"], help="whom to train")
    parser.add_argument("--minutes", type=float, default=20.0, help="of processor time")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1000, help="drawn for the Fréchet distance")
    parser.add_argument("--held-out", type=int, default=64, help="test images for the bound")
    parser.add_argument("--ddim", type=int, default=50, help="steps of the sampler")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.task == "train":
        (train_ours if given.who == "sojourn" else train_peer)(60 * given.minutes, given.out)
    else:
        measure(given)


def train_ours(seconds: float, out: Path) -> None:
    """As docs/diffusion.md: the rate decays over the whole training, whose length a short trial foretells."""
    x = data.load_mnist("train").x
    began = time.process_time()
    fit(ours(), x, Training(10, learning_rate=1e-3), loss=losses.Hybrid(), batch=BATCH, progress=False)
    warm = time.process_time()
    fit(ours(), x, Training(10, learning_rate=1e-3), loss=losses.Hybrid(), batch=BATCH, progress=False)
    now = time.process_time()
    steps = int((seconds - (now - began)) / ((now - warm) / 10) * 0.97)
    model = ours()
    settings = Training(steps, learning_rate=1e-3, warmup=200, clip=1.0, average=PowerAverage(0.10), log_every=50)
    fit(model, x, settings, loss=losses.Hybrid(), batch=BATCH, run=Run.create("mnist", {}, out / "run"))
    used = time.process_time() - began
    checkpoint.save(out / "sojourn.safetensors", model.state_dict(), steps=steps, seconds=used)
    print(f"Sojourn: {steps} steps of {BATCH} in {used:.0f} s of processor time")


def ours() -> DDPM:
    torch.manual_seed(0)
    network = UNet((1, 28, 28), 32, multipliers=(1, 2, 4), blocks=1, attention=(7,), dropout=0.0, outputs=2)
    return DDPM(network, Schedule.linear(steps=1000), predicts="v", variance="learned_range")


def train_peer(seconds: float, out: Path) -> None:
    """As the peer's README and Trainer: Adam at 8e-5, betas (0.9, 0.99), an average with 0.995 every 10 steps."""
    diffusion = peer()
    x = (data.load_mnist("train").x + 1) / 2
    from ema_pytorch import EMA

    average = EMA(diffusion, beta=0.995, update_every=10)
    optimiser = torch.optim.Adam(diffusion.parameters(), lr=8e-5, betas=(0.9, 0.99))
    torch.manual_seed(0)
    began, steps = time.process_time(), 0
    while time.process_time() - began < seconds:
        loss = diffusion(x[torch.randint(len(x), (BATCH,))])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
        optimiser.step()
        average.update()
        steps += 1
        if steps % 100 == 0:
            print(
                steps,
                f"{float(loss.detach()):.4f}",
                f"{time.process_time() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    used = time.process_time() - began
    checkpoint.save(out / "peer.safetensors", average.ema_model.model.state_dict(), steps=steps, seconds=used)
    print(f"denoising-diffusion-pytorch: {steps} steps of {BATCH} in {used:.0f} s of processor time")


def peer():
    """The peer's own U-Net and diffusion, with its defaults."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.utils"):  # used there for folders of images only
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules["torchvision"].utils = sys.modules["torchvision.utils"]  # type: ignore[attr-defined]
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    torch.manual_seed(0)
    network = Unet(dim=32, dim_mults=(1, 2, 4), channels=1, flash_attn=False)
    return GaussianDiffusion(network, image_size=28, timesteps=1000)


class PeerNetwork(nn.Module):
    """The peer's U-Net in this house's contract."""

    shape, outputs = (1, 28, 28), 1

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x, t, condition=None):
        return self.network(x, t)


def measure(given: argparse.Namespace) -> None:
    train, test = data.load_mnist("train"), data.load_mnist("test")
    torch.set_num_threads(2)
    judge = train_classifier(train, run=_run(given.out / "judge"))
    diffusion = peer()
    tensors, theirs = checkpoint.load(given.out / "peer.safetensors")
    diffusion.model.load_state_dict(tensors)
    schedule = Schedule.from_alpha_bar(diffusion.alphas_cumprod.double())
    model = ours()
    tensors, mine = checkpoint.load(given.out / "sojourn.safetensors")
    model.load_state_dict(tensors)
    network = PeerNetwork(diffusion.model)
    contestants = {
        "Sojourn": model,
        "peer, small variance": DDPM(network, schedule, predicts="v", variance="fixed_small"),
        "peer, large variance": DDPM(network, schedule, predicts="v", variance="fixed_large"),
    }
    rows = {"Sojourn": mine, "peer": theirs}
    for name, contestant in contestants.items():
        size = sum(p.numel() for p in contestant.parameters())
        found = contestant.bound(test.x[: given.held_out], seed=1, batch=256)
        rows.setdefault(name, {})["bits_per_dim"] = found.bits_per_dim.to_dict()
        print(f"{name}: {size:,} parameters, {found}", flush=True)
        if name != "peer, large variance":
            drawn = simulate(contestant.reverse(samplers.DDIM(steps=given.ddim)), ensemble=given.images, seed=0)
            distance = classifier_frechet(judge, test.x, drawn.state()["x"].clamp(-1, 1))
            rows[name]["frechet"] = distance.to_dict()
            print(f"{name}: Fréchet distance {distance}", flush=True)
    (given.out / "table.json").write_text(json.dumps(rows, indent=2))


def _run(path: Path) -> Run:
    return Run.open(path) if path.exists() else Run.create("judge", {}, path)


if __name__ == "__main__":
    main()
