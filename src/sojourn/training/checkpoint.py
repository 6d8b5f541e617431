"""Checkpoints without pickle: named tensors and a few plain values in one safetensors file, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
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
        with safe_open(path, framework="pt") as file:
            values = json.loads((file.metadata() or {}).get("values", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, values  # noqa: SIM118 (not a dict)
    except (FileNotFoundError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as a checkpoint: {error}") from None


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of named tensors, so that a record can say which weights it means."""
    total = hashlib.sha256()
    for name, tensor in tensors.items():
        total.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
