"""A certificate: what was proved of a model, by what means, for which inputs; a small object and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.runs import write_json

Model = Callable[[torch.Tensor], torch.Tensor]
"""float boards (batch, 1, height, width) on a torus -> logits of that shape; alive above zero."""

Kind = Literal["exhaustive", "compositional", "statistical"]


@dataclass(frozen=True)
class Certificate:
    """What is known of "model = rule applied `steps` times".

    Attributes:
        rule, steps: the claim's right-hand side.
        kind: "exhaustive": every neighbourhood went through the network; "compositional": every stage was shown to
            compute the rule on an encoding of cells, for all real inputs in that encoding's intervals, and so does
            their composition; "statistical": a sample, which proves nothing but bounds an error rate.
        exact: proved for every grid with one of the `boundaries`, for float32 sums in any order. Only a LifeNetwork,
            whose arithmetic and reach are known, can be exact.
        margin: least distance of a logit from the threshold on its right side over all that was checked, or its
            proved lower bound; at most zero when a case is wrong. Not a number counts as the least float32.
        rounding: proved bound on the rounding error of a logit in float32, in any order of summation; None where it is
            part of the margin (compositional) or the model's arithmetic is not known.
        checked: how many neighbourhoods, windows or boards were looked at; for "compositional" 512 a stage.
        counterexamples: at most eight wrong cases: rows of the neighbourhood, expected and given outcome.
        boundaries: boundaries that the claim covers.
        error_bound: for "statistical": upper confidence bound on the share of wrong boards under `evidence`'s law, not
            on boards that someone chooses; the whole estimate is in `evidence`.
        weights: SHA-256 of the weights, or None where the model has no `digest`.
        statement: all this in a sentence or two.
    """

    rule: str
    steps: int
    kind: Kind
    exact: bool
    margin: float
    rounding: float | None
    checked: int
    counterexamples: tuple[dict[str, Any], ...]
    boundaries: tuple[str, ...]
    weights: str | None
    statement: str
    error_bound: float | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.statement

    def save(self, path: str | Path) -> None:
        """Writes the certificate as JSON."""
        write_json(Path(path), asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Reads what `save` wrote; InputError if it is not a certificate."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            data["counterexamples"] = tuple(data["counterexamples"])
            data["boundaries"] = tuple(data["boundaries"])
            return cls(**data)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be read as a certificate: {error}") from None

    def recheck(self, model) -> Certificate:
        """Proves the claim again from the model; InputError if the weights are not those that were certified."""
        from sojourn.learning.certify import certify

        digest = getattr(model, "digest", None)
        if digest != self.weights:
            raise InputError(
                f"the certificate is for weights {_brief(self.weights)}, the model has {_brief(digest)}; "
                f"load the weights that were certified"
            )
        return certify(model, self.rule, steps=self.steps)


def finite(margin: float) -> float:
    """The margin as JSON can hold it: what is not a number becomes the least float32, infinities the extreme ones."""
    largest = float(np.finfo(np.float32).max)
    return float(np.nan_to_num(margin, nan=-largest, posinf=largest, neginf=-largest))


def case(cells: np.ndarray, side: int, expected: int) -> dict[str, Any]:
    """A counterexample: the rows of the window, what the rule gives, and what the network gave."""
    lines = ["".join(map(str, row)) for row in np.asarray(cells).reshape(side, side)]
    return {"cells": lines, "expected": expected, "given": 1 - expected}


def _brief(digest: str | None) -> str:
    return digest[:12] if digest else "without a digest"
