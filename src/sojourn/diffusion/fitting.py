"""Training a diffusion model: batches, times and noise as functions of the step, the loss, and the one loop."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from sojourn.data.batches import batch_indices
from sojourn.diffusion.losses import Loss, Simple
from sojourn.diffusion.modes import undisturbed
from sojourn.diffusion.times import ImportanceSampler, uniform_times
from sojourn.diffusion.variational import check_data
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.training import distributed
from sojourn.training.checkpoint import digest
from sojourn.training.loop import Training, train

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM
    from sojourn.runs import Run


def fit(
    model: DDPM,
    x_0: Tensor,
    settings: Training,
    *,
    loss: Loss | None = None,
    batch: int = 128,
    condition: Tensor | None = None,
    without_condition: float = 0.1,
    times: Literal["uniform", "importance"] = "uniform",
    seed: int = 0,
    run: Run | None = None,
    stage: str = "training",
    progress: bool = True,
) -> None:
    """Trains the model on data, in place; see `sojourn.training` for averages, precision, resuming and several GPUs.

    Args:
        x_0: (n, *shape), on the CPU or where the model is.
        settings: how to train. Ho, Jain and Abbeel: learning rate 2e-4 after a warm-up of 5000 steps, clip=1.
        loss: see `sojourn.diffusion.losses`; by default `Simple()`.
        batch: members of a step, over all processes.
        condition: (n, ...), for a conditional network.
        without_condition: share of members that are trained without it, as classifier-free guidance needs.
        times: "uniform", or "importance" for times whose losses vary most (one process).
        seed: of batches, times and noise.

    Raises:
        InputError: the data do not fit the model, an option is not known, or the run holds a training of another model
            or with other options.
    """
    check_data(model, x_0, condition=condition, batch=batch)
    if times not in ("uniform", "importance"):
        raise InputError(f"times={times!r} is not known; choose uniform or importance")
    if loss is not None and not callable(loss):
        raise InputError(f"loss={loss!r} is no loss; give losses.Simple(), losses.Hybrid(), ...")
    if not 0 <= without_condition <= 1:
        raise InputError(f"without_condition={without_condition} is not in [0, 1], as the share of a batch is")
    chosen = loss or Simple()
    noise = Noise(seed)
    trained = _Trained(model, ImportanceSampler(model.schedule) if times == "importance" else None)
    first, count = distributed.share(batch)

    def objective(module: nn.Module, step: int) -> Tensor:
        device = model.device
        rows = batch_indices(len(x_0), batch, step=step, seed=seed)[first : first + count]
        data = x_0[rows].to(device, model.dtype)
        here = noise.members(first)
        given = None
        if condition is not None:
            given = _dropped(condition[rows], without_condition, step, here.split("drop")).to(device)
        epsilon = here.split("epsilon").normal(step, count, model.shape, dtype=model.dtype, device=device)
        if trained.times is None:
            t = uniform_times(model.schedule, step, first, count, batch, noise.split("time")).to(device)
            return chosen(model, data, t, epsilon, given).mean()
        t, weights = (value.to(device) for value in trained.times.draw(step, count, noise.split("time")))
        losses = chosen(model, data, t, epsilon, given)
        trained.times.learn(t, losses)
        return (weights * losses).mean()

    path = model.schedule.record()
    also = {
        "data": len(x_0),
        "batch": batch,
        "loss": _named(chosen),
        "times": times,
        "without_condition": None if condition is None else without_condition,
        "seed": seed,
        "predicts": _named(model.parameterisation),
        "variance": model.variance,
        "levels": model.levels,
        "noise": f"{path['name']}, {digest({'log_alpha_bar': path['log_alpha_bar']})[:8]}",
    }
    with undisturbed(model):
        train(trained, objective, settings, run=run, stage=stage, also=also, progress=progress)
    model.eval()


class _Trained(nn.Module):
    """What a checkpoint holds: the model, and the history of its losses where times are drawn by it."""

    def __init__(self, model: DDPM, times: ImportanceSampler | None) -> None:
        super().__init__()
        self.model, self.times = model, times


def _named(what: object) -> str:
    """Its repr, if that says what it is; of what has none of its own, which would hold an address, the name."""
    return repr(what) if is_dataclass(what) else getattr(what, "__qualname__", type(what).__qualname__)


def _dropped(condition: Tensor, share: float, step: int, noise: Noise) -> Tensor:
    """The conditions, a share of them replaced by "none": -1 for classes, NaN for numbers."""
    none = noise.uniform(step, len(condition), (), device=condition.device) < share
    absent = -1 if not condition.is_floating_point() else float("nan")
    return torch.where(none.reshape(-1, *[1] * (condition.ndim - 1)), absent, condition)
