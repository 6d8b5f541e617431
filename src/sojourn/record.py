"""What a run keeps of a process, as JSON holds it; and where two such records differ, in one short line."""

from __future__ import annotations

import hashlib
import math
from dataclasses import fields
from typing import Any

import torch

from sojourn.process import Process

_CLOSE = 1e-9  # numbers nearer than this, over their size, are one: a dt that follows from a solver's last digits
_LONGEST = 150  # characters of a value in a message


def parameters(process: Process) -> dict[str, Any]:
    """The dataclass fields of a process, each as `plain` has it."""
    return {field.name: plain(getattr(process, field.name)) for field in fields(process)}


def plain(value: Any) -> Any:
    """Tuples as lists, paths as text: what JSON gives back is what was put in; of a large tensor its digest, of a
    process its parameters; of what has a method `record`, such as a model, that."""
    if hasattr(value, "record"):
        return plain(value.record())
    if isinstance(value, Process):
        return {"process": type(value).__name__, **parameters(value)}
    if isinstance(value, torch.Tensor):
        whole = value.detach().cpu()
        if whole.ndim == 0:
            return whole.item()
        digest = hashlib.sha256(whole.contiguous().numpy().tobytes()).hexdigest()
        return {"shape": list(whole.shape), "mean": float(whole.double().mean()), "sha256": digest}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


def difference(was: Any, now: Any) -> tuple[str, str] | None:
    """Where two records first differ, as texts of what each has there; None where they are alike.

    difference({"dt": 1, "flow": {"laws": "a", "vessels": 3}}, {"dt": 1, "flow": {"laws": "b", "vessels": 3}})
        = ("{'flow': {'laws': 'a'}}", "{'flow': {'laws': 'b'}}")
    """
    found = _first(was, now)
    return None if found is None else (_short(found[0]), _short(found[1]))


def _first(was: Any, now: Any) -> tuple[Any, Any] | None:
    if isinstance(was, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*was, *now]):
            if name not in was or name not in now:
                return {k: was[k] for k in (name,) if k in was}, {k: now[k] for k in (name,) if k in now}
            if (found := _first(was[name], now[name])) is not None:
                return {name: found[0]}, {name: found[1]}
        return None
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return None if all(_first(a, b) is None for a, b in zip(was, now, strict=True)) else (was, now)
    close = isinstance(was, float) and isinstance(now, float) and math.isclose(was, now, rel_tol=_CLOSE)
    return None if close or was == now else (was, now)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
