"""What `sojourn run gray-scott-emulator` prints at its end: our table, the published one beside it, and breakeven."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table

from sojourn.experiments.gray_scott_emulator_figures import TITLES

PUBLISHED = {
    "FNO": (0.1365, 0.89, ">10"),
    "TFNO": (0.3633, 1.54, ">10"),
    "U-net": (0.2252, 0.57, ">10"),
    "CNextU-net": (0.1761, 0.29, 7.62),
}
"""The Well's baselines on its test split: VRMSE of one step, rollout 6:12, rollout 13:30; 12 hours on an H100 each."""


def closing_lines(results: dict[str, Any], side: int, figures: str) -> list[str]:
    """The tables as lines, what differs from the published protocol, and where the pictures are."""
    some = next(v for v in results["evaluation"].values() if "windows" in v and isinstance(v["windows"], dict))
    first, last, end = some["uniform"][0], some["uniform"][-1], some["horizons"][-1]
    uniform = f"{first} of {some['members']} at the first step and in {last} at step {end}"
    return [
        *_lines(_errors(results)),
        "",
        *_intervals(results, some["members"]),
        "",
        *_lines(_costs(results)),
        "",
        "Windows are means over all steps and trajectories, as published. The truth is uniform (variance below 1e-7) "
        f"in {uniform}; VRMSE divides by 1e-7 there. 'living' leaves those steps out.",
        _protocol(side),
        f"Look at the pictures in {figures}.",
    ]


def _errors(results: dict[str, Any]) -> Table:
    table = _table("VRMSE on unseen trajectories")
    for name in (
        "network",
        "parameters",
        "one step",
        "u",
        "v",
        "6:12",
        "living",
        "13:30",
        "living",
        "median at 100",
        "at 400",
    ):
        table.add_column(name, justify="left" if name == "network" else "right")
    for name, numbers in results["evaluation"].items():
        plan = results["training"].get(name, {})
        rolled = [""] * 6
        if name != "no change":
            windows = numbers["windows"]
            parts = [windows.get(w) for w in ("6:12", "13:30")]
            rolled = [_number(p[key]) if p else "" for p in parts for key in ("mean", "mean_where_not_uniform")]
            curve = dict(zip(numbers["horizons"], numbers["quartiles"], strict=True))
            rolled += [_number(curve[k][1]) if k in curve else "" for k in (100, 400)]
        one = [numbers["one_step"], *numbers["one_step_fields"]]
        table.add_row(TITLES[name], f"{plan['parameters']:,}" if plan else "", *map(_number, one), *rolled)
    table.add_section()
    for name, (one, near, far) in PUBLISHED.items():
        table.add_row(f"published {name}", "", str(one), "", "", str(near), "", str(far), "", "", "", style="dim")
    return table


def _intervals(results: dict[str, Any], members: int) -> list[str]:
    """The three means again, with their intervals, what these are, and what they leave out."""
    table = _table(f"Means, 95% (Student over {members} trajectories, asymptotic)")
    for name in ("network", "one step", "6:12", "13:30"):
        table.add_column(name)
    found: dict[str, Any] = {}
    for name, numbers in results["evaluation"].items():
        windows = numbers["windows"] if name != "no change" else {}
        parts = [numbers["one_step_estimate"], *(windows.get(w, {}).get("estimate") for w in ("6:12", "13:30"))]
        table.add_row(TITLES[name], *(_with_ends(p) if p else "" for p in parts))
        found = parts[0]
    return [
        *_lines(table),
        f"Not covered: {'; '.join(found['limits'])}. Medians and quartiles describe these trajectories.",
    ]


def _with_ends(estimate: dict[str, Any]) -> str:
    low, high = estimate["interval"]
    return f"{_number(estimate['value'])} [{_number(low)}, {_number(high)}]"


def _costs(results: dict[str, Any]) -> Table:
    table = _table(f"Breakeven at step {results['solver_horizon']}: when does an emulator pay for itself?")
    for name in (
        "network",
        "error",
        "ms a step",
        "cheapest solver as good",
        "ms a step",
        "spent before (s)",
        "breakeven",
    ):
        table.add_column(name, justify="left" if name in ("network", "cheapest solver as good") else "right")
    for name, numbers in results["evaluation"].items():
        if name == "no change":
            continue
        b = numbers["breakeven"]
        steps = "never" if b["steps"] is None else f"{b['steps']:,.0f} steps"
        solver, cost = (b["solver"], f"{1e3 * b['solver_seconds']:.3g}") if b["solver"] else ("none tried", "")
        steps = steps if b["solver"] else "?"
        ours = f"{1e3 * b['emulator_seconds']:.3g}"
        table.add_row(TITLES[name], _number(b["error"]), ours, solver, cost, f"{b['upfront_seconds']:,.0f}", steps)
    return table


def _protocol(side: int) -> str:
    size = "its whole domain" if side == 128 else f"{side} x {side} points at its resolution, a part of its domain"
    return (
        f"Not as published: data regenerated here by The Well's recipe on {size}; fewer trajectories; minutes on this "
        "machine for each network instead of 12 hours on an H100; our own networks in the baselines' names."
    )


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value < 1 else f"{value:.2f}" if value < 10 else ">10"


def _lines(table: Table) -> list[str]:
    console = Console(width=130, file=io.StringIO())
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]
