"""Small convolutional networks in Numba: a Springer-Kenyon network iterated on a whole board.

    h_k = relu(b_k + sum_c w_kc * x_c),   y_j = relu(c_j + sum_k a_jk h_k)        * is a 3x3 cross-correlation

Equals `sojourn.learning.networks.LifeNetwork` followed by its threshold, up to rounding of the logits: the same sums in
another order.
"""

import numpy as np
from numba import njit

from sojourn.kernels.threads import share

_TURN = 16  # applications between meetings of the threads; a band carries that many rows more on either side
_GRAIN = 1 << 16  # cells worth a thread


def iterate(cells, network, torus, steps):
    """`steps` applications of the network, each followed by its threshold.

    Args:
        cells: (height, width) uint8, 0 or 1.
        network: weight (stages, 2m, m, 9), bias (stages, 2m), mix (stages, m, 2m), mix_bias (stages, m), readout (m,)
            and its bias, all float32. The first stage reads channel 0 alone: its other weights are zero.
        torus: opposite edges are joined; else cells outside are zero in every stage.

    Returns:
        (height, width) uint8.
    """
    height, width = cells.shape
    while steps > 0:
        turn = min(steps, _TURN)
        before, after = cells, np.empty_like(cells)
        share(
            lambda begin, end, before=before, after=after, turn=turn: _band(
                before, after, begin, end, turn, *network, torus
            ),
            height,
            max(1, _GRAIN // width),
        )
        cells, steps = after, steps - turn
    return cells.copy()


@njit(cache=True, nogil=True)
def _band(before, after, begin, end, steps, weight, bias, mix, mix_bias, readout, readout_bias, torus):
    """Rows begin..end of `after`: `before` advanced, from a copy with `halo` rows more above and below."""
    height, width = before.shape
    stages, outputs = mix_bias.shape
    halo = steps * stages
    rows = end - begin + 2 * halo
    source = np.zeros((outputs, rows + 2, width + 2), np.float32)
    target = np.zeros((outputs, rows + 2, width + 2), np.float32)
    first = begin - halo
    for r in range(rows):
        y = first + r
        if torus or 0 <= y < height:
            for x in range(width):
                source[0, r + 1, x + 1] = before[y % height, x]
    for _ in range(steps):
        for k in range(stages):
            _border(source, first, height, torus)
            _stage(source, weight[k], bias[k], mix[k], mix_bias[k], target)
            source, target = target, source
        _decide(source, readout, readout_bias)
    for y in range(begin, end):
        for x in range(width):
            after[y, x] = source[0, y - first + 1, x + 1] > 0


@njit(cache=True, nogil=True)
def _border(field, first, height, torus):
    """The columns beside the board: its opposite edge on a torus, else zero; rows outside a dead boundary are zero."""
    if torus:
        field[:, :, 0] = field[:, :, -2]
        field[:, :, -1] = field[:, :, 1]
        return
    field[:, :, 0] = 0
    field[:, :, -1] = 0
    for r in range(field.shape[1]):
        if not 0 <= first + r - 1 < height:
            field[:, r] = 0


@njit(cache=True, nogil=True, fastmath={"contract"})
def _stage(source, weight, bias, mix, mix_bias, target):
    inputs, height, width = source.shape[0], source.shape[1] - 2, source.shape[2] - 2
    hidden, outputs = mix.shape[1], mix.shape[0]
    row = np.empty(width, np.float32)
    for y in range(height):
        for j in range(outputs):
            target[j, y + 1, 1:-1] = mix_bias[j]
        for k in range(hidden):
            row[:] = bias[k]
            for c in range(inputs):
                w = weight[k, c]
                north, here, south = source[c, y], source[c, y + 1], source[c, y + 2]
                for x in range(width):
                    row[x] += (
                        (w[0] * north[x] + w[1] * north[x + 1] + w[2] * north[x + 2])
                        + (w[3] * here[x] + w[4] * here[x + 1] + w[5] * here[x + 2])
                        + (w[6] * south[x] + w[7] * south[x + 1] + w[8] * south[x + 2])
                    )
            for j in range(outputs):
                a, out = mix[j, k], target[j, y + 1]
                for x in range(width):
                    out[x + 1] += a * max(row[x], np.float32(0))
        for j in range(outputs):
            out = target[j, y + 1]
            for x in range(width):
                out[x + 1] = max(out[x + 1], np.float32(0))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _decide(field, readout, readout_bias):
    """Channel 0 becomes 1 where readout . field + readout_bias > 0, else 0; the others become 0."""
    outputs, height, width = field.shape[0], field.shape[1] - 2, field.shape[2] - 2
    logit = np.empty(width, np.float32)
    for y in range(height):
        logit[:] = readout_bias
        for j in range(outputs):
            a, values = readout[j], field[j, y + 1]
            for x in range(width):
                logit[x] += a * values[x + 1]
                values[x + 1] = 0
        cells = field[0, y + 1]
        for x in range(width):
            cells[x + 1] = np.float32(1) if logit[x] > 0 else np.float32(0)
