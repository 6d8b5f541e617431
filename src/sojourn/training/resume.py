"""What a training needs to go on where it stopped, and the refusal to go on as something else.

A checkpoint holds the weights, the averages, the optimiser's moments, where the training stands, and its settings.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import nn

from sojourn.errors import InputError
from sojourn.training import checkpoint, distributed
from sojourn.training.averages import Averages

if TYPE_CHECKING:
    from sojourn.training.loop import Training

FREE = ("checkpoint_seconds", "log_every")
"""Settings that do not touch the weights."""


@dataclass
class Progress:
    """Where a training stands.

    Args:
        seed: from which PyTorch's generators are seeded at every step.
        step: steps done, those skipped among them.
        skipped: steps skipped because a gradient was not finite.
        in_a_row: how many of them are the latest steps.
        loss: of the latest step that was not skipped.
    """

    seed: int
    step: int = 0
    skipped: int = 0
    in_a_row: int = 0
    loss: float | None = None


def save(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    averages: Averages,
    at: Progress,
    settings: Training,
    also: dict[str, Any],
) -> None:
    """Writes the checkpoint."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()} | averages.tensors()
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in moments.items()}
    checkpoint.save(path, tensors, **asdict(at), settings=asdict(settings) | also)


def start(
    path: Path | None,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    averages: Averages,
    settings: Training,
    also: dict[str, Any],
    device: torch.device,
) -> Progress:
    """Where to begin: at the checkpoint if process 0 has one, which is then put in place in every process."""
    seed = torch.randint(2**62, (1,)).to(device)
    distributed.equalise([seed, *model.state_dict().values()])
    data = distributed.hand_out(path.read_bytes() if path and path.exists() else None, device)
    if data is None:
        return Progress(int(seed))
    where = path or "the checkpoint of process 0"
    try:
        tensors, values = checkpoint.parse(data)
    except SafetensorError as error:
        raise InputError(f"{where} cannot be read as a checkpoint: {error}") from None
    _check_architecture(where, tensors, model)
    if "settings" in values:
        _check_settings(where, values, settings, also)
    for name, mean in averages.tensors().items():
        if name not in tensors:
            raise InputError(f"{where} holds no {name}; resume with the old settings, or start another run")
        mean.copy_(tensors[name])
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, kind = name.split(".")
            moments.setdefault(int(index), {})[kind] = tensor
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return Progress(**{"seed": int(seed)} | {n: v for n, v in values.items() if n in Progress.__dataclass_fields__})


def _check_architecture(where: Any, tensors: dict[str, torch.Tensor], model: nn.Module) -> None:
    there = {n.removeprefix("model."): _kind(t) for n, t in tensors.items() if n.startswith("model.")}
    here = {name: _kind(tensor) for name, tensor in model.state_dict().items()}
    for name in [*here, *there]:
        old, new = there.get(name, "missing"), here.get(name, "missing")
        if old != new:
            raise InputError(
                f"{where} is of another architecture: {name} is {old} there and {new} here; "
                "make the network as it was made then, or start another run"
            )


def _kind(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _check_settings(where: Any, values: dict[str, Any], settings: Training, also: dict[str, Any]) -> None:
    defaults = asdict(type(settings)(steps=1))
    old = defaults | values["settings"]
    new = json.loads(json.dumps(asdict(settings) | also))
    kept = [name for name in new if name in old and name not in FREE]  # older checkpoints held less
    differ = [name for name in kept if json.loads(json.dumps(old[name])) != new[name]]
    why = ""
    if "steps" in differ and new["schedule"] in ("constant", "inverse_sqrt"):
        if new["steps"] >= values["step"]:
            differ.remove("steps")
    elif "steps" in differ:
        why = (
            f" (the past of a {new['schedule']} rate depends on steps; constant and inverse_sqrt can go on for longer)"
        )
    if differ:
        then, now = (", ".join(f"{name}={side[name]}" for name in differ) for side in (old, new))
        raise InputError(
            f"{where} was trained with {then} and is now asked for {now}; "
            f"resume with the old settings, or start another run{why}"
        )
