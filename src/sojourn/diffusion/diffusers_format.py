"""Models in the folder layout of the library diffusers: a pipeline of a UNet2DModel and a DDPMScheduler.

model_index.json, unet/config.json, unet/diffusion_pytorch_model.safetensors, scheduler/scheduler_config.json

Weights are the same numbers in both directions; betas are float64 here and float32 there.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from sojourn.diffusion import diffusers_configs as configs
from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.networks import Classes, UNet
from sojourn.errors import InputError

_WEIGHTS = "diffusion_pytorch_model.safetensors"
_INDEX = {
    "_class_name": "DDPMPipeline",
    "unet": ["diffusers", "UNet2DModel"],
    "scheduler": ["diffusers", "DDPMScheduler"],
}


def load(folder: str | Path) -> DDPM:
    """The model in `folder`, of 256 grey levels where its scheduler clips samples to [-1, 1], else without levels.

    Both files may also lie in `folder` itself. Class embeddings that `save` did not write have no row for "none": here
    it is zero.

    Raises:
        InputError: a file is missing or not of this layout, a setting has no counterpart here, or the weights are not
            those of the configuration.
    """
    folder = Path(folder)
    unet, scheduler = (folder / part if (folder / part).is_dir() else folder for part in ("unet", "scheduler"))
    path = unet / _WEIGHTS
    if not path.exists() and (unet / "diffusion_pytorch_model.bin").exists():
        raise InputError(
            f"{unet} holds weights as a pickle, which may run any code; have diffusers save it again, with "
            "safe_serialization=True"
        )
    config = _read_json(unet / "config.json")
    theirs, metadata = _read_weights(path)
    none_given = metadata.get("class_none") == "last row"
    settings = configs.unet_settings(config, none_given=none_given)
    network = UNet(**settings)
    _fill(network, theirs, flipped=bool(config.get("flip_sin_to_cos", True)), none_given=none_given, path=path)
    return DDPM(network, **configs.model_settings(_read_json(scheduler / "scheduler_config.json"), network.outputs))


def save(folder: str | Path, model: DDPM) -> None:
    """Writes `model` to `folder`; `diffusers.DDPMPipeline.from_pretrained` reads it.

    Labels of a conditional network have one class more there: the last means "none".

    Raises:
        InputError: the network is no UNet, or something of the model has no counterpart in the layout.
    """
    folder = Path(folder)
    unet, scheduler = configs.unet_config(model), configs.scheduler_config(model)
    weights = to_diffusers(model.network)
    metadata = {"format": "pt"}
    if isinstance(model.network.condition.kind, Classes):
        metadata["class_none"] = "last row"
    for part in ("unet", "scheduler"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _write(folder / "unet" / _WEIGHTS, to_bytes(weights, metadata=metadata))
    _write(folder / "unet" / "config.json", _json(unet))
    _write(folder / "scheduler" / "scheduler_config.json", _json(scheduler))
    _write(folder / "model_index.json", _json(_INDEX))


# --------------------------------------------------------------------------------------------------------- weights

_ENTRY = [("time.first.", "time_embedding.linear_1."), ("time.second.", "time_embedding.linear_2.")]
_ENTRY += [("condition.table.", "class_embedding."), ("norm.", "conv_norm_out.")]
_ENTRY += [("first.", "conv_in."), ("last.", "conv_out.")]
_LEVEL = [("down.", "down_blocks."), ("up.", "up_blocks."), ("middle.", "mid_block.")]
_BLOCK = {"norm_1": "norm1", "first": "conv1", "time": "time_emb_proj", "norm_2": "norm2", "second": "conv2"}
_BLOCK |= {"shortcut": "conv_shortcut"}
_ATTENTION = {"norm": ["group_norm"], "out": ["to_out.0"], "qkv": ["to_q", "to_k", "to_v"]}
_OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}  # before diffusers 0.12


def to_diffusers(network: UNet) -> dict[str, Tensor]:
    """The weights of the network under the names of diffusers' UNet2DModel."""
    weights: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        theirs = _their_names(name)
        for part, value in zip(theirs, tensor.chunk(len(theirs)), strict=True):
            weights[part] = value.detach().cpu().contiguous().clone()
    return weights


def _their_names(name: str) -> list[str]:
    """What a tensor of ours is called there; the parts where there are several, along the first axis."""
    for ours, theirs in _ENTRY:
        if name.startswith(ours):
            return [theirs + name.removeprefix(ours)]
    for ours, theirs in _LEVEL:
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
    head, leaf = name.rsplit(".", 1)
    if head.endswith("resize.conv"):
        kind = "downsamplers" if head.startswith("down") else "upsamplers"
        return [f"{head.removesuffix('resize.conv')}{kind}.0.conv.{leaf}"]
    head, part = head.rsplit(".", 1)
    if ".attentions." in head:
        return [f"{head}.{theirs}.{leaf}" for theirs in _ATTENTION[part]]
    return [f"{head.replace('.blocks.', '.resnets.')}.{_BLOCK[part]}.{leaf}"]


def _fill(network: UNet, theirs: dict[str, Tensor], *, flipped: bool, none_given: bool, path: Path) -> None:
    ours: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        parts = _their_names(name)
        missing = [part for part in parts if part not in theirs]
        if missing:
            raise InputError(f"{path} lacks {missing[0]}, which its config.json asks for")
        value = torch.cat([theirs.pop(part) for part in parts])
        if name == "condition.table.weight" and not none_given:
            value = torch.cat((value, torch.zeros_like(value[:1])))
        if name == "time.first.weight" and flipped:  # cosines first there
            value = value.roll(value.shape[1] // 2, 1)
        if value.shape != tensor.shape:
            there, here = tuple(value.shape), tuple(tensor.shape)
            raise InputError(f"{path}: {parts[0]} has shape {there}, but its config.json asks for {here}")
        ours[name] = value
    if theirs:
        raise InputError(f"{path} holds {next(iter(theirs))}, which its config.json does not ask for")
    network.load_state_dict(ours)


def _read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    old = "|".join(_OLD)
    try:
        with safe_open(path, framework="pt") as file:
            names = {
                re.sub(rf"(\.attentions\.\d+)\.({old})\.", lambda m: f"{m[1]}.{_OLD[m[2]]}.", name): name
                for name in file.keys()  # noqa: SIM118 (not a dict)
            }
            return {new: file.get_tensor(name).float() for new, name in names.items()}, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors: {error}") from None


# ----------------------------------------------------------------------------------------------------------- files


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}; a folder in diffusers' layout has it") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not a JSON object; a folder in diffusers' layout has one there")
    return found


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    beside.write_bytes(content)
    os.replace(beside, path)
