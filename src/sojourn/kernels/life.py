"""Two-state cellular automata on the eight nearest neighbours, 64 cells to a machine word.

Bit j of ``words[e, y, k]`` is the cell at x = 64 k + j of row y of board e. The kernels equal `steps` applications of
`sojourn.processes.life.life.Life.step`, bit for bit, for any number of threads.
"""

import numpy as np
from numba import get_num_threads

from sojourn.kernels.life_blocks import advance_blocks
from sojourn.kernels.life_rules import CONWAY, FRAME, OUTER_TOTALISTIC, TABLE

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_WORTH_A_THREAD = 1_000_000  # words to advance, a quarter of a millisecond


def pack(cells):
    """Pack boards of cells into words.

    Args:
        cells: (ensemble, height, width), integers or booleans; nonzero is alive.

    Returns:
        (ensemble, height, ceil(width / 64)) uint64; the unused high bits of a row's last word are 0.
    """
    cells = np.asarray(cells)
    if cells.ndim != 3:
        raise ValueError(f"cells has shape {cells.shape}; expected (ensemble, height, width)")
    ensemble, height, width = cells.shape
    octets = np.zeros((ensemble, height, 8 * -(-width // 64)), np.uint8)
    octets[..., : -(-width // 8)] = np.packbits(cells, axis=-1, bitorder="little")
    return octets.view("<u8").astype(np.uint64, copy=False)


def unpack(words, width):
    """The inverse of `pack`: (ensemble, height, width) uint8, 1 where alive."""
    _check(words, width, 0)
    octets = np.ascontiguousarray(words).astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=width, bitorder="little")


def advance_outer_totalistic(words, width, birth, survival, steps, torus):
    """Advance boards under a rule that counts the eight neighbours.

    A dead cell with k live neighbours is born if bit k of ``birth`` is set, a live one survives if bit k of
    ``survival`` is set (Conway's B3/S23: ``birth=0b1000, survival=0b1100``). Bit 0 of ``birth`` is allowed.

    Args:
        words: (ensemble, height, ceil(width / 64)) uint64, as `pack` makes them; not changed.
        width: cells in a row.
        birth, survival: nine-bit masks.
        steps: generations.
        torus: whether opposite edges touch; otherwise every cell outside the board is dead for ever.

    Returns:
        The boards after ``steps`` generations, as new words.

    Raises:
        ValueError: a mask is outside 0..511, ``steps`` is negative, or ``words`` does not fit ``width``.
    """
    for name, mask in (("birth", birth), ("survival", survival)):
        if not 0 <= mask < 512:
            raise ValueError(f"{name}={mask} is not a mask of nine bits; expected 0 <= {name} < 512")
    if birth == 1 << 3 and survival == 1 << 2 | 1 << 3:
        return _advance(words, width, CONWAY, np.zeros(1, np.uint64), steps, torus)
    bits = np.array([mask >> k & 1 for mask in (birth, survival) for k in range(9)], bool)
    return _advance(words, width, OUTER_TOTALISTIC, np.where(bits, _ALL, np.uint64(0)), steps, torus)


def advance_table(words, width, table, steps, torus):
    """Advance boards under any rule on the 3x3 neighbourhood.

    Args:
        table: (512,) of 0 and 1; the next state at 256 NW + 128 N + 64 NE + 32 W + 16 C + 8 E + 4 SW + 2 S + SE
            (the order of Golly's MAP rules), where NW is the cell at (y - 1, x - 1) and y points down.
        words, width, steps, torus: as in `advance_outer_totalistic`.

    Returns:
        The boards after ``steps`` generations, as new words.

    Raises:
        ValueError: ``table`` is not 512 entries of 0 or 1, or as in `advance_outer_totalistic`.
    """
    table = np.asarray(table)
    if table.shape != (512,) or not np.isin(table, (0, 1)).all():
        raise ValueError(f"table has shape {table.shape}; expected 512 entries, each 0 or 1")
    functions = table.reshape(128, 4).astype(np.uint64) @ np.array([1, 2, 4, 8], np.uint64)
    return _advance(words, width, TABLE, np.uint64(FRAME) + np.uint64(8) * functions, steps, torus)


def _check(words, width, steps):
    if words.ndim != 3 or words.dtype != np.uint64 or width < 1 or words.shape[2] != -(-width // 64):
        raise ValueError(
            f"words has shape {words.shape} and dtype {words.dtype}; expected (ensemble, height, "
            f"{-(-width // 64)}) of uint64 for width={width}"
        )
    if steps < 0:
        raise ValueError(f"steps={steps} is negative; expected 0 or more")


def _advance(words, width, kind, rule, steps, torus):
    _check(words, width, steps)
    words = np.ascontiguousarray(words)
    threads = min(get_num_threads(), 1 + words.size * steps // _WORTH_A_THREAD)
    return advance_blocks(words, width, kind, rule, steps, bool(torus), threads)
