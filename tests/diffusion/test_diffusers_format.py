"""The layout of diffusers' folders, held to its key names written by hand; no copy of diffusers is needed."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from sojourn.diffusion import DDPM, Schedule, diffusers_format
from sojourn.diffusion.networks import MLP, Classes, UNet, Vector
from sojourn.errors import InputError


def small(**options):
    torch.manual_seed(0)
    network = UNet((1, 8, 8), 16, multipliers=(1, 2), blocks=1, attention=(4,), **options)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return network.eval()


def change(path, **values):
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | values))


# What diffusers' UNet2DModel calls the tensors of `small`, written down from its modules.
KEYS = {f"{layer}.{part}" for part in ("weight", "bias") for layer in [
    "conv_in", "time_embedding.linear_1", "time_embedding.linear_2", "conv_norm_out", "conv_out",
    "down_blocks.0.downsamplers.0.conv", "up_blocks.0.upsamplers.0.conv",
    *(f"{block}.{layer}"
      for block in ["down_blocks.0.resnets.0", "down_blocks.1.resnets.0", "mid_block.resnets.0", "mid_block.resnets.1",
                    "up_blocks.0.resnets.0", "up_blocks.0.resnets.1", "up_blocks.1.resnets.0", "up_blocks.1.resnets.1"]
      for layer in ["norm1", "conv1", "time_emb_proj", "norm2", "conv2"]),
    "down_blocks.1.resnets.0.conv_shortcut",
    *(f"up_blocks.{i}.resnets.{j}.conv_shortcut" for i in (0, 1) for j in (0, 1)),
    *(f"{attention}.{layer}"
      for attention in ["down_blocks.1.attentions.0", "mid_block.attentions.0", "up_blocks.0.attentions.0",
                        "up_blocks.0.attentions.1"]
      for layer in ["group_norm", "to_q", "to_k", "to_v", "to_out.0"]),
]}  # fmt: skip


def test_the_files_are_those_of_a_pipeline(tmp_path):
    network = small()
    diffusers_format.save(tmp_path, DDPM(network, Schedule.linear(1e-4, 0.02, steps=1000)))
    weights = load_file(tmp_path / "unet/diffusion_pytorch_model.safetensors")
    assert set(weights) == KEYS
    assert torch.equal(weights["up_blocks.1.resnets.0.conv1.weight"], network.up[1].blocks[0].first.weight)
    assert torch.equal(weights["mid_block.attentions.0.to_k.weight"], network.middle.attentions[0].qkv.weight[32:64])
    unet = json.loads((tmp_path / "unet/config.json").read_text())
    assert unet["_class_name"] == "UNet2DModel"
    assert (unet["sample_size"], unet["block_out_channels"], unet["layers_per_block"]) == (8, [16, 32], 1)
    assert unet["down_block_types"] == ["DownBlock2D", "AttnDownBlock2D"]
    assert unet["up_block_types"] == ["AttnUpBlock2D", "UpBlock2D"]
    scheduler = json.loads((tmp_path / "scheduler/scheduler_config.json").read_text())
    assert scheduler["_class_name"] == "DDPMScheduler"
    found = [
        scheduler[k] for k in ("beta_schedule", "beta_start", "beta_end", "num_train_timesteps", "prediction_type")
    ]
    assert found == ["linear", 1e-4, 0.02, 1000, "epsilon"]
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["unet"] == ["diffusers", "UNet2DModel"]


@pytest.mark.parametrize(
    ("schedule", "predicts", "variance", "levels", "options"),
    [
        (Schedule.linear(1e-4, 0.02, steps=10), "epsilon", "fixed_large", 256, {}),
        (Schedule.cosine(steps=50), "v", "learned_range", 256, {"outputs": 2, "head_channels": 8}),
        (Schedule.sigmoid(steps=20), "x_0", "fixed_small", None, {"condition": Classes(3), "details": "diffusers"}),
    ],
)
def test_models_come_back_as_they_were(tmp_path, schedule, predicts, variance, levels, options):
    model = DDPM(small(**options), schedule, predicts=predicts, variance=variance, levels=levels).eval()
    diffusers_format.save(tmp_path, model)
    found = diffusers_format.load(tmp_path).eval()
    assert (found.parameterisation, found.variance, found.levels) == (model.parameterisation, variance, levels)
    assert torch.allclose(found.schedule.beta, schedule.beta, rtol=1e-9, atol=0)
    ours, theirs = model.network.state_dict(), found.network.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1.0, 9.0])
    assert torch.equal(model.network(x, t), found.network(x, t))


def test_cosines_first_old_names_and_classes_without_none(tmp_path):
    model = DDPM(small(condition=Classes(2)), Schedule.linear(steps=10)).eval()
    diffusers_format.save(tmp_path, model)
    path = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    first = weights["time_embedding.linear_1.weight"]
    weights["time_embedding.linear_1.weight"] = torch.cat((first[:, 8:], first[:, :8]), 1).contiguous()
    for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
        for part in ("weight", "bias"):
            weights[f"mid_block.attentions.0.{old}.{part}"] = weights.pop(f"mid_block.attentions.0.{new}.{part}")
    save_file(weights, path)
    change(tmp_path / "unet/config.json", flip_sin_to_cos=True)
    found = diffusers_format.load(tmp_path).network.eval()
    x, t, label = torch.randn(3, 1, 8, 8), torch.tensor([1.0, 9.0, 3.0]), torch.tensor([0, 1, 1])
    assert found.condition.kind == Classes(3)  # all three of the file are classes, and "none" is added
    assert torch.equal(found(x, t, label), model.network(x, t, label))
    assert found.condition.table.weight[3].abs().max() == 0


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("unet/config.json", {"act_fn": "gelu"}, "UNet2DModel: act_fn='gelu'; supported is 'silu'"),
        ("unet/config.json", {"sample_size": None}, "sample_size=None .* write the height"),
        ("unet/config.json", {"new_key": 1}, "new_key=1 is not known; supported are sample_size"),
        ("unet/config.json", {"norm_num_groups": 8}, "norm_num_groups=8: supported is 16 for 16 channels"),
        (
            "unet/config.json",
            {"block_out_channels": [16, 24]},
            r"block_out_channels=\[16, 24\]: .* multiples of the first",
        ),
        ("unet/config.json", {"up_block_types": ["UpBlock2D"] * 2}, "do not mirror"),
        (
            "unet/config.json",
            {"down_block_types": ["SkipDownBlock2D"] * 2},
            "supported are DownBlock2D and AttnDownBlock2D",
        ),
        ("unet/config.json", {"norm_eps": 1e-5}, r"=\(1, 1e-05, 0\): supported are \(1, 1e-06, 0\) or \(0, 1e-05, 1\)"),
        (
            "unet/config.json",
            {"layers_per_block": 2},
            "lacks down_blocks.0.resnets.1.norm1.weight, which its config.json",
        ),
        ("unet/config.json", {"in_channels": 2, "out_channels": 2}, r"conv_in.weight has shape \(16, 1, 3, 3\), but"),
        (
            "scheduler/scheduler_config.json",
            {"beta_schedule": "laplace"},
            "beta_schedule='laplace': supported are linear",
        ),
        ("scheduler/scheduler_config.json", {"variance_type": "learned"}, "variance_type='learned': supported are"),
        (
            "scheduler/scheduler_config.json",
            {"_class_name": "PNDMScheduler"},
            "_class_name='PNDMScheduler': supported is",
        ),
        ("scheduler/scheduler_config.json", {"thresholding": True}, "thresholding=True; supported is False"),
    ],
)
def test_what_has_no_counterpart_is_refused(tmp_path, part, values, message):
    diffusers_format.save(tmp_path, DDPM(small(), Schedule.linear(steps=10)))
    change(tmp_path / part, **values)
    with pytest.raises(InputError, match=message):
        diffusers_format.load(tmp_path)


def test_what_cannot_be_saved_is_refused(tmp_path):
    schedule = Schedule.linear(steps=10)
    for model, message in [
        (DDPM(MLP((2,), 8), schedule), "a MLP has no counterpart in diffusers' layout; only a UNet has"),
        (DDPM(small(condition=Vector(2)), schedule), r"condition=Vector\(size=2\) has no counterpart"),
        (DDPM(small(), schedule, predicts="score"), "has no counterpart in diffusers' DDPMScheduler"),
    ]:
        with pytest.raises(InputError, match=message):
            diffusers_format.save(tmp_path, model)
    assert not list(tmp_path.iterdir())


def test_a_pickle_is_refused_and_so_is_a_file_that_is_not_there(tmp_path):
    diffusers_format.save(tmp_path, DDPM(small(), Schedule.linear(steps=10)))
    path = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        diffusers_format.load(tmp_path)
    path.rename(tmp_path / "unet/diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match=r"as a pickle, which may run any code; .* safe_serialization=True"):
        diffusers_format.load(tmp_path)
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        diffusers_format.load(tmp_path / "nowhere")
