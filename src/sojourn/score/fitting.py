"""Fitting a deep kernel exponential family: half of a batch says alpha, and all else learns on the other half.

Source: Wenliang, Sutherland, Strathmann and Gretton (2019), algorithm 1; Song, Garg, Shi and Ermon (2019), appendix B.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from sojourn.data.batches import batch_indices
from sojourn.errors import InputError
from sojourn.kernels.threads import one_thread
from sojourn.noise import Noise
from sojourn.observers import NonFiniteError
from sojourn.score.kernel_family import DeepKernelExponentialFamily, Quadratic
from sojourn.score.objectives import draw
from sojourn.training.loop import Training, train

Objective = Literal["exact", "sliced_reduced", "sliced", "denoising", "curvature_propagation"]
_CHUNK = 500  # data of a quadratic at a time
_EVERY = 10  # steps between looks at validation data
_WEIGHED = 1000  # training data that say alpha there
_RIDGES = -12.0, 6.0  # natural logarithms between which the last ridge is sought


@one_thread()
def fit_kernel_family(
    train_data: Tensor,
    validation: Tensor,
    *,
    objective: Objective = "sliced_reduced",
    inducing: int = 200,
    kernels: int = 3,
    width: int = 30,
    settings: Training | None = None,
    half: int = 100,
    patience: int = 200,
    sigma: float = 0.1,
    seed: int = 0,
    progress: bool = True,
) -> DeepKernelExponentialFamily:
    """The family of least objective on validation data.

    Features, inducing points and widths learn by steps on batches of two halves, until the objective of `validation`
    has not improved for `patience` steps, with alpha there from a thousand training data; then the ridge is the best
    one for validation data, with alpha solved on all training data.

    Args:
        train_data, validation: (n, D), centred and of about unit variance.
        objective: what is minimised; see `objective_of`.
        inducing, kernels, width: M, R, and the width of every layer.
        settings: of the steps; by default at most 3000 at a rate of 0.01, gradients clipped at 100.
        half: data in each half of a batch.
        sigma: of "denoising".
        seed: of starts, batches and noise.

    Raises:
        InputError: an unknown objective; fewer data than a batch or than inducing points; data that are not finite.
        NonFiniteError: the objective never was.
    """
    if objective not in get_args(Objective):
        raise InputError(f"objective={objective!r} is not known; choose from {', '.join(get_args(Objective))}")
    if len(train_data) < max(2 * half, inducing):
        raise InputError(
            f"{len(train_data)} training data are fewer than 2 half={2 * half} or inducing={inducing}; lower these"
        )
    if not bool(validation.isfinite().all() and train_data.isfinite().all()):
        raise InputError("the data hold NaN or infinity; drop those rows")
    noise = Noise(seed)
    torch.default_generator.manual_seed(noise.split("start").stream)
    points = train_data[batch_indices(len(train_data), inducing, step=0, seed=noise.split("points").stream)]
    family = DeepKernelExponentialFamily(points, kernels=kernels, hidden=width, outputs=width)
    batches, draws = noise.split("batches").stream, noise.split("draws")
    weighing = train_data[batch_indices(len(train_data), min(_WEIGHED, len(train_data)), step=0, seed=batches)]
    best: dict[str, Any] = {"loss": math.inf, "step": 0}

    def halves(step: int) -> tuple[Tensor, Tensor]:
        x = train_data[batch_indices(len(train_data), 2 * half, step=step, seed=batches)]
        return x[:half], x[half:]

    def loss(model: Any, step: int) -> Tensor:
        first, second = halves(step)
        alpha = model.weigh(objective_of(model, objective, first, draws.split(0), step, sigma))
        return objective_of(model, objective, second, draws.split(1), step, sigma).value(alpha)

    def until(model: Any, step: int) -> bool:
        if step % _EVERY:
            return False
        # data and draws are the same at every look, or luck would choose among them
        weighed, held = (
            over_all(model, objective, data, draws.split(k), sigma) for k, data in ((2, weighing), (3, validation))
        )
        found = float(held.value(weighed.least(model.log_ridge.detach().exp().double())))
        if found < best["loss"]:
            best.update(loss=found, step=step, weights={k: v.clone() for k, v in model.state_dict().items()})
        return step - best["step"] >= patience

    steps = settings or Training(3000, 0.01, schedule="constant", clip=100.0)
    train(family, loss, steps, until=until, progress=progress)
    if "weights" not in best:
        raise NonFiniteError("the objective of the validation data was never finite; lower the learning rate")
    family.load_state_dict(best["weights"])
    _choose_ridge(family, train_data, validation, objective, draws, sigma)
    return family


def objective_of(
    family: DeepKernelExponentialFamily, objective: Objective, x: Tensor, noise: Noise, step: int, sigma: float = 0.1
) -> Quadratic:
    """The objective of this name as a quadratic in alpha, with one direction a datum."""
    if objective == "exact":
        return family.exact(x)
    if objective == "denoising":
        return family.denoising(x, noise.normal(step, len(x), tuple(x.shape[1:]), x.dtype), sigma)
    if objective == "curvature_propagation":
        shape = family.features.kernels, 1 + family.features.outputs + 2 * family.features.hidden
        return family.curvature_propagation(x, (noise.words(step, len(x), shape) & 1).to(x.dtype) * 2 - 1)
    v = draw("rademacher", x, 1, noise, step)
    return family.sliced(x, v, reduced_variance=objective == "sliced_reduced")


def over_all(
    family: DeepKernelExponentialFamily, objective: Objective, x: Tensor, noise: Noise, sigma: float = 0.1
) -> Quadratic:
    """The objective over many data, a chunk at a time, without gradients and in float64."""
    points = len(family.points)
    matrix, vector, constant = (
        torch.zeros(points, points).double(),
        torch.zeros(points).double(),
        torch.zeros(()).double(),
    )
    with torch.no_grad():
        for k, part in enumerate(x.split(_CHUNK)):
            form, share = objective_of(family, objective, part, noise.split(k), 0, sigma), len(part) / len(x)
            matrix += share * form.matrix
            vector += share * form.vector
            constant += share * form.constant
    return Quadratic(torch.eye(points).double()[None], matrix[None], 1, vector, constant)


def _choose_ridge(
    family: DeepKernelExponentialFamily,
    x: Tensor,
    validation: Tensor,
    objective: Objective,
    noise: Noise,
    sigma: float,
) -> None:
    form, held = (
        over_all(family, objective, data, noise.split(name), sigma) for data, name in ((x, "all"), (validation, "held"))
    )

    def value(log_ridge: float) -> float:
        return float(held.value(form.least(torch.tensor(math.exp(log_ridge), dtype=torch.float64))))

    grid = torch.linspace(*_RIDGES, 37).tolist()
    start = min(grid, key=value)
    search: Any = minimize_scalar(value, bounds=(start - 0.5, start + 0.5), method="bounded")
    found = search.x
    nn.init.constant_(family.log_ridge, float(found))
    family.alpha = form.least(torch.tensor(math.exp(float(found)), dtype=torch.float64)).to(family.alpha.dtype)
