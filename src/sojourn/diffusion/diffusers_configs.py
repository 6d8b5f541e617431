"""The settings of diffusers' UNet2DModel and DDPMScheduler, and ours: each in terms of the other."""

from __future__ import annotations

from typing import Any

import torch

from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.networks import Classes, UNet
from sojourn.diffusion.networks.unet import DETAILS, norm_groups
from sojourn.diffusion.prediction import parameterisation
from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError

# Settings that must have the value given, which is also what their absence means.
_UNET_FIXED: dict[str, Any] = {
    "center_input_sample": False,
    "time_embedding_type": "positional",
    "time_embedding_dim": None,
    "mid_block_type": "UNetMidBlock2D",
    "mid_block_scale_factor": 1,
    "downsample_type": "conv",
    "upsample_type": "conv",
    "act_fn": "silu",
    "attn_norm_num_groups": None,
    "resnet_time_scale_shift": "default",
    "add_attention": True,
    "class_embed_type": None,
    "num_train_timesteps": None,
}
_SCHEDULER_FIXED: dict[str, Any] = {"thresholding": False, "rescale_betas_zero_snr": False, "clip_sample_range": 1.0}
_SCHEDULER_FREE = {"dynamic_thresholding_ratio", "sample_max_value", "timestep_spacing", "steps_offset"}
_SCHEDULER_FREE |= {"set_alpha_to_one"}  # these are of its own samplers

_PREDICTS = {"epsilon": "epsilon", "sample": "x_0", "v_prediction": "v"}
_VARIANCES = {"fixed_small": "fixed_small", "fixed_large": "fixed_large", "learned_range": "learned_range"}
_VARIANCES |= {"fixed_small_log": "fixed_small", "fixed_large_log": "fixed_large"}  # the same numbers
_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")


# ----------------------------------------------------------------------------------------------------------- U-Net


def unet_settings(config: dict[str, Any], *, none_given: bool) -> dict[str, Any]:
    """The arguments of the `UNet` that a unet/config.json describes.

    Args:
        config: the JSON object.
        none_given: the last class means "none".
    """
    defaults = {"sample_size": None, "in_channels": 3, "out_channels": 3, "freq_shift": 0, "flip_sin_to_cos": True}
    defaults |= {"down_block_types": None, "up_block_types": None, "block_out_channels": None, "layers_per_block": 2}
    defaults |= {"downsample_padding": 1, "dropout": 0.0, "attention_head_dim": 8, "norm_num_groups": 32}
    defaults |= {"norm_eps": 1e-5, "num_class_embeds": None}
    values = _checked(config, "UNet2DModel", _UNET_FIXED, defaults)
    size, channels, outputs = values["sample_size"], values["in_channels"], values["out_channels"]
    if size is None:
        raise InputError("sample_size=None in the U-Net's config.json: write the height or [height, width] there")
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    if outputs not in (channels, 2 * channels):
        raise InputError(
            f"out_channels={outputs} with in_channels={channels}: supported are the same number or twice it"
        )
    widths = values["block_out_channels"]
    if not widths or any(w % widths[0] for w in widths):
        raise InputError(f"block_out_channels={widths}: supported are multiples of the first")
    if values["norm_num_groups"] != norm_groups(widths[0]):
        found, wanted = values["norm_num_groups"], norm_groups(widths[0])
        raise InputError(f"norm_num_groups={found}: supported is {wanted} for {widths[0]} channels")
    down, up = values["down_block_types"], values["up_block_types"]
    attentive = [_named(down, "down_block_types", "DownBlock2D", name) for name in down or ()]
    if (
        len(attentive) != len(widths)
        or [_named(up, "up_block_types", "UpBlock2D", n) for n in up or ()] != attentive[::-1]
    ):
        raise InputError(f"up_block_types={up} do not mirror down_block_types={down}, one for each of {widths}")
    classes = values["num_class_embeds"]
    return {
        "shape": (channels, height, width),
        "width": widths[0],
        "multipliers": tuple(w // widths[0] for w in widths),
        "blocks": values["layers_per_block"],
        "attention": tuple(height >> k for k, here in enumerate(attentive) if here),
        "head_channels": values["attention_head_dim"],
        "dropout": values["dropout"],
        "outputs": outputs // channels,
        "condition": None if classes is None else Classes(classes - none_given),
        "details": _details(values),
    }


def unet_config(model: DDPM) -> dict[str, Any]:
    """The unet/config.json of the model's network."""
    net = model.network
    if not isinstance(net, UNet):
        raise InputError(f"a {type(net).__name__} has no counterpart in diffusers' layout; only a UNet has")
    kind, details = net.condition.kind, DETAILS[net.details]
    if kind is not None and not isinstance(kind, Classes):
        raise InputError(f"condition={kind} has no counterpart in diffusers' UNet2DModel; Classes and None have")
    attentive = [net.shape[1] >> k in net.attention for k in range(len(net.multipliers))]
    return {
        "_class_name": "UNet2DModel",
        "sample_size": net.shape[1] if net.shape[1] == net.shape[2] else list(net.shape[1:]),
        "in_channels": net.shape[0],
        "out_channels": net.outputs * net.shape[0],
        "freq_shift": details.shift,
        "flip_sin_to_cos": False,
        "down_block_types": ["AttnDownBlock2D" if here else "DownBlock2D" for here in attentive],
        "up_block_types": ["AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attentive)],
        "block_out_channels": [net.width * m for m in net.multipliers],
        "layers_per_block": net.blocks,
        "downsample_padding": details.padding[0],
        "dropout": net.dropout,
        "attention_head_dim": net.head_channels,
        "norm_num_groups": norm_groups(net.width),
        "norm_eps": details.epsilon,
        "num_class_embeds": None if kind is None else kind.count + 1,
        **_UNET_FIXED,
    }


def _details(values: dict[str, Any]) -> str:
    found = (values["freq_shift"], values["norm_eps"], values["downsample_padding"])
    for name, details in DETAILS.items():
        if found == (details.shift, details.epsilon, details.padding[0]):
            return name
    known = " or ".join(str((d.shift, d.epsilon, d.padding[0])) for d in DETAILS.values())
    raise InputError(f"(freq_shift, norm_eps, downsample_padding)={found}: supported are {known}")


def _named(names: Any, key: str, plain: str, name: str) -> bool:
    if name not in (plain, f"Attn{plain}"):
        raise InputError(f"{key}={names}: supported are {plain} and Attn{plain}")
    return name != plain


# ------------------------------------------------------------------------------------------------------- scheduler


def model_settings(config: dict[str, Any], outputs: int) -> dict[str, Any]:
    """The arguments of `DDPM`, but for the network, that a scheduler_config.json describes."""
    defaults = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
    defaults |= {"trained_betas": None, "prediction_type": "epsilon", "clip_sample": True}
    defaults |= {"variance_type": "learned_range" if outputs == 2 else "fixed_small", **dict.fromkeys(_SCHEDULER_FREE)}
    kinds = ("DDPMScheduler", "DDIMScheduler")
    values = _checked(config, kinds, _SCHEDULER_FIXED, defaults)
    if values["trained_betas"] is not None:
        schedule = Schedule.from_beta(torch.tensor(values["trained_betas"], dtype=torch.float64))
    else:
        name = _chosen(values, "beta_schedule", {name: name for name in _SCHEDULES})
        schedule = _schedule(name, values["beta_start"], values["beta_end"], values["num_train_timesteps"])
    return {
        "schedule": schedule,
        "predicts": _chosen(values, "prediction_type", _PREDICTS),
        "variance": _chosen(values, "variance_type", _VARIANCES),
        "levels": 256 if values["clip_sample"] else None,
    }


def scheduler_config(model: DDPM) -> dict[str, Any]:
    """The scheduler/scheduler_config.json of the model."""
    theirs = [name for name, ours in _PREDICTS.items() if parameterisation(ours) == model.parameterisation]  # type: ignore[arg-type]
    if not theirs:
        raise InputError(f"predicts={model.parameterisation} has no counterpart in diffusers' DDPMScheduler")
    if not isinstance(model.schedule, Schedule):
        raise InputError(f"{model.schedule} has no counterpart in diffusers' DDPMScheduler; a Schedule of T steps has")
    return {
        "_class_name": "DDPMScheduler",
        "num_train_timesteps": model.schedule.steps,
        **_betas(model.schedule),
        "prediction_type": theirs[0],
        "variance_type": model.variance,
        "clip_sample": model.levels is not None,
        **_SCHEDULER_FIXED,
    }


def _schedule(name: str, first: float, last: float, steps: int) -> Schedule:
    if name == "linear":
        return Schedule.linear(first, last, steps=steps)
    if name == "squaredcos_cap_v2":
        return Schedule.cosine(steps=steps)
    return Schedule.from_beta(torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2, name)


def _betas(schedule: Schedule) -> dict[str, Any]:
    """By name where one gives the same numbers, else all of them."""
    beta = schedule.beta[1:]
    ends = float(f"{beta[0]:.12g}"), float(f"{beta[-1]:.12g}")
    for name in _SCHEDULES:
        if ends[0] <= ends[1] and torch.allclose(
            _schedule(name, *ends, schedule.steps).beta[1:], beta, rtol=1e-9, atol=0
        ):
            return {"beta_schedule": name, "beta_start": ends[0], "beta_end": ends[1]}
    return {"trained_betas": beta.tolist()}


# -------------------------------------------------------------------------------------------------------- settings


def _checked(
    config: dict[str, Any], kinds: str | tuple[str, ...], fixed: dict[str, Any], defaults: dict[str, Any]
) -> dict[str, Any]:
    """The settings with defaults in the places of missing ones; InputError for what is not supported."""
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if config.get("_class_name") not in kinds:
        raise InputError(f"_class_name={config.get('_class_name')!r}: supported is {' or '.join(kinds)}")
    for key, value in config.items():
        if key in fixed and value != fixed[key]:
            raise InputError(f"{kinds[0]}: {key}={value!r}; supported is {fixed[key]!r}")
        if key not in fixed and key not in defaults and not key.startswith("_"):
            raise InputError(
                f"{kinds[0]}: {key}={value!r} is not known; supported are {', '.join((*defaults, *fixed))}"
            )
    return {key: config.get(key, value) for key, value in defaults.items()}


def _chosen(values: dict[str, Any], key: str, names: dict[str, str]) -> str:
    if values[key] not in names:
        raise InputError(f"{key}={values[key]!r}: supported are {', '.join(names)}")
    return names[values[key]]
