"""Diffusion: training steps and DDIM samples a second, and memory, beside diffusers and denoising-diffusion-pytorch.

    python benchmarks/diffusion.py [--rounds 5] [--output docs/benchmarks/diffusion.md]

All get one U-Net: Ho's, as diffusers' UNet2DModel and as Sojourn's UNet with the same weights, which are checked to
say the same; denoising-diffusion-pytorch's GaussianDiffusion is handed diffusers', and in a row of its own its own
U-Net of the same widths. Each trains as its own training script does: diffusers' (AdamW, clipping), the peer's Trainer
(Adam, clipping, an average every tenth step) and `fit` (fused AdamW, clipping, an average at every step), on one set of
random images; data loading is left out. Everyone takes turns, round after round; a ratio is the median of the rounds'
ratios. Memory is the greatest resident size of a process of its own which does this alone, imports and all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional as F

from machine import machine, seconds
from sojourn.diffusion import DDPM, Schedule, UNet, diffusers_configs, diffusers_format, fit, samplers
from sojourn.driver import simulate
from sojourn.training.loop import Training

STEPS = 2  # of training in one turn
EVALUATIONS = 4  # of the network in one turn of sampling


class Case(NamedTuple):
    """A U-Net and how it is used."""

    task: str
    size: int
    width: int
    batch: int
    precision: str = "float32"

    def __str__(self) -> str:
        return f"{self.task}, {self.size} x {self.size}, width {self.width}, batch {self.batch}, {self.precision}"


CASES = [
    Case("training", 28, 32, 64),
    Case("training", 28, 64, 64),
    Case("training", 32, 64, 64),
    Case("training", 32, 32, 128),
    Case("training", 28, 64, 64, "bfloat16"),
    Case("sampling", 28, 32, 64),
    Case("sampling", 28, 64, 64),
    Case("sampling", 32, 64, 64),
    Case("sampling", 28, 64, 64, "bfloat16"),
]
NAMES = {
    "sojourn": "Sojourn",
    "diffusers": "diffusers",
    "peer": "denoising-diffusion-pytorch, diffusers' U-Net",
    "peer's own": "denoising-diffusion-pytorch, its own U-Net",
}
SAME = ("diffusers", "peer")  # with Sojourn's U-Net


# -------------------------------------------------------------------------------------------------- the contestants


def ours(case: Case) -> DDPM:
    torch.manual_seed(0)
    network = UNet(
        (1, case.size, case.size), case.width, multipliers=(1, 2, 2), attention=(case.size // 2,), dropout=0.0
    )
    with torch.no_grad():  # the last layers start at zero; numbers are to flow
        for p in network.parameters():
            p.add_(0.02 * torch.randn_like(p))
    return DDPM(network, Schedule.linear(1e-4, 0.02, steps=1000))


def theirs(case: Case):
    """diffusers' U-Net with our weights."""
    from diffusers import UNet2DModel

    model = ours(case)
    network = UNet2DModel(**{k: v for k, v in diffusers_configs.unet_config(model).items() if k[0] != "_"})
    network.load_state_dict(diffusers_format.to_diffusers(model.network))
    return network


def images(case: Case) -> torch.Tensor:
    levels = torch.randint(256, (1024, 1, case.size, case.size), generator=torch.Generator().manual_seed(0))
    return 2 * levels.float() / 255 - 1


def sojourn(case: Case) -> Callable[[], object]:
    model = ours(case)
    if case.task == "sampling":
        chain = model.reverse(samplers.DDIM(steps=EVALUATIONS))

        def sample():
            with _autocast(case):
                return simulate(chain, ensemble=case.batch, seed=0, progress=False)

        return sample
    settings = Training(
        STEPS,
        1e-4,
        schedule="constant",
        clip=1.0,
        average_half_life=1000.0,
        precision=case.precision,  # type: ignore[arg-type]
    )
    x = images(case)
    return lambda: fit(model, x, settings, batch=case.batch, progress=False)


def diffusers(case: Case) -> Callable[[], object]:
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMScheduler

    network, x = theirs(case), images(case)
    if case.task == "sampling":
        network.eval()
        pipeline = DDIMPipeline(network, DDIMScheduler())
        pipeline.set_progress_bar_config(disable=True)

        def sample():
            with _autocast(case):
                return pipeline(batch_size=case.batch, num_inference_steps=EVALUATIONS, output_type="np")

        return sample
    scheduler = DDPMScheduler()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6)

    def train():
        for _ in range(STEPS):
            clean = x[torch.randint(len(x), (case.batch,))]
            noise = torch.randn_like(clean)
            t = torch.randint(0, 1000, (case.batch,))
            with _autocast(case):
                loss = F.mse_loss(network(scheduler.add_noise(clean, noise, t), t).sample.float(), noise)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()

    return train


class Adapter(nn.Module):
    """diffusers' U-Net with the attributes that GaussianDiffusion asks for."""

    channels = out_dim = 1
    self_condition = random_or_learned_sinusoidal_cond = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x, t, x_self_cond=None):
        return self.network(x, t).sample


def peer(case: Case, own: bool = False) -> Callable[[], object]:
    _stub_torchvision()
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet
    from denoising_diffusion_pytorch import denoising_diffusion_pytorch as home
    from ema_pytorch import EMA

    home.tqdm = lambda iterable, **_: iterable
    torch.manual_seed(0)
    network = Unet(case.width, dim_mults=(1, 2, 2), channels=1) if own else Adapter(theirs(case))
    steps = EVALUATIONS if case.task == "sampling" else None
    diffusion = GaussianDiffusion(
        network, image_size=case.size, objective="pred_noise", beta_schedule="linear", sampling_timesteps=steps
    )
    if case.task == "sampling":
        diffusion.eval()

        def sample():
            with _autocast(case):
                return diffusion.sample(case.batch)

        return sample
    x = (images(case) + 1) / 2
    optimiser = torch.optim.Adam(diffusion.parameters(), lr=1e-4, betas=(0.9, 0.99))
    average = EMA(diffusion, beta=0.995, update_every=10)

    def train():
        for _ in range(STEPS):
            with _autocast(case):
                loss = diffusion(x[torch.randint(len(x), (case.batch,))])
            loss.backward()
            nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            average.update()

    return train


MAKE = {"sojourn": sojourn, "diffusers": diffusers, "peer": peer, "peer's own": lambda case: peer(case, own=True)}


def _autocast(case: Case):
    return torch.autocast("cpu", torch.bfloat16) if case.precision == "bfloat16" else nullcontext()


def _stub_torchvision() -> None:
    """The peer imports it for folders of images, which are not used here."""
    import diffusers  # noqa: F401 (first: it looks for the true one)

    for name in ("torchvision", "torchvision.transforms", "torchvision.utils"):
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules["torchvision"].utils = sys.modules["torchvision.utils"]  # type: ignore[attr-defined]


# --------------------------------------------------------------------------------------------------------- the run


def rates(case: Case, rounds: int) -> dict[str, list[float]]:
    """Training steps, or network evaluations times images, a second."""
    runs = {who: make(case) for who, make in MAKE.items()}
    found: dict[str, list[float]] = {who: [] for who in runs}
    count = STEPS if case.task == "training" else case.batch / 50 * EVALUATIONS
    for turn in range(rounds + 1):
        for who, run in runs.items():
            took = seconds(run)
            if turn:  # the first is for warming up
                found[who].append(count / took)
    return found


def memory(case: Case, who: str) -> float:
    """MiB at most in a process that does this alone."""
    arguments = [sys.executable, __file__, "--memory-of", who, "--case", json.dumps(case)]
    lines = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    return float(lines.split()[-1])


def _peak() -> float:
    """This process's greatest resident size in MiB; getrusage would begin with its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def check(case: Case) -> tuple[int, int, int]:
    """The two U-Nets are one function; its parameters, its operations on one image, those of the peer's own."""
    from torch.utils.flop_counter import FlopCounterMode

    _stub_torchvision()
    from denoising_diffusion_pytorch import Unet

    a, b = ours(case).network.eval(), theirs(case).eval()
    x, t = images(case)[:4], torch.tensor([0.0, 10.0, 500.0, 999.0])
    with torch.no_grad():
        left, right = a(x, t), b(x, t).sample
        if not (left - right).abs().max() < 1e-4 * right.abs().max():
            raise SystemExit(f"the two U-Nets differ by {float((left - right).abs().max())}")
        counts = []
        for network in (b, Unet(case.width, dim_mults=(1, 2, 2), channels=1)):
            with FlopCounterMode(display=False) as counter:
                network(x[:1], t[:1])
            counts.append(counter.get_total_flops())
    return sum(p.numel() for p in b.parameters()), *counts


def convolution_peak(rounds: int) -> float:
    """Operations a second of PyTorch's 3x3 convolution of 128 channels, 16 x 16, channels last: the best."""
    x = torch.randn(64, 128, 16, 16).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(128, 128, 3, 3).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        took = min(seconds(lambda: F.conv2d(x, weight, padding=1)) for _ in range(rounds + 3))
    return 2 * 9 * 128 * 128 * 64 * 256 / took


HEADER = ("what", "who", "a second, median", "best", "Sojourn is faster by", "memory, MiB", "GFLOP/s of the formula")


def report(rounds: int, cases: list[Case]) -> tuple[list[tuple[str, ...]], list[str]]:
    rows, lines = [], []
    lines.append(
        f"PyTorch's own 3x3 convolution of 128 channels reaches {convolution_peak(rounds) / 1e9:.0f} GFLOP/s here; "
        "Sojourn's does the same sums with 2.25 times fewer multiplications, so its rate, counted by the formula, may "
        "be above that."
    )
    for case in cases:
        parameters, flops, own = check(case)
        found = rates(case, rounds)
        ratios = {
            who: statistics.median(a / b for a, b in zip(found["sojourn"], found[who], strict=True)) for who in found
        }
        for who, samples in found.items():
            median = statistics.median(samples)
            images_done = 3 * case.batch if case.task == "training" else 50
            operations = (own if who == "peer's own" else flops) * images_done
            ratio = "" if who == "sojourn" else f"{ratios[who]:.2f}"
            shown = (
                f"{median:.3g}",
                f"{max(samples):.3g}",
                ratio,
                f"{memory(case, who):.0f}",
                f"{median * operations / 1e9:.0f}",
            )
            rows.append((str(case), NAMES[who], *shown))
        lines.append(
            f"{case}: {parameters:,} parameters, {flops / 1e9:.3g} GFLOP an image forwards (the peer's own U-Net "
            f"{own / 1e9:.3g}). Over the faster of the two on the same U-Net: {min(ratios[who] for who in SAME):.2f} "
            "(the bar is 1.5)."
        )
    return rows, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/diffusion.md"))
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--memory-of", choices=MAKE, help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        run = MAKE[options.memory_of](Case(*json.loads(options.case)))
        run(), run()
        print(_peak())
        return
    load = os.getloadavg()[0]
    rows, lines = report(options.rounds, [case for case in CASES if options.only in str(case)])
    lines.append(
        f"Training is in steps, sampling in images of 50 evaluations each ({EVALUATIONS} are timed). Load of the "
        f"machine in the minute before the run: {load:.1f}, where 0 is idle; PyTorch had "
        f"{torch.get_num_threads()} threads."
    )
    table = Table(*HEADER, title="Diffusion")
    for row in rows:
        table.add_row(*row)
    console = Console(width=180)
    console.print(table, *lines, sep="\n")
    packages = ("numba", "torch", "diffusers", "denoising-diffusion-pytorch")
    markdown = ["# Diffusion models: speed", "", machine(*packages) + ".", ""]
    markdown += [f"`python benchmarks/diffusion.py --rounds {options.rounds}`", ""]
    markdown += ["| " + " | ".join(HEADER) + " |", "| --- | --- |" + " ---: |" * (len(HEADER) - 2)]
    markdown += ["| " + " | ".join(row) + " |" for row in rows]
    markdown += ["", *(line + "\n" for line in lines)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(markdown).rstrip() + "\n")
    console.print(f"written: {options.output}")


if __name__ == "__main__":
    main()
