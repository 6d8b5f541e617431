"""Programs as Numba source: the whole loop over members, steps and substeps, with the noise drawn inside.

A vector of members goes through a group of steps at a time, the smallest that uses up whole blocks of the generator
(four normals), while its state and its normals are in the innermost cache. Values are `Floats`: every member gets the
same instructions, so a result depends neither on threads nor on how an ensemble was split.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.ito import increments as inc
from sojourn.processes.ito.printing import CodePrinter, names_of
from sojourn.processes.ito.program import Program

_GRAIN = 400_000  # member-steps worth a thread
_LARGEST = 256  # normals to a step, and
_LONGEST = 1000  # statements in it, beyond which the compiler would take minutes
_SPACE = 16_384  # bytes of normals, so that they stay in the innermost cache with the states
_FUNCTIONS = {"abs": "absolute"}  # where the kernel's name is not PyTorch's


def advance(
    program: Program,
    terms: int,
    state: list[torch.Tensor],
    parameters: list[float],
    t: int,
    steps: int,
    dt: float,
    substeps: int,
    noise: tuple[Noise, Noise],
) -> list[torch.Tensor] | None:
    """The states, (ensemble,) each on the CPU, after steps t .. t + steps - 1; None if there is no kernel for it.

    Args:
        terms: of the Levy areas' series.
        noise: the streams of the Brownian motion, and of what else the increments need.
    """
    from sojourn.kernels.normals import TOGETHER

    m = program.coefficients.noises
    more = inc.normals(program.kind, m, terms) - m
    short = m + more <= _LARGEST and len(program.statements) <= _LONGEST
    kernel = _kernel(program, terms) if short else None
    if kernel is None:
        return None
    ensemble, dtype = len(state[0]), np.dtype(str(state[0].dtype).removeprefix("torch."))
    flat = np.empty((len(state), -(-ensemble // TOGETHER) * TOGETHER), dtype)
    for row, values in zip(flat, state, strict=True):
        row[:ensemble], row[ensemble:] = values.numpy(), values[-1].item()
    path, within = noise
    group = 4 // math.gcd(4, substeps * m, substeps * more)
    blocks = group * substeps * (m + more) // 4
    if (t + steps) * substeps * max(m, more) // 4 + blocks > 2**32:
        return None
    width = TOGETHER * max(1, min(8, _SPACE // (4 * blocks * TOGETHER * dtype.itemsize)))
    p = np.array(parameters, dtype)
    key = np.array([path.stream, within.stream, path.seed & 0xFFFFFFFF, path.seed >> 32], np.uint32)

    def work(begin: int, end: int) -> None:
        space = np.empty(4 * blocks * width, dtype)
        kernel(flat.reshape(-1), space, p, key, path.first_member, t, steps, dt, substeps, group, width, begin, end)

    _share(work, flat.shape[1], width, max(1, _GRAIN // steps))
    return [torch.from_numpy(row[:ensemble].copy()) for row in flat]


def _share(work: Callable[[int, int], None], members: int, width: int, grain: int) -> None:
    """work(begin, end) on ranges of whole widths, several a thread: a core that others use takes fewer of them."""
    from numba import get_num_threads

    threads = min(get_num_threads(), max(1, members // grain))
    if threads == 1:
        return work(0, members)
    piece = width * -(-members // (8 * threads * width))
    begins = range(0, members, piece)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, begins, (min(begin + piece, members) for begin in begins)))


@lru_cache(maxsize=256)
def _kernel(program: Program, terms: int) -> Any:
    from sojourn.kernels import generated

    try:
        return generated.module(source(program, terms)).advance
    except InputError:
        return None


def source(program: Program, terms: int) -> str:
    """The source of the kernel's function `advance`, for the arguments see `_KERNEL`.

    It takes members begin .. end - 1 of `state` through `steps` steps, in place; `space` has room for the normals of
    `group` steps and `width` members.

    Raises:
        InputError: a function in the program has no form here.
    """
    c, kind, m = program.coefficients, program.kind, program.coefficients.noises
    names = names_of(program)
    h, root_h = sp.Symbol("h", positive=True), sp.Symbol("root_h", positive=True)
    count, size = inc.normals(kind, m, terms), len(program.increments)
    xi, w, u = (sp.symbols(f"{letter}:{n}", real=True) for letter, n in (("n", count), ("w", size), ("u", size)))
    drawn = inc.from_normals(kind, m, terms, xi, h, root_h, _sign).values
    joined = inc.join(inc.from_values(kind, m, w), inc.from_values(kind, m, u), h).values
    draw, step = _Numba({h: "part", root_h: "root_part", **{s: s.name for s in (*xi, *w, *u)}}), _Numba(names)

    def assign(symbols: Any, values: Any) -> str:
        return "".join(f"{s}, " for s in symbols) + "= " + "".join(f"{draw.doprint(value)}, " for value in values)

    pieces = {
        "load_p": [f"p{k} = spread(space, p[{k}])" for k in range(len(c.parameters))],
        "load_n": [f"n{j} = load(space, place + {j} * width)" for j in range(m)]
        + [f"n{j} = load(space, rest + {j - m} * width)" for j in range(m, count)],
        "draw_w": [assign(w, drawn)],
        "join": [assign(u, drawn), assign(w, joined)],
        "load_x": [f"x{i} = load(state, {i} * row + member)" for i in range(len(c.states))],
        "step": [f"{names[s]} = {step.doprint(value)}" for s, value in program.statements],
        "store_x": [f"store(state, {i} * row + member, y{i})" for i in range(len(c.states))],
    }
    pieces["step"] += [f"y{i} = spread(space, {step.doprint(value)})" for i, value in enumerate(program.result)]
    lines = []
    for line in _KERNEL.splitlines():
        slot = line.strip().strip("<>")
        indent = line[: len(line) - len(line.lstrip())]
        lines += [indent + text for text in pieces[slot]] if line.strip() == f"<{slot}>" else [line]
    text = "\n".join(lines) + "\n"
    for word, number in (("ROWS", len(c.states)), ("NOISES", m), ("MORE", count - m)):
        text = text.replace(word, str(number))
    return text


_KERNEL = """\
from numba import njit
from sojourn.kernels.float_vectors import load, store
from sojourn.kernels.normals import fill
from sojourn.kernels.vector_functions import *


@njit(cache=True, nogil=True)
def advance(state, space, p, key, first_member, start, steps, dt, substeps, group, width, begin, end):
    row, lanes, n, more = state.size // ROWS, 64 // state.itemsize, NOISES * substeps, MORE * substeps
    within = space[group * n * width :]
    h, part, root_part = spread(space, dt), spread(space, dt / substeps), spread(space, (dt / substeps) ** 0.5)
    <load_p>
    for low in range(begin, end, width):
        high = min(low + width, end)
        for first in range(start // group * group, start + steps, group):
            size, member = high - low, first_member + low
            fill(space, width, size, first * n // 4, group * n // 4, member, key[0], key[2], key[3])
            fill(within, width, size, first * more // 4, group * more // 4, member, key[1], key[2], key[3])
            for k in range(max(start, first), min(start + steps, first + group)):
                t = spread(space, k * dt)
                for member in range(low, high, lanes):
                    place = (k - first) * n * width + member - low
                    rest = (group * n + (k - first) * more) * width + member - low
                    <load_n>
                    <draw_w>
                    for _ in range(1, substeps):
                        place += NOISES * width
                        rest += MORE * width
                        <load_n>
                        <join>
                    <load_x>
                    <step>
                    <store_x>
"""


class _Numba(CodePrinter):
    def power(self, base: str, exponent: sp.Expr) -> str:
        if exponent.is_Integer:
            return f"whole_power({base}, {int(exponent)})"
        if exponent == sp.S.Half:
            return f"sqrt({base})"
        if exponent == -sp.S.Half:
            return f"(1.0 / sqrt({base}))"
        return self.call("power", base, self._print(exponent))

    def call(self, name: str, *arguments: str) -> str:
        from sojourn.kernels import vector_functions

        name = _FUNCTIONS.get(name, name)
        if name not in vector_functions.__all__:
            raise InputError(f"{name} has no form in a kernel")
        return f"{name}({', '.join(arguments)})"

    def choose(self, condition: str, yes: str, no: str) -> str:
        return f"choose({condition}, spread(space, {yes}), {no})"


def _sign(x: Any) -> Any:
    return sp.Piecewise((-1, x < 0), (1, True))
