"""What control is handed: of the kind that is meant, and arrays of numbers as tensors; else one line says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import si


def check_kind(value: Any, kind: type, *, name: str, remedy: str) -> None:
    """Raises InputError where `value` is not a `kind`; `remedy` says what to give."""
    if not isinstance(value, kind):
        raise InputError(f"{name} is a {type(value).__name__}; give {remedy}")


def check_flow(value: Any) -> None:
    """Raises InputError where `value` is not blood in flow."""
    if not hasattr(value, "network"):
        raise InputError(f"flow is a {type(value).__name__}; give what VesselNetwork.solve() returns")


def numbers(value: Any, unit: str, *, name: str) -> Tensor:
    """A float64 tensor: nested lists and arrays become one, a tensor may ask for gradients.

    Raises:
        InputError: what holds no plain numbers, or numbers that are not finite.
    """
    if not isinstance(value, Tensor):
        try:
            value = torch.from_numpy(np.array(value, dtype=np.float64))
        except (TypeError, ValueError, RuntimeError):
            raise InputError(f"{name} is not an array of numbers; give a tensor, or nested lists, in {unit}") from None
    return si(value.double(), unit, name=name)
