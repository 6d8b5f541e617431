"""What is left where nothing can be proved: random boards, and boards chosen against the network."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from sojourn.learning.certificate import Certificate, Model
from sojourn.noise import Noise
from sojourn.processes.life.life import Life, advance_cells


def certify_sample(model: Model, rule: str, steps: int, confidence: float = 0.999) -> Certificate:
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
        f"Not proved, sampled: {wrong} of {boards} random torus boards of {side}x{side} cells came out wrong, so at "
        f"most {bound:.2e} of such boards do (Clopper-Pearson, {confidence:.1%}); of {tried} boards chosen against it "
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
