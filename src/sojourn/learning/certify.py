"""Proofs that a network is a rule: exhaustive, or stage by stage; and where there is none, an honest sample."""

from __future__ import annotations

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.learning.certificate import Certificate, Model, case, finite
from sojourn.learning.intervals import NEIGHBOURHOODS, Box, affine, stages_of, through_stage
from sojourn.learning.networks import LifeNetwork
from sojourn.learning.sampling import certify_sample, run
from sojourn.learning.two_steps import certify_windows
from sojourn.noise import Noise
from sojourn.processes.life.life import Life, advance_cells
from sojourn.processes.life.rule import Rule


def certify(model: Model, rule: str, *, steps: int | None = None) -> Certificate:
    """What can be proved of "model = rule applied `steps` times".

    A LifeNetwork of one step is run on all 512 neighbourhoods, and its rounding is bounded. With more steps it is
    proved stage by stage, in interval arithmetic; at two steps a network that resists this is run on all 2^25 windows.
    Any other callable of one step is run on all 512 too, but nothing is known of its reach and its arithmetic, so it is
    never called exact. What is left is sampled, and called so.

    Args:
        model: a LifeNetwork, or any callable from float boards (batch, 1, height, width) on a torus to logits.
        rule: B/S, Hensel or MAP notation of the rule.
        steps: how often the rule is applied; by default the model's own `steps`, or 1.

    Raises:
        InputError: the rule cannot be read, or `steps` is not the network's.
    """
    table = Rule.parse(rule).table
    own = int(getattr(model, "steps", 1))
    steps = own if steps is None else steps
    if steps < 1 or (isinstance(model, LifeNetwork) and steps != own):
        raise InputError(f"steps={steps} cannot be certified: the network takes {own} steps at once")
    if steps == 1:
        return _neighbourhoods(model, rule, table)
    if not isinstance(model, LifeNetwork) or not model.is_plain:
        return certify_sample(model, rule, steps)
    composed = _stage_by_stage(model, rule, table)
    if composed.exact:
        return composed
    return certify_windows(model, rule, table) if steps == 2 else certify_sample(model, rule, steps)


def neighbourhood_logits(model: Model, surroundings: torch.Tensor | None = None) -> np.ndarray:
    """Logits (512,) of all neighbourhoods, each in the middle of a 5x5 torus; `surroundings` (512, 5, 5), or dead."""
    boards = torch.zeros(512, 1, 5, 5) if surroundings is None else surroundings[:, None].clone()
    boards[:, 0, 1:4, 1:4] = torch.from_numpy(NEIGHBOURHOODS.reshape(512, 3, 3)).float()
    return run(model, boards)[:, 2, 2]


def rounding_bound(network: LifeNetwork) -> float:
    """Half the width of the widest logit interval over exact 0/1 neighbourhoods: the rounding of a one-step network."""
    logits = _logit_box(network, *_zero_one())
    return float((logits.high - logits.low).max() / 2)


def _neighbourhoods(model: Model, rule: str, table: np.ndarray) -> Certificate:
    """All 512 neighbourhoods through the model as it is used, each in the middle of a 5x5 torus of dead cells."""
    logits = neighbourhood_logits(model)
    margin = float(np.where(table == 1, logits, -logits).min())
    wrong = np.flatnonzero((logits > 0) != (table == 1))
    rounding = rounding_bound(model) if isinstance(model, LifeNetwork) and model.is_plain else None
    exact = len(wrong) == 0 and rounding is not None and margin > 2 * rounding  # two evaluations differ by twice it
    right = f"right on all 512 neighbourhoods (margin {margin:.3g})"
    if len(wrong):
        statement = f"Refuted: the network differs from {rule} on {len(wrong)} of the 512 neighbourhoods."
    elif rounding is None:
        statement = f"Not proved: {right}, but the reach and the arithmetic of this model are not known."
    elif exact:
        statement = (
            f"Proved: on all 512 neighbourhoods the network gives {rule}, for float32 sums in any order (margin "
            f"{margin:.3g}, rounding below {rounding:.1e}); so on every grid, for ever."
        )
    else:
        statement = f"Not proved: {right}, but that is within rounding, {rounding:.1e}."
    return Certificate(
        rule=rule,
        steps=1,
        kind="exhaustive",
        exact=exact,
        margin=finite(margin),
        rounding=None if rounding is None else finite(rounding),
        checked=512,
        counterexamples=tuple(case(NEIGHBOURHOODS[i], 3, int(table[i])) for i in wrong[:8]),
        boundaries=("torus", "dead"),
        weights=getattr(model, "digest", None),
        statement=statement,
    )


def _zero_one() -> tuple[Box, Box]:
    return Box(np.zeros(1), np.zeros(1)), Box(np.ones(1), np.ones(1))


def _logit_box(network: LifeNetwork, dead: Box, live: Box) -> Box:
    """Logits (512,) of the last stage for cells in these boxes."""
    stages, readout, readout_bias = stages_of(network)
    logits = affine(readout, readout_bias, through_stage(stages[-1], dead, live))
    return Box(logits.low[:, 0], logits.high[:, 0])


def _stage_by_stage(network: LifeNetwork, rule: str, table: np.ndarray) -> Certificate:
    """Induction: if cells are encoded by the boxes before a stage, their images under the rule are after it."""
    stages, _, _ = stages_of(network)
    dead, live = _zero_one()
    boxes = []
    for stage in stages[:-1]:
        out = through_stage(stage, dead, live)
        dead, live = out.hull(table == 0), out.hull(table == 1)
        padded = Box(np.minimum(dead.low, 0), np.maximum(dead.high, 0))  # outside a dead boundary stands a zero
        boxes.append({"dead": _ends(dead), "live": _ends(live)})
        dead = padded
    logits = _logit_box(network, dead, live)
    margin = float(np.where(table == 1, logits.low, -logits.high).min())
    exact = margin > 0 and _answers_as(network, rule)
    verdict = (
        f"Proved: each of the {network.steps} stages computes {rule} on the encoding it receives, for all 512 "
        f"neighbourhoods and all values in the encoding's intervals, rounding included; so the network is {rule} "
        f"applied {network.steps} times, on every grid (least logit {margin:.3g})."
        if exact
        else f"Not proved: the stages' intervals overlap (least logit {margin:.3g})."
    )
    return Certificate(
        rule=rule,
        steps=network.steps,
        kind="compositional",
        exact=exact,
        margin=finite(margin),
        rounding=None,
        checked=512 * network.steps,
        counterexamples=(),
        boundaries=("torus", "dead"),
        weights=network.digest,
        statement=verdict,
        evidence={"encodings": boxes},
    )


def _answers_as(network: LifeNetwork, rule: str) -> bool:
    """Whether the network as it is called gives the rule on random boards: the weights proved must be what runs."""
    cells = Life(rule, (16, 16)).initial(16, Noise(0).split("certificate"))["cell"].numpy()
    alive = run(network, torch.from_numpy(cells)[:, None]) > 0
    return bool((alive == advance_cells(cells, rule, "torus", network.steps)).all())


def _ends(box: Box) -> list[list[float]]:
    return [np.nan_to_num(end).tolist() for end in box]
