"""The same network, noise, schedule and times give the trajectories of diffusers to 1e-5 at every step."""

import math

import pytest
import torch
from torch import nn

import sojourn as sj
from sojourn.diffusion import DDPM, Schedule
from sojourn.diffusion.samplers import DDIM, Ancestral, DPMSolverPP, DPMSolverPPSDE, Heun, UniPC
from sojourn.noise import Noise

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # theirs, of torch and NumPy
]

SHAPE, SEED, STEPS = (2, 3, 3), 4, 20


class Network(nn.Module):
    """A smooth function of x and time."""

    shape = SHAPE

    def __init__(self, outputs=1):
        super().__init__()
        self.outputs = outputs
        self.mix = nn.Parameter(0.3 * Noise(9).normal(0, 2 * outputs, (2,)))

    def forward(self, x, time, condition=None):
        time = time.reshape(-1, 1, 1, 1)
        mixed = torch.einsum("ij,njkl->nikl", self.mix, x) + torch.cos(time / 150)
        return torch.tanh(mixed) + 0.1 * torch.sin(3 * x).repeat(1, self.outputs, 1, 1)


@pytest.fixture(scope="module")
def diffusers():
    """The package; its import warns of what concerns no scheduler."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("diffusers")


def _theirs(scheduler, network, *, noisy=False, **options):
    """x at every step, from our x_T; networks count times from 0, as theirs do."""
    noise, frames = Noise(SEED), []
    x = noise.split("initial").normal(0, 3, SHAPE)
    scheduler.set_timesteps(STEPS)
    for i, t in enumerate(scheduler.timesteps):
        frames.append(x)
        with torch.no_grad():
            output = network(x, t.float())
        if noisy:
            options["variance_noise"] = noise.normal(i, 3, SHAPE)
        x = scheduler.step(output, t, x, return_dict=False, **options)[0]
    return [*frames, x]


def _ours(sampler, network, schedule, **options):
    limits = options.pop("limits", None)
    process = DDPM(network, schedule, levels=None, **options).reverse(sampler, limits=limits)
    path = sj.simulate(process, ensemble=3, seed=SEED, save_every=1, progress=False)
    return [path.state(k)["x"] for k in range(len(path))]


def _schedule(scheduler):
    """Their table to the bit, which is float32."""
    return Schedule.from_alpha_bar(scheduler.alphas_cumprod.double())


def _times(scheduler):
    scheduler.set_timesteps(STEPS)
    return tuple(float(t) + 1 for t in scheduler.timesteps)


def _same(ours, theirs, frames=None):
    assert len(ours) == len(theirs) == STEPS + 1
    for a, b in zip(ours[:frames], theirs[:frames], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


PREDICTS = {"epsilon": "epsilon", "v_prediction": "v"}


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("predicts", PREDICTS)
@pytest.mark.parametrize("beta", ["linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("clip", [False, True])
def test_ddim(diffusers, beta, predicts, eta, clip):
    scheduler = diffusers.DDIMScheduler(beta_schedule=beta, prediction_type=predicts, clip_sample=clip)
    network = Network()
    theirs = _theirs(scheduler, network, eta=eta, noisy=True, use_clipped_model_output=True)
    ours = _ours(
        DDIM(STEPS, _times(scheduler), eta=eta),
        network,
        _schedule(scheduler),
        predicts=PREDICTS[predicts],
        limits=(-1, 1) if clip else None,
    )
    _same(ours, theirs)


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large", "learned_range"])
@pytest.mark.parametrize("predicts", PREDICTS)
@pytest.mark.parametrize("clip", [False, True])
def test_ancestral(diffusers, monkeypatch, predicts, variance, clip):
    scheduler = diffusers.DDPMScheduler(prediction_type=predicts, variance_type=variance, clip_sample=clip)
    network = Network(outputs=2 if variance == "learned_range" else 1)
    asked = iter(range(STEPS))
    module = "diffusers.schedulers.scheduling_ddpm.randn_tensor"
    monkeypatch.setattr(module, lambda *args, **options: Noise(SEED).normal(next(asked), 3, SHAPE))
    theirs = _theirs(scheduler, network)
    ours = _ours(
        Ancestral(STEPS, _times(scheduler)),
        network,
        _schedule(scheduler),
        predicts=PREDICTS[predicts],
        variance=variance,
        limits=(-1, 1) if clip else None,
    )
    _same(ours, theirs)


@pytest.mark.parametrize("predicts", PREDICTS)
@pytest.mark.parametrize("beta", ["linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kind", ["dpmsolver++", "sde-dpmsolver++"])
def test_dpm_solver(diffusers, kind, order, beta, predicts):
    scheduler = diffusers.DPMSolverMultistepScheduler(
        beta_schedule=beta, prediction_type=predicts, solver_order=order, algorithm_type=kind
    )
    network, ours = Network(), DPMSolverPP if kind == "dpmsolver++" else DPMSolverPPSDE
    theirs = _theirs(scheduler, network, noisy=True)
    sampler = ours(STEPS, _times(scheduler), order=order)
    _same(_ours(sampler, network, _schedule(scheduler), predicts=PREDICTS[predicts]), theirs)


def test_dpm_solver_3m_but_for_the_weight_of_the_second_difference(diffusers):
    """Theirs gives it half the weight that the integral of the parabola has; with the other half added they agree."""

    class Whole(diffusers.DPMSolverMultistepScheduler):
        def multistep_dpm_solver_third_order_update(self, model_output_list, *args, sample=None, **options):
            x = super().multistep_dpm_solver_third_order_update(model_output_list, *args, sample=sample, **options)
            at = [-math.log(float(self.sigmas[self.step_index + k])) for k in (1, 0, -1, -2)]
            m = model_output_list[::-1]
            h = at[0] - at[1]
            first, second = (m[0] - m[1]) / (at[1] - at[2]), (m[1] - m[2]) / (at[2] - at[3])
            missing = 0.5 - (math.exp(-h) - 1 + h) / h**2
            alpha = 1 / math.hypot(1, math.exp(-at[0]))
            return x + alpha * missing * h**2 * (first - second) / (at[1] - at[3])

    scheduler, network = Whole(solver_order=3), Network()
    theirs = _theirs(scheduler, network)
    _same(_ours(DPMSolverPP(STEPS, _times(scheduler), order=3), network, _schedule(scheduler)), theirs)


@pytest.mark.parametrize("predicts", PREDICTS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_unipc(diffusers, order, predicts):
    """Of order 3 theirs takes order 2 one step before the last, ours does not."""
    scheduler = diffusers.UniPCMultistepScheduler(prediction_type=predicts, solver_order=order)
    network = Network()
    theirs = _theirs(scheduler, network)
    ours = _ours(
        UniPC(STEPS, _times(scheduler), order=order), network, _schedule(scheduler), predicts=PREDICTS[predicts]
    )
    _same(ours, theirs, None if order < 3 else -2)


def test_heun(diffusers):
    """Theirs walks in y = x / alpha and does half a step a call."""
    scheduler, network = diffusers.HeunDiscreteScheduler(), Network()
    schedule, times = _schedule(scheduler), [float(t) for t in range(950, -1, -50)]
    scheduler.set_timesteps(timesteps=times)
    spacing = tuple(t + 1 for t in times)
    alphas = [float(a) for a in Heun(STEPS, spacing).grid(schedule).alpha]
    y = Noise(SEED).split("initial").normal(0, 3, SHAPE) / alphas[0]
    frames = [y * alphas[0]]
    for k, t in enumerate(scheduler.timesteps):
        with torch.no_grad():
            output = network(scheduler.scale_model_input(y, t), t)
        y = scheduler.step(output, t, y, return_dict=False)[0]
        if k % 2 == 1 or k == len(scheduler.timesteps) - 1:
            frames.append(y * alphas[len(frames)])
    _same(_ours(Heun(STEPS, spacing), network, schedule), frames)
