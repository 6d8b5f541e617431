"""Score matching: seconds an iteration against dimension, as in Song et al. (2019), figure 2.

    python benchmarks/score.py [--rounds 5] [--output docs/benchmarks/score.md]

One iteration of a deep kernel exponential family with 200 inducing points and three networks: alpha from 100 normal
data, the objective of 100 others, its gradients, a step of Adam. Beside Sojourn's closed forms stands the
straightforward way, that of the paper's own programs: plain modules, derivatives by differentiating gradients again.
Both are checked to give one loss. All take turns; a time is the median of the rounds, and a ratio that of their ratios.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from machine import machine, seconds
from sojourn.experiments.ssm_speed import PUBLISHED, Iteration, SsmSpeed, begun, iteration
from sojourn.noise import Noise
from sojourn.score import DeepKernelExponentialFamily, objectives

DEFAULT = SsmSpeed()
DIMENSIONS, HALF, POINTS = DEFAULT.dimensions, DEFAULT.half, DEFAULT.inducing
KINDS: dict[str, Any] = {"SSM": "sliced", "SSM-VR": "sliced_reduced", "exact": "exact"}
DEAREST = {"SSM": 1600, "SSM-VR": 1600, "exact": 30}  # the largest D at which the straightforward way is run


# -------------------------------------------------------------------------------------------- the straightforward way


class Network(nn.Module):
    def __init__(self, theirs: DeepKernelExponentialFamily, r: int) -> None:
        super().__init__()
        f = theirs.features
        d = f.w1.shape[2]
        self.layers = nn.Sequential(
            nn.Linear(d, 30), nn.Softplus(), nn.Linear(30, 30), nn.Softplus(), nn.Linear(30, 30)
        )
        self.skip = nn.Linear(d, 30, bias=False)
        with torch.no_grad():
            for k, (w, b) in enumerate(((f.w1, f.b1), (f.w2, f.b2), (f.w3, f.b3))):
                layer: Any = self.layers[2 * k]
                layer.weight.copy_(w[r])
                layer.bias.copy_(b[r, 0])
            self.skip.weight.copy_(f.skip[r])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + self.skip(x)


class Straightforward(nn.Module):
    def __init__(self, theirs: DeepKernelExponentialFamily) -> None:
        super().__init__()
        self.networks = nn.ModuleList(Network(theirs, r) for r in range(3))
        self.points = nn.Parameter(theirs.points.detach().clone())
        self.log_width = nn.Parameter(theirs.log_width.detach().clone())
        self.logits = nn.Parameter(theirs.logits.detach().clone())
        self.log_ridge = nn.Parameter(theirs.log_ridge.detach().clone())

    def kernels(self, x: Tensor) -> Tensor:
        """k(x_m, z_m), (n, M), of x (n, M, D): one copy of a datum for each point, with a gradient of its own."""
        weights = torch.softmax(self.logits, 0)
        squares = [(phi(x) - phi(self.points)).square().sum(2) for phi in self.networks]
        widths = 2 * torch.exp(2 * self.log_width)
        return sum(weights[r] * torch.exp(-squares[r] / widths[r]) for r in range(3))  # type: ignore[return-value]

    def log_density(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Of x (n, D), unnormalised."""
        weights, widths = torch.softmax(self.logits, 0), 2 * torch.exp(2 * self.log_width)
        found = [
            torch.exp(-(torch.cdist(phi(x), phi(self.points)) ** 2) / widths[r]) for r, phi in enumerate(self.networks)
        ]
        return sum(weights[r] * found[r] @ alpha for r in range(3)) - x.square().sum(1) / 8  # type: ignore[return-value]


def gradient(value: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(value.sum(), x, create_graph=True)[0]


def straightforward(kind: str, x: Tensor, noise: Noise) -> Iteration:
    model = Straightforward(begun(x.shape[1], POINTS, noise))
    d = x.shape[1]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)

    def weights(y: Tensor, u: Tensor) -> Tensor:
        copies = y[:, None].expand(-1, POINTS, -1).clone().requires_grad_()
        first, base = gradient(model.kernels(copies), copies), -y / 4  # (n, M, D)
        if kind == "exact":
            second = sum(gradient(first[:, :, k], copies)[:, :, k] for k in range(d))
        else:
            second = (gradient((first * u[:, None]).sum(2), copies) * u[:, None]).sum(2)
        if kind == "SSM":
            rows, bases = (first * u[:, None]).sum(2), (u * base).sum(1)
            matrix, vector = rows.T @ rows / len(y), (second + rows * bases[:, None]).mean(0)
        else:
            flat = first.transpose(0, 1).flatten(1)
            matrix, vector = flat @ flat.T / len(y), (second + (first * base[:, None]).sum(2)).mean(0)
        return -torch.linalg.solve(matrix + model.log_ridge.exp() * torch.eye(POINTS), vector)

    def objective(y: Tensor, u: Tensor, alpha: Tensor) -> Tensor:
        y = y.clone().requires_grad_()
        s = gradient(model.log_density(y, alpha), y)
        if kind == "exact":
            trace = sum(gradient(s[:, k], y)[:, k] for k in range(d))
        else:
            trace = (gradient((s * u).sum(1), y) * u).sum(1)
        squares = (s * u).sum(1).square() if kind == "SSM" else s.square().sum(1)
        return (trace + squares / 2).mean()

    def step(number: int) -> Tensor:
        halves = x.chunk(2)
        v = [objectives.draw("rademacher", half, 1, noise.split(k), number)[0] for k, half in enumerate(halves)]
        optimiser.zero_grad()
        loss = objective(halves[1], v[1], weights(halves[0], v[0]))
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


# ----------------------------------------------------------------------------------------------------------- the run


def measure(rounds: int, dimensions: tuple[int, ...]) -> dict[tuple[str, str, int], list[float]]:
    found: dict[tuple[str, str, int], list[float]] = {}
    for d in dimensions:
        noise = Noise(DEFAULT.seed)
        x = noise.split("data").normal(0, 2 * HALF, (d,))
        runs = {("closed form", k): iteration(begun(d, POINTS, noise), KINDS[k], x, noise) for k in KINDS}
        runs |= {("straightforward", k): straightforward(k, x, noise) for k in KINDS if d <= DEAREST[k]}
        for turn in range(rounds + 1):
            losses: dict[tuple[str, str], float] = {}
            for key, run in runs.items():
                took = seconds(lambda: losses.update({key: float(run(turn))}))  # noqa: B023
                if turn:
                    found.setdefault((*key, d), []).append(took)
            for kind in KINDS if turn == 0 else ():
                a, b = losses["closed form", kind], losses.get(("straightforward", kind))
                if b is not None and abs(a - b) > 1e-3 * abs(b):
                    raise SystemExit(f"{kind} at D = {d}: the losses are {a} and {b}")
    return found


NOTE = [
    "The straightforward way is that of the paper's programs: a copy of each datum for each inducing point, and",
    "gradients of gradients. It needs D passes for the exact trace, so it was left out above D = 30. SSM alone grows",
    "with D, because at 11 ms its first product counts. What was learned: [tables](../score-matching-tables.md).",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/score.md"))
    options = parser.parse_args()
    found = measure(options.rounds, DIMENSIONS)
    header = ["milliseconds an iteration", *(f"D = {d}" for d in DIMENSIONS)]
    rows = []
    for kind in KINDS:
        for who in ("closed form", "straightforward"):
            times = [found.get((who, kind, d)) for d in DIMENSIONS]
            rows.append([f"{kind}, {who}", *("" if t is None else f"{1e3 * statistics.median(t):.1f}" for t in times)])
        cells = []
        for d in DIMENSIONS:
            pair = [found.get((who, kind, d)) for who in ("straightforward", "closed form")]
            ratios = [] if None in pair else [a / b for a, b in zip(*pair, strict=True)]  # type: ignore[arg-type]
            cells.append(f"{statistics.median(ratios):.1f} x" if ratios else "")
        rows.append([f"{kind}, faster by", *cells])
    rows.append(
        ["exact, the paper's (a GPU)", *(f"{1e3 * PUBLISHED[d]:.0f}" if d in PUBLISHED else "" for d in DIMENSIONS)]
    )
    flat = [
        statistics.median(
            b / a for a, b in zip(found["closed form", kind, 100], found["closed form", kind, 800], strict=True)
        )
        for kind in KINDS
    ]
    line = "From D = 100 to 800: " + ", ".join(
        f"{kind} {ratio:.2f} times" for kind, ratio in zip(KINDS, flat, strict=True)
    )
    table = Table(*header)
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table, line)
    lines = ["# Score matching: speed", "", machine("torch") + ".", ""]
    lines += [f"`python benchmarks/score.py --rounds {options.rounds}`", ""]
    lines += ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * len(DIMENSIONS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", line + ".", "", *NOTE, ""]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
