"""What is left where nothing can be proved: random boards, and boards chosen against the network."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Decimal, localcontext

import numpy as np
import torch

from sojourn.bounds.intervals import clopper_pearson
from sojourn.learning.certificate import Certificate, Model, finite
from sojourn.noise import Noise
from sojourn.processes.life.life import Life, advance_cells


def certify_sample(model: Model, rule: str, steps: int, *, seed: int = 0, confidence: float = 0.999) -> Certificate:
    """Random boards of densities 0.05 to 0.7, and boards changed cell by cell towards small margins: no proof.

    Every density has as many boards, so the number of wrong ones is a sum of unlike Bernoulli variables, of mean n p.
    At or below k <= n p - 1 it is no more often than a binomial (W. Hoeffding, Annals of Mathematical Statistics 27
    (1956), 713), so the Clopper-Pearson upper end covers here too, except close to n wrong boards of n, where it is 1.
    """
    boards, wrong, worst = 0, 0, np.inf
    least: tuple[float, np.ndarray] = (np.inf, np.zeros((1, 1), np.uint8))
    side = 8 + 4 * steps
    for k, density in enumerate(np.linspace(0.05, 0.7, 14)):
        cells = (
            Life(rule, (side, side), density=float(density))
            .initial(512, Noise(seed).split(f"certificate {k}"))["cell"]
            .numpy()
        )
        signed, differs = _signed(model, cells, rule, steps)
        wrong += int(differs.any(axis=(1, 2)).sum())
        boards += len(cells)
        place = int(signed.min(axis=(1, 2)).argmin())
        if signed[place].min() < least[0]:
            least = (float(signed[place].min()), cells[place])
    hard, tried, worst, found = _search(model, least[1], rule, steps)
    share = clopper_pearson(wrong, boards, confidence=confidence, side="upper")
    share = replace(
        share,
        high=share.high if wrong + 1 <= boards * share.high else 1.0,
        assumes="boards are drawn independently, as many of each density",
        limits=("boards of other sizes, densities or boundaries", "boards that someone chooses"),
    )
    text = (
        f"Not proved, sampled: {wrong} of {boards} random torus boards of {side}x{side} cells came out wrong, so at "
        f"most {_upwards(share.high)} of such boards do ({share.words}); of {tried} boards chosen against it "
        + (f"one came out wrong (logit {worst:.3g})." if found else f"none did (least margin {worst:.3g}).")
    )
    return Certificate(
        rule=rule,
        steps=steps,
        kind="statistical",
        exact=False,
        margin=finite(min(worst, least[0])),
        rounding=None,
        checked=boards + tried,
        counterexamples=({"cells": ["".join(map(str, row)) for row in hard]},) if found else (),
        boundaries=("torus",),
        weights=getattr(model, "digest", None),
        statement=text,
        error_bound=share.high,
        evidence={
            "seed": seed,
            "confidence": confidence,
            "law": f"uniform mixture of 14 densities 0.05 to 0.7, {side}x{side} torus",
            "share of wrong boards": share.to_dict(),
        },
    )


def _upwards(bound: float) -> str:
    """Three digits that are not below the bound."""
    with localcontext(rounding=ROUND_CEILING):
        return f"{Decimal(bound):.2e}"


def run(model: Model, boards: torch.Tensor) -> np.ndarray:
    """Logits (batch, height, width) in double of boards (batch, 1, height, width), as the model's weights are kept."""
    parameters = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
    like = next(parameters, torch.empty(0))
    with torch.no_grad():
        return model(boards.to(like))[:, 0].double().cpu().numpy()


def _signed(model: Model, cells: np.ndarray, rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits with the sign of the right answer (not a number counts as -inf), and where it is wrong; (batch, y, x)."""
    truth = advance_cells(cells, rule, "torus", steps)
    logits = run(model, torch.from_numpy(cells)[:, None])
    signed = np.where(truth == 1, logits, -logits)
    return np.nan_to_num(signed, nan=-np.inf, posinf=np.inf, neginf=-np.inf), (logits > 0) != (truth == 1)


def _search(model: Model, start: np.ndarray, rule: str, steps: int) -> tuple[np.ndarray, int, float, bool]:
    """Greedy descent of the least margin by single cells: the last board, boards tried, margin, and if it is wrong."""
    board, tried = start, 0
    signed, differs = _signed(model, board[None], rule, steps)
    best, found = float(signed.min()), bool(differs.any())
    height, width = board.shape
    for _ in range(40):
        if found:
            break
        flips = np.repeat(board[None], height * width, axis=0)
        flips[np.arange(height * width), np.arange(height * width) // width, np.arange(height * width) % width] ^= 1
        signed, differs = _signed(model, flips, rule, steps)
        margins, tried = signed.min(axis=(1, 2)), tried + len(flips)
        if margins.min() >= best:
            break
        pick = int(margins.argmin())
        best, board, found = float(margins[pick]), flips[pick], bool(differs[pick].any())
    return board, tried, best, found
