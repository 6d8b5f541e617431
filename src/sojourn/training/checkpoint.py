"""Checkpoints without pickle: named tensors and a few plain values in one safetensors file, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from sojourn.errors import InputError


def save(path: Path, tensors: dict[str, torch.Tensor], **values: Any) -> None:
    """Writes `tensors` and the JSON-able `values` to `path`; a reader sees the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    beside.write_bytes(to_bytes(whole, metadata={"values": json.dumps(values)}))
    os.replace(beside, path)


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and values of a checkpoint; InputError if the file is missing or not one of ours."""
    try:
        return parse(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as a checkpoint: {error}") from None


def parse(data: bytes) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors, sorted by name, and values in the bytes of a checkpoint; SafetensorError if they are not one."""
    tensors = dict(sorted(from_bytes(data).items()))  # from_bytes keeps no order, and `digest` depends on it
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return tensors, json.loads(header.get("__metadata__", {}).get("values", "{}"))


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of named tensors, so that a record can say which weights it means."""
    total = hashlib.sha256()
    for name, tensor in tensors.items():
        raw = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)  # NumPy knows no bfloat16
        total.update(name.encode() + raw.numpy().tobytes())
    return total.hexdigest()
