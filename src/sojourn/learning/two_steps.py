"""All 2^25 windows of 5x5 cells through a network of two steps: the exhaustive proof at n = 2."""

from __future__ import annotations

import numpy as np

from sojourn.learning.certificate import Certificate, case, finite
from sojourn.learning.intervals import NEIGHBOURHOODS, rounding, stages_of
from sojourn.learning.networks import LifeNetwork


def certify_windows(network: LifeNetwork, rule: str, table: np.ndarray) -> Certificate:
    """All 2^25 windows of 5x5 cells through a two-step network, as sums over triples of rows."""
    (first, second), readout, readout_bias = stages_of(network)
    triples = np.arange(2**15)  # three rows of five cells, the upper row in the high bits
    index = np.stack([_crop(triples, dx) for dx in range(3)])  # (3, 2^15): the neighbourhoods of a row's inner cells
    after = np.maximum(np.einsum("kcn,in->ik", first.conv, NEIGHBOURHOODS) + first.conv_bias, 0)
    after = np.maximum(after @ first.mix.T + first.mix_bias, 0)[index]  # (3, 2^15, m)
    truth = table[index].astype(np.int64)
    truth = truth[0] << 2 | truth[1] << 1 | truth[2]
    taps = second.conv.reshape(2 * network.width, network.width, 3, 3)
    parts = np.einsum("kmyx,xtm->ykt", taps, after)  # (3, 2m, 2^15)
    a, b, c = parts.reshape(3, 2 * network.width, 32, 32, 32)
    right = truth.reshape(32, 32, 32)
    margin, wrong, count = np.inf, [], 0
    for top in range(32):  # rows r0 (fixed) to r4
        expected = table[right[top][:, :, None, None] << 6 | right[:, :, :, None] << 3 | right[None]]
        hidden = a[:, top][:, :, :, None, None] + b[..., None] + c[:, None] + _per_channel(second.conv_bias)
        fields = np.tensordot(second.mix, np.maximum(hidden, 0), 1) + _per_channel(second.mix_bias)
        logits = np.tensordot(readout, np.maximum(fields, 0), 1)[0] + readout_bias[0]
        margin = np.minimum(margin, np.where(expected == 1, logits, -logits).min())  # not a number stays so
        places = np.argwhere((logits > 0) != (expected == 1))
        count += len(places)
        wrong += [([top, *map(int, p)], int(expected[tuple(p)])) for p in places[: max(0, 8 - len(wrong))]]
    bound = _two_step_rounding(network)
    exact = count == 0 and bool(margin > 2 * bound)
    if exact:
        text = f"Proved: on all 2^25 windows of 5x5 cells the network gives {rule} applied twice (margin {margin:.3g}, "
        text += f"rounding at most {bound:.1e}); so on every torus, for ever."
    elif count == 0:
        text = f"Not proved: right on all 2^25 windows, but the margin {margin:.1e} is within rounding, {bound:.1e}."
    else:
        text = f"Refuted: the network differs from {rule} applied twice on {count} of the 2^25 windows."
    return Certificate(
        rule=rule,
        steps=2,
        kind="exhaustive",
        exact=exact,
        margin=finite(margin),
        rounding=finite(bound),
        checked=2**25,
        counterexamples=tuple(case(_bits(rows), 5, outcome) for rows, outcome in wrong),
        boundaries=("torus",),
        weights=network.digest,
        statement=text,
    )


def _two_step_rounding(network: LifeNetwork) -> float:
    """Bound on |computed - exact| for two stages: errors carried forward through the largest values they can meet."""
    stages, readout, readout_bias = stages_of(network)
    size, error = np.ones(1), np.zeros(1)
    layers = [
        layer
        for stage in stages
        for layer in ((np.abs(stage.conv).sum(2), stage.conv_bias, 9), (np.abs(stage.mix), stage.mix_bias, 1))
    ]
    for weight, bias, taps in [*layers, (np.abs(readout), readout_bias, 1)]:
        with np.errstate(invalid="ignore"):
            carried, size = weight @ error, weight @ size + np.abs(bias)
        carried, size = (np.nan_to_num(values, nan=np.inf, posinf=np.inf) for values in (carried, size))
        error = carried + 2 * rounding(taps * weight.shape[1] + 2, size + carried)  # twice: for the sums here as well
    return float(error[0])


def _per_channel(bias: np.ndarray) -> np.ndarray:
    return bias[:, None, None, None, None]


def _crop(rows: np.ndarray, dx: int) -> np.ndarray:
    """Index of the 3x3 neighbourhood at columns dx..dx+2 of three rows of five bits."""
    upper, middle, lower = rows >> 10 & 31, rows >> 5 & 31, rows & 31
    return (upper >> (2 - dx) & 7) << 6 | (middle >> (2 - dx) & 7) << 3 | (lower >> (2 - dx) & 7)


def _bits(rows: list[int]) -> np.ndarray:
    return np.array([[row >> (4 - k) & 1 for k in range(5)] for row in rows]).ravel()
