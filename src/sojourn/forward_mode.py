"""Derivatives along directions by PyTorch's forward mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def jvp(f: Callable[[Tensor], Any], x: Tensor, direction: Tensor) -> tuple[Any, Any]:
    """f(x) and its derivative at x along a direction."""
    _prepare()
    value, derivative = torch.func.jvp(f, (x,), (direction,))  # type: ignore[misc]
    return value, derivative


def along(f: Callable[[Tensor], Any], x: Tensor, direction: Tensor) -> Any:
    """The derivative of f at x along a direction."""
    return jvp(f, x, direction)[1]


@lru_cache(maxsize=1)
def _prepare() -> None:
    """What PyTorch loads when it first differentiates forward; it then warns of its own use of `torch.jit.script`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from torch._decomp import decompositions_for_jvp  # noqa: F401
