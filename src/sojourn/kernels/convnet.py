"""Small convolutional networks in Numba: a Springer-Kenyon network iterated on a whole board.

    h_k = relu(b_k + sum_c w_kc * x_c),   y_j = relu(c_j + sum_k a_jk h_k)        * is a 3x3 cross-correlation

Equals `sojourn.learning.networks.LifeNetwork.next_board` up to rounding of the logits: the same sums in another order.
"""

import numpy as np
from numba import njit, prange


def iterate(cells, stages, readout, readout_bias, torus, steps):
    """`steps` applications of the network, each followed by its threshold.

    Args:
        cells: (height, width) uint8, 0 or 1.
        stages: tuples weight (hidden, inputs, 9), bias (hidden,), mix (outputs, hidden), mix_bias (outputs,); float32.
        readout: (outputs,) float32; a cell lives when readout . y + readout_bias > 0.
        torus: opposite edges are joined; else cells outside are zero in every stage.

    Returns:
        (height, width) uint8.
    """
    height, width = cells.shape
    fields = [np.zeros((s[0].shape[1], height + 2, width + 2), np.float32) for s in stages]
    board, last = fields[0], np.zeros((len(readout), height + 2, width + 2), np.float32)
    board[0, 1:-1, 1:-1] = cells
    for _ in range(steps):
        for k, parameters in enumerate(stages):
            source, target = fields[k], fields[k + 1] if k + 1 < len(stages) else last
            if torus:
                _wrap(source)
            _stage(source, *parameters, target)
        _decide(last, readout, readout_bias, board)
    return board[0, 1:-1, 1:-1].astype(np.uint8)


@njit(cache=True)
def _wrap(fields):
    """Fills the border of (channels, height + 2, width + 2) from the opposite edges."""
    fields[:, 1:-1, 0] = fields[:, 1:-1, -2]
    fields[:, 1:-1, -1] = fields[:, 1:-1, 1]
    fields[:, 0, :] = fields[:, -2, :]
    fields[:, -1, :] = fields[:, 1, :]


@njit(cache=True, parallel=True, fastmath={"contract"})
def _stage(source, weight, bias, mix, mix_bias, target):
    inputs, height, width = source.shape[0], source.shape[1] - 2, source.shape[2] - 2
    hidden, outputs = mix.shape[1], mix.shape[0]
    for y in prange(height):
        row = np.empty(width, np.float32)
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


@njit(cache=True, parallel=True, fastmath={"contract"})
def _decide(fields, readout, readout_bias, board):
    """board[0] becomes 1 where readout . fields + readout_bias > 0, else 0."""
    outputs, height, width = fields.shape[0], fields.shape[1] - 2, fields.shape[2] - 2
    for y in prange(height):
        logit = np.full(width, readout_bias, np.float32)
        for j in range(outputs):
            a, field = readout[j], fields[j, y + 1]
            for x in range(width):
                logit[x] += a * field[x + 1]
        cells = board[0, y + 1]
        for x in range(width):
            cells[x + 1] = np.float32(1) if logit[x] > 0 else np.float32(0)
