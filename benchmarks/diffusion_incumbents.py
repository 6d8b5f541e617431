"""Diffusion programs asked for numbers that are known: likelihoods, schedules, orders of convergence.

    python benchmarks/diffusion_incumbents.py

Takes diffusers and denoising-diffusion-pytorch where they are installed, and improved-diffusion, score_sde_pytorch and
k-diffusion (with torchdiffeq) from folders of these names under SOJOURN_PEERS; the others are "not here". The data are
Gaussian, so the true denoiser goes in and every right answer is a closed form or forty digits of mpmath.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import mpmath
import numpy as np
import torch
from torch import Tensor, nn

from sojourn.diffusion import DDPM, ContinuousSchedule, GaussianMixture, Schedule
from sojourn.diffusion.decoder import log_level_probability
from sojourn.diffusion.flow import log_density
from sojourn.diffusion.samplers import DPMSolverPP, SpacedSampler, UniPC
from sojourn.diffusion.times import ImportanceSampler
from sojourn.diffusion.variances import interpolated
from sojourn.diffusion.variational import terms
from sojourn.noise import Noise

Row = tuple[str, str, str, str]
"""A question, the right answer, the peer's, Sojourn's."""

COVARIANCE = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)
LAW = GaussianMixture.gaussian(torch.zeros(2, dtype=torch.float64), COVARIANCE)


def main() -> None:
    torch.set_num_threads(1)
    peers: dict[str, Callable[[], Iterator[Row]]] = {
        "diffusers": diffusers,  # first: it looks at packages that are stubbed for others
        "improved-diffusion": improved_diffusion,
        "denoising-diffusion-pytorch": denoising_diffusion_pytorch,
        "score_sde_pytorch": score_sde,
        "k-diffusion": k_diffusion,
    }
    for peer, rows in peers.items():
        print(f"\n**{peer}**\n")
        try:
            found = list(rows())
        except ModuleNotFoundError as missing:
            print(f"not here: {missing}")
            continue
        print("| asked | right | theirs | Sojourn |\n| --- | --- | --- | --- |")
        for row in found:
            print("| " + " | ".join(row) + " |")


def improved_diffusion() -> Iterator[Row]:
    from_peers("improved-diffusion")
    from improved_diffusion import gaussian_diffusion as peer
    from improved_diffusion.losses import discretized_gaussian_log_likelihood as log_level
    from improved_diffusion.resample import LossSecondMomentResampler

    yield from decoder_rows(lambda x, mean, log_sd: log_level(x, means=mean, log_scales=log_sd))

    schedule, nodes, weights = Schedule.linear(steps=1000), *hermite()
    model = DDPM(LAW.network(schedule), schedule, levels=None)
    diffusion = peer.GaussianDiffusion(
        betas=schedule.beta[1:].numpy(),
        model_mean_type=peer.ModelMeanType.EPSILON,
        model_var_type=peer.ModelVarType.FIXED_SMALL,
        loss_type=peer.LossType.MSE,
    )
    x_0 = nodes[:, :2] @ torch.linalg.cholesky(COVARIANCE).T

    def epsilon(x: Tensor, time: Tensor) -> Tensor:
        return model.predict(x.flatten(1).to(torch.float64), time + 1).epsilon.to(x).reshape(x.shape)

    def theirs(t: int) -> float:
        image, noise = (v.float().reshape(-1, 2, 1, 1) for v in (x_0, nodes[:, 2:]))
        time = torch.full((len(x_0),), t - 1)
        x_t = diffusion.q_sample(image, time, noise=noise)
        found = diffusion._vb_terms_bpd(epsilon, image, x_t, time, clip_denoised=False)["output"]
        return float(weights @ found.double())

    def ours(t: int) -> float:
        found = terms(model, x_0, torch.full((len(x_0),), float(t)), nodes[:, 2:])
        return float(weights @ found) / (2 * math.log(2))

    for name, times in (("L_1", (2,)), ("L_999", (1000,)), ("L_1 + ... + L_999", range(2, 1001))):
        right, found, own = (sum(f(t) for t in times) for f in (lambda t: step_term(schedule, t), theirs, ours))
        yield f"{name} of Gaussian data, bits/dim", f"{right:.6g}", off(found, right), off(own, right)
    sampler = outcome(lambda: LossSecondMomentResampler(diffusion)), outcome(lambda: ImportanceSampler(schedule))
    yield "importance-sampled times", "run", *sampler


def denoising_diffusion_pytorch() -> Iterator[Row]:
    for name in ("torchvision", "torchvision.transforms", "torchvision.utils"):  # used there for folders of images only
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules["torchvision"].utils = sys.modules["torchvision.utils"]  # type: ignore[attr-defined]
    from denoising_diffusion_pytorch import Unet
    from denoising_diffusion_pytorch import learned_gaussian_diffusion as peer

    yield from decoder_rows(lambda x, m, s: peer.discretized_gaussian_log_likelihood(x, means=m, log_scales=s))
    torch.manual_seed(0)
    network = Unet(dim=8, dim_mults=(1, 2), channels=1, learned_variance=True, flash_attn=False)
    diffusion = peer.LearnedGaussianDiffusion(network, image_size=8, timesteps=1000, beta_schedule="linear")
    half = torch.zeros(1, 2, 8, 8)  # the fraction midway between the two variances
    *_, log_variance, _ = diffusion.p_mean_variance(
        x=half[:, :1], t=torch.zeros(1).long(), clip_denoised=False, model_output=half
    )
    betas = [float(b) for b in diffusion.betas[:2].double()]  # type: ignore[union-attr]
    small = betas[0] / (1 - (1 - betas[0]) * (1 - betas[1])) * betas[1]
    right = math.sqrt(math.sqrt(small * betas[0]))
    sigma = math.exp(float(log_variance[0, 0, 0, 0]) / 2)
    schedule = Schedule.linear(steps=1000)
    ours = interpolated(
        "learned_range", schedule.posterior_variance[2].log(), schedule.beta[1].log(), torch.tensor(0.5).double()
    )
    yield "decoder's sigma, fraction 1/2", f"{right:.3g}", f"{sigma:.3g}", f"{float(ours.exp()) ** 0.5:.3g}"
    diffusion.sampling_timesteps = 10
    yield "DDIM with learned variance", "run", outcome(lambda: diffusion.ddim_sample((1, 1, 8, 8))), "-"


def score_sde() -> Iterator[Row]:
    from_peers("score_sde_pytorch")
    import sde_lib
    from likelihood import get_likelihood_fn

    sde = sde_lib.VPSDE(beta_min=0.1, beta_max=20, N=1000)

    class Epsilon(nn.Module):
        def forward(self, x: Tensor, labels: Tensor) -> Tensor:
            t = labels.double() / 999
            log_alpha = -0.25 * t**2 * 19.9 - 0.5 * t * 0.1
            alpha, sigma = torch.exp(log_alpha), torch.sqrt(-torch.expm1(2 * log_alpha))
            flat = x.flatten(1).double()
            clean = LAW.mean_of_x_0(flat, alpha, sigma)
            return ((flat - alpha[:, None] * clean) / sigma[:, None]).to(x).reshape(x.shape)

    likelihood = get_likelihood_fn(sde, lambda x: (x + 1) / 2)
    x = points(64)
    right = -LAW.log_density(x) / (2 * math.log(2))
    torch.manual_seed(0)
    runs = torch.stack([likelihood(Epsilon(), x.float().reshape(-1, 1, 1, 2))[0].double() for _ in range(4)])
    found, mean = runs.mean(), right.mean()
    yield "-log p, mean of 64 data, bits/dim", f"{mean:.3f}", f"{found - mean:+.3f}", flow_mean_error(x)
    for levels in (16, 256):
        grey = mean + math.log2(levels / 2)
        yield f"the same as {levels} grey levels", f"{grey:.3f}", f"{found - grey:+.3f}", flow_mean_error(x)
    yield "one datum, sd of repeated answers, bits/dim", "0", f"{runs.std(0).mean():.3f}", "0"


def k_diffusion() -> Iterator[Row]:
    folder = peers_folder("k-diffusion")
    package = ModuleType("k_diffusion")  # its own __init__ asks for everything that its training uses
    package.__path__ = [str(folder / "k_diffusion")]
    unused = ("k_diffusion.utils", "torchsde")
    sys.modules.update({"k_diffusion": package} | {name: ModuleType(name) for name in unused})
    package.utils = sys.modules["k_diffusion.utils"]  # type: ignore[attr-defined]
    package.utils.append_dims = lambda x, n: x.reshape(*x.shape, *[1] * (n - x.ndim))  # type: ignore[attr-defined]
    from k_diffusion.sampling import log_likelihood

    x, least = points(64), 1e-2
    one = torch.ones(len(x), dtype=torch.float64)
    right = LAW.log_density(x, one, least * one)

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return LAW.mean_of_x_0(x, one, sigma)

    torch.manual_seed(0)
    runs = torch.stack([log_likelihood(denoise, x, least, 80.0)[0] for _ in range(4)])
    yield "log p of one datum, largest error, nats", "0", f"{(runs - right).abs().max():.3f}", largest_flow_error(x)
    yield "one datum, sd of repeated answers, nats", "0", f"{runs.std(0).mean():.3f}", "0"


def diffusers() -> Iterator[Row]:
    from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler

    for name, theirs, schedule in (
        ("linear, T = 1000", DDPMScheduler(1000, 1e-4, 0.02), Schedule.linear(steps=1000)),
        ("cosine, T = 1000", DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2"), Schedule.cosine(steps=1000)),
        ("cosine, T = 4000", DDPMScheduler(4000, beta_schedule="squaredcos_cap_v2"), Schedule.cosine(steps=4000)),
    ):
        variance = torch.stack([theirs._get_variance(t - 1) for t in range(2, schedule.steps + 1)]).double()
        error = (variance / schedule.posterior_variance[2:] - 1).abs()
        last = float(theirs.alphas_cumprod[-1]) / float(schedule.alpha_bar[-1]) - 1
        yield f"alpha_bar_T, {name}, relative error", "0", f"{last:.1e}", "0"
        yield f"beta_tilde, {name}, largest relative error", "0", f"{float(error.max()):.1e}", "0"

    for name, order, scheduler, sampler in (
        ("DPM-Solver++ 2M", 2, DPMSolverMultistepScheduler, DPMSolverPP),
        ("DPM-Solver++ 3M", 3, DPMSolverMultistepScheduler, DPMSolverPP),
        ("UniPC-2", 2, UniPCMultistepScheduler, UniPC),
        ("UniPC-3", 3, UniPCMultistepScheduler, UniPC),
    ):
        theirs = [scheduler_error(scheduler, n, order) for n in (64, 128)]
        ours = [sampler_error(sampler(n, "log_snr", order=order)) for n in (64, 128)]
        right = order + (sampler is UniPC)
        yield f"{name}, order (error in 128 steps)", f"{right} or more", in_words(theirs), in_words(ours)


def in_words(errors: list[float]) -> str:
    return f"{math.log2(errors[0] / errors[1]):.2f} ({errors[1]:.1e})"


VARIANCE = 0.25
"""Of the data of the next two, N(0, 1/4): their flow multiplies x by the ratio of standard deviations."""


def scheduler_error(scheduler: type, steps: int, order: int) -> float:
    """Relative error of the flow from the first to the last but one of a scheduler's times."""
    made = scheduler(
        1000,
        1e-4,
        0.02,
        solver_order=order,
        use_exponential_sigmas=True,  # uniform in the log of the signal-to-noise ratio
        lower_order_final=False,
        final_sigmas_type="sigma_min",
    )
    made.set_timesteps(steps)
    sigmas = made.sigmas.double()
    alpha = (1 + sigmas**2) ** -0.5
    variance = alpha**2 * VARIANCE + (sigmas * alpha) ** 2
    x = torch.ones(1, 1)
    for i, t in enumerate(made.timesteps[:-1]):
        x = made.step((sigmas[i] * alpha[i] / variance[i]).float() * x, t, x).prev_sample
    return abs(float(x) / math.sqrt(float(variance[steps - 1] / variance[0])) - 1)


def sampler_error(sampler: SpacedSampler) -> float:
    """The same of Sojourn's."""
    schedule = Schedule.linear(steps=1000)
    law = GaussianMixture.gaussian(torch.zeros(1).double(), torch.full((1, 1), VARIANCE).double())
    process = DDPM(law.network(schedule), schedule, levels=None).reverse(sampler)
    state, grid = process.start(torch.ones(1, 1).double()), process.grid
    for i in range(sampler.steps - 1):
        state = process.step(state, i, Noise(0))
    variance = grid.alpha**2 * VARIANCE + grid.sigma**2
    return abs(float(state["x"]) / math.sqrt(float(variance[-2] / variance[0])) - 1)


def decoder_rows(theirs: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Iterator[Row]:
    """-log2 of the probability of a grey level, the mean some sigma away; sigma_1 of the linear schedule is 0.01."""
    for sigma, away in ((0.01, 0.0), (0.01, 2.0), (0.01, 4.0), (0.01, 6.0), (0.002, 6.0), (0.01, 10.0)):
        x = torch.full((1, 1), 2 * 127 / 255 - 1, dtype=torch.float64)
        mean, log_sd = x + away * sigma, torch.full_like(x, math.log(sigma))
        with mpmath.workdps(40):
            ends = [mpmath.mpf(half) / 255 / mpmath.mpf(sigma) - away for half in (-1, 1)]
            right = float(-mpmath.log(mpmath.ncdf(ends[1]) - mpmath.ncdf(ends[0]), 2))
        peer = -float(theirs(x.float(), mean.float(), log_sd.float())) / math.log(2)
        ours = -float(log_level_probability(x, mean, 2 * log_sd, 256)) / math.log(2)
        yield f"level {away:g} sigma away, sigma = {sigma}, bits", f"{right:.4f}", off(peer, right), off(ours, right)
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)[:, None]
    weights, x = torch.exp(-(z**2) / 2) / torch.exp(-(z**2) / 2).sum(), torch.full_like(z, 2 * 127 / 255 - 1)
    mean, log_sd = x + 0.01 * z, torch.full_like(z, math.log(0.01))
    ours = -log_level_probability(x, mean, 2 * log_sd, 256)[:, None]
    peer = -theirs(x.float(), mean.float(), log_sd.float()).double()
    right = float((weights * ours).sum()) / math.log(2)
    found = float((weights * peer).sum()) / math.log(2)
    yield "mean over distances of that normal law, bits", f"{right:.4f}", off(found, right), "taken as right"


def step_term(schedule: Schedule, t: int) -> float:
    """L_{t-1} of the Gaussian data with the true denoiser and the small variance, bits/dim."""
    now, before = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[t - 1])
    beta, small = 1 - now / before, float(schedule.posterior_variance[t])
    values = torch.linalg.eigvalsh(COVARIANCE)
    error = float((values * (1 - now) / (now * values + 1 - now)).sum())
    return 0.5 * before * beta**2 / (1 - now) ** 2 * error / small / (2 * math.log(2))


def hermite() -> tuple[Tensor, Tensor]:
    """Nodes (81, 4) and weights of a Gauss-Hermite rule, exact for squares."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), -1).reshape(-1, 4)
    product = np.stack(np.meshgrid(*[weights / weights.sum()] * 4, indexing="ij"), -1).prod(-1).ravel()
    return torch.from_numpy(grid), torch.from_numpy(product)


def points(n: int) -> Tensor:
    """Draws from the Gaussian data."""
    return LAW.sample(n, Noise(0))


def flow_errors(x: Tensor) -> Tensor:
    """Sojourn's log density less the right one, in nats, at its first noisy time, where k-diffusion's is asked too."""
    schedule = ContinuousSchedule.linear()
    model = DDPM(LAW.network(schedule), schedule, levels=None)
    return log_density(model, x)[0] - LAW.log_density(x, *schedule.scales(schedule.first))


def largest_flow_error(x: Tensor) -> str:
    return f"{flow_errors(x).abs().max():.1e}"


def flow_mean_error(x: Tensor) -> str:
    return f"{-flow_errors(x).mean() / (2 * math.log(2)):+.1e}"


def off(found: float | Tensor, right: float | Tensor) -> str:
    return f"{float(found) - float(right):+.1e}"


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
    return "run"


def peers_folder(name: str) -> Path:
    folder = Path(os.environ.get("SOJOURN_PEERS", "")) / name
    if "SOJOURN_PEERS" not in os.environ or not folder.is_dir():
        raise ModuleNotFoundError(f"no folder {name} under SOJOURN_PEERS")
    return folder


def from_peers(name: str) -> None:
    sys.path.insert(0, str(peers_folder(name)))


if __name__ == "__main__":
    main()
