"""Proofs that a network is a rule: exhaustive, or stage by stage; and where there is none, an honest sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import stats

from sojourn.errors import InputError
from sojourn.learning.certificate import Certificate
from sojourn.learning.intervals import NEIGHBOURHOODS, Box, affine, stages_of, through_stage
from sojourn.learning.networks import LifeNetwork
from sojourn.noise import Noise
from sojourn.processes.life.life import Life, advance_cells
from sojourn.processes.life.rule import Rule

Model = Callable[[torch.Tensor], torch.Tensor]
"""float boards (batch, 1, height, width) on a torus -> logits of that shape; alive above zero."""


def certify(model: Model, rule: str, *, steps: int | None = None) -> Certificate:
    """What can be proved of "model = rule applied `steps` times".

    A LifeNetwork of one step is run on all 512 neighbourhoods. With more steps it is proved stage by stage, in
    interval arithmetic; at two steps a network that resists this is run on all 2^25 neighbourhoods. Any other callable
    of one step is run on all 512, and its radius is tested, not proved. What is left is sampled, and called so.

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
    if not isinstance(model, LifeNetwork):
        return _neighbourhoods(model, rule, table) if steps == 1 else _sample(model, rule, steps)
    if steps == 1:
        return _neighbourhoods(model, rule, table)
    composed = _stage_by_stage(model, rule, table)
    if composed.exact:
        return composed
    return _windows(model, rule, table) if steps == 2 else _sample(model, rule, steps)


def neighbourhood_logits(model: Model, surroundings: torch.Tensor | None = None) -> np.ndarray:
    """Logits (512,) of all neighbourhoods, each in the middle of a 5x5 torus; `surroundings` (512, 5, 5), or dead."""
    boards = torch.zeros(512, 1, 5, 5) if surroundings is None else surroundings[:, None].clone()
    boards[:, 0, 1:4, 1:4] = torch.from_numpy(NEIGHBOURHOODS.reshape(512, 3, 3)).float()
    with torch.no_grad():
        return model(boards)[:, 0, 2, 2].double().numpy()


def rounding_bound(network: LifeNetwork) -> float:
    """Half the width of the widest logit interval over exact 0/1 neighbourhoods: the rounding of a one-step network."""
    logits = _logit_box(network, *_zero_one())
    return float((logits.high - logits.low).max() / 2)


def _neighbourhoods(model: Model, rule: str, table: np.ndarray) -> Certificate:
    """All 512 neighbourhoods through the model as it is used, each in the middle of a 5x5 torus of dead cells."""
    logits = neighbourhood_logits(model)
    signed = np.where(table == 1, logits, -logits)
    margin = float(signed.min())
    wrong = np.flatnonzero(~(signed > 0))
    rounding, local = None, True
    if isinstance(model, LifeNetwork):
        rounding = rounding_bound(model)
        how = f"whatever the order of summation (margin {margin:.3g}, rounding below {rounding:.1e})"
    else:
        local = _seems_local(model, logits)
        how = f"(margin {margin:.3g}), given that a cell's logit depends on its 3x3 neighbourhood alone: tested, not proved"
    exact = len(wrong) == 0 and local and margin > 2 * (rounding or 0.0)  # two evaluations differ by at most twice it
    if exact:
        statement = f"Proved: on all 512 neighbourhoods the network gives {rule}, {how}; so on every grid, for ever."
    elif not local:
        statement = f"Not proved: a cell's logit depends on more than its 3x3 neighbourhood, so this is not {rule}."
    elif len(wrong) == 0:
        statement = f"Not proved: right on all 512, but the margin {margin:.1e} is within rounding, {rounding:.1e}."
    else:
        statement = f"Refuted: the network differs from {rule} on {len(wrong)} of the 512 neighbourhoods."
    return Certificate(
        rule=rule,
        steps=1,
        kind="exhaustive",
        exact=exact,
        margin=margin,
        rounding=rounding,
        checked=512,
        counterexamples=tuple(_case(NEIGHBOURHOODS[i], 3, int(table[i])) for i in wrong[:8]),
        boundaries=("torus", "dead"),
        weights=getattr(model, "digest", None),
        statement=statement,
    )


def _seems_local(model: Model, logits: np.ndarray) -> bool:
    """Whether random cells outside the neighbourhood leave every centre's logit as it was, to 1e-4 of the largest."""
    again = neighbourhood_logits(model, Noise(0).uniform(0, 512, (5, 5)).round())
    return bool(np.abs(again - logits).max() <= 1e-4 * max(1.0, np.abs(logits).max()))


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
    exact = margin > 0
    verdict = (
        f"Proved: each of the {network.steps} stages computes {rule} on the encoding it receives, for all 512 neighbourhoods "
        f"and all values in the encoding's intervals, rounding included; so the network is {rule} applied "
        f"{network.steps} times, on every grid (least logit {margin:.3g})."
        if exact
        else f"Not proved: the stages' intervals overlap (least logit {margin:.3g})."
    )
    return Certificate(
        rule=rule,
        steps=network.steps,
        kind="compositional",
        exact=exact,
        margin=margin,
        rounding=0.0,
        checked=512 * network.steps,
        counterexamples=(),
        boundaries=("torus", "dead"),
        weights=network.digest,
        statement=verdict,
        evidence={"encodings": boxes},
    )


def _windows(network: LifeNetwork, rule: str, table: np.ndarray) -> Certificate:
    """All 2^25 windows of 5x5 cells through a two-step network, as sums over triples of rows."""
    (first, second), readout, readout_bias = stages_of(network)
    triples = np.arange(2**15)  # three rows of five cells, the upper row in the high bits
    index = np.stack([_crop(triples, dx) for dx in range(3)])  # (3, 2^15): the neighbourhoods of a row's inner cells
    after = np.maximum(np.einsum("kcn,in->ik", first.conv, NEIGHBOURHOODS) + first.conv_bias, 0)
    after = np.maximum(after @ first.mix.T + first.mix_bias, 0)[index]  # (3, 2^15, m)
    truth = table[index].astype(np.int64)
    truth = truth[0] << 2 | truth[1] << 1 | truth[2]
    taps = second.conv.reshape(2 * network.width, network.width, 3, 3)
    parts = np.einsum("kmyx,xtm->ykt", taps, after).astype(np.float32)  # (3, 2m, 2^15)
    a, b, c = parts.reshape(3, 2 * network.width, 32, 32, 32)
    right = truth.reshape(32, 32, 32)
    margin, wrong, count = np.inf, [], 0
    for top in range(32):  # rows r0 (fixed) to r4
        expected = table[right[top][:, :, None, None] << 6 | right[:, :, :, None] << 3 | right[None]]
        hidden = (a[:, top][:, :, :, None, None] + b[..., None] + c[:, None]) + second.conv_bias[
            :, None, None, None, None
        ]
        fields = np.tensordot(second.mix, np.maximum(hidden, 0), 1) + second.mix_bias[:, None, None, None, None]
        logits = np.tensordot(readout, np.maximum(fields, 0), 1)[0] + readout_bias[0]
        signed = np.where(expected == 1, logits, -logits)
        margin = min(margin, float(signed.min()))
        places = np.argwhere(~(signed > 0))
        count += len(places)
        wrong += [([top, *map(int, p)], int(expected[tuple(p)])) for p in places[: max(0, 8 - len(wrong))]]
    rounding = _two_step_rounding(network)
    exact = margin > 2 * rounding
    if exact:
        text = f"Proved: on all 2^25 windows of 5x5 cells the network gives {rule} applied twice (margin {margin:.3g}, "
        text += f"rounding at most {rounding:.1e}); so on every torus, for ever."
    elif count == 0:
        text = f"Not proved: right on all 2^25 windows, but the margin {margin:.1e} is within rounding, {rounding:.1e}."
    else:
        text = f"Refuted: the network differs from {rule} applied twice on {count} of the 2^25 windows."
    return Certificate(
        rule=rule,
        steps=2,
        kind="exhaustive",
        exact=exact,
        margin=margin,
        rounding=rounding,
        checked=2**25,
        counterexamples=tuple(_case(_bits(rows), 5, outcome) for rows, outcome in wrong),
        boundaries=("torus",),
        weights=network.digest,
        statement=text,
    )


def _two_step_rounding(network: LifeNetwork) -> float:
    """Bound on |computed - exact| for two stages: errors carried forward through the largest values they can meet."""
    stages, readout, readout_bias = stages_of(network)
    size, error = np.ones(1), np.zeros(1)
    for stage in stages:
        flat = np.abs(stage.conv).sum(axis=2)
        for weight, bias, n in ((flat, stage.conv_bias, stage.conv[0].size), (np.abs(stage.mix), stage.mix_bias, None)):
            total = weight @ size + np.abs(bias)
            terms = n or weight.shape[1]
            error = weight @ error + 2 * (terms + 4) * 2.0**-24 * (total + weight @ error)
            size = total
    total = np.abs(readout) @ size + np.abs(readout_bias)
    carried = np.abs(readout) @ error
    return float((carried + 2 * (len(size) + 4) * 2.0**-24 * (total + carried))[0])


def _crop(rows: np.ndarray, dx: int) -> np.ndarray:
    """Index of the 3x3 neighbourhood at columns dx..dx+2 of three rows of five bits."""
    upper, middle, lower = rows >> 10 & 31, rows >> 5 & 31, rows & 31
    return (upper >> (2 - dx) & 7) << 6 | (middle >> (2 - dx) & 7) << 3 | (lower >> (2 - dx) & 7)


def _bits(rows: list[int]) -> np.ndarray:
    return np.array([[row >> (4 - k) & 1 for k in range(5)] for row in rows]).ravel()


def _case(cells: np.ndarray, side: int, expected: int) -> dict:
    lines = ["".join(map(str, row)) for row in np.asarray(cells).reshape(side, side)]
    return {"cells": lines, "expected": expected, "given": 1 - expected}


def _ends(box: Box) -> list[list[float]]:
    return [box.low.tolist(), box.high.tolist()]


def _sample(model: Model, rule: str, steps: int, confidence: float = 0.999) -> Certificate:
    """Random boards of densities 0.05 to 0.7, and boards changed cell by cell towards small margins: no proof."""
    boards, wrong, worst = 0, 0, np.inf
    least: tuple[float, np.ndarray] = (np.inf, np.zeros((1, 1), np.uint8))
    side = 8 + 4 * steps
    for k, density in enumerate(np.linspace(0.05, 0.7, 14)):
        cells = Life(rule, (side, side), density=float(density)).initial(512, Noise(k))["cell"].numpy()
        signed, differs = _signed(model, cells, rule, steps)
        wrong += int(differs.any(axis=(1, 2)).sum())
        boards += len(cells)
        place = int(signed.min(axis=(1, 2)).argmin())
        if signed[place].min() < least[0]:
            least = (float(signed[place].min()), cells[place])
    worst, hard, tried = _search(model, least[1], rule, steps)
    bound = float(stats.beta.ppf(confidence, wrong + 1, boards - wrong)) if wrong < boards else 1.0
    found = worst <= 0
    text = (
        f"Not proved, sampled: {wrong} of {boards} random torus boards of {side}x{side} cells came out wrong, so at most "
        f"{bound:.2e} of such boards do (Clopper-Pearson, {confidence:.1%}); of {tried} boards chosen against the network "
        + (f"one came out wrong (logit {worst:.3g})." if found else f"none did (least margin {worst:.3g}).")
    )
    return Certificate(
        rule=rule,
        steps=steps,
        kind="statistical",
        exact=False,
        margin=float(min(worst, least[0])),
        rounding=None,
        checked=boards + tried,
        counterexamples=({"cells": ["".join(map(str, row)) for row in hard]},) if found else (),
        boundaries=("torus",),
        weights=getattr(model, "digest", None),
        statement=text,
        error_bound=bound,
        evidence={"confidence": confidence, "law": f"uniform mixture of 14 densities 0.05 to 0.7, {side}x{side} torus"},
    )


def _signed(model: Model, cells: np.ndarray, rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits with the sign of the right answer, and where the answer is wrong; (batch, height, width)."""
    truth = advance_cells(cells, rule, "torus", steps)
    with torch.no_grad():
        logits = model(torch.from_numpy(cells).float()[:, None])[:, 0].double().numpy()
    return np.where(truth == 1, logits, -logits), (logits > 0) != (truth == 1)


def _search(model: Model, start: np.ndarray, rule: str, steps: int, rounds: int = 40) -> tuple[float, np.ndarray, int]:
    """Greedy descent of the least margin over single-cell changes, from the hardest random board."""
    board, tried = start, 0
    best = float(_signed(model, board[None], rule, steps)[0].min())
    height, width = board.shape
    for _ in range(rounds):
        flips = np.repeat(board[None], height * width, axis=0)
        flips[np.arange(height * width), np.arange(height * width) // width, np.arange(height * width) % width] ^= 1
        margins = _signed(model, flips, rule, steps)[0].min(axis=(1, 2))
        tried += len(flips)
        if margins.min() >= best:
            break
        best, board = float(margins.min()), flips[int(margins.argmin())]
        if best <= 0:
            break
    return best, board, tried
