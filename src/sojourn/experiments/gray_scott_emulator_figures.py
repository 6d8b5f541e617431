"""The pictures of `sojourn run gray-scott-emulator`: learning, error against horizon, fields side by side, spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import BLUE, GREEN, ORANGE, SKY, new
from sojourn.learning.emulators.evaluation import Rollout
from sojourn.learning.emulators.recipe import Plan
from sojourn.measures import energy_spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure


COLOURS = {"splitting": BLUE, "splitting-mlp": SKY, "u-net": ORANGE, "fno": GREEN}
TITLES = {
    "splitting": "splitting",
    "splitting-mlp": "splitting, MLP",
    "u-net": "U-Net",
    "fno": "FNO",
    "no change": "no change",
}


def learning(metrics: dict[str, list[dict[str, Any]]], plans: dict[str, Plan]) -> Figure:
    """Training loss against training time: all networks train for the same time."""
    figure, axis = new(1, 1, figsize=(6.8, 4.0))
    for name, rows in metrics.items():
        plan, loss = plans[name], [row["loss"] for row in rows]
        seconds = [plan.seconds(row["step"]) for row in rows]
        axis.plot(seconds, loss, color=COLOURS[name], lw=0.6, alpha=0.35)
        label = f"{TITLES[name]} ({plan.steps:,} steps)"
        axis.plot(seconds, _running_median(loss), color=COLOURS[name], label=label)
        axis.axvline(plan.seconds(plan.unrolled_from), color=COLOURS[name], lw=0.8, ls=":")
    axis.set(yscale="log", xlabel="training time (s, at the pace measured before)", ylabel="VRMSE of a batch")
    axis.set_title("One step ahead; several in a row after the dotted line")
    axis.legend(frameon=False)
    return figure


def horizons(evaluation: dict[str, Any], names: list[str], label: str) -> Figure:
    """VRMSE against the number of steps: median and quartiles over test trajectories."""
    figure, axis = new(1, 1, figsize=(7.2, 4.2))
    for name in names:
        curve = evaluation[name]
        low, middle, high = np.clip(np.array(curve["quartiles"]).T, 1e-5, 1e3)
        axis.fill_between(curve["horizons"], low, high, color=COLOURS[name], alpha=0.15, lw=0)
        axis.plot(curve["horizons"], middle, "o-", ms=3, color=COLOURS[name], label=TITLES[name])
    axis.axhline(1.0, color="0.6", lw=0.8, ls="--", zorder=0)
    axis.text(1, 1.1, "the spatial mean of the truth", fontsize=8, color="0.4")
    axis.set(xscale="log", yscale="log", xlabel="steps of 10 time units", ylabel="VRMSE, mean of u and v")
    members = evaluation[names[0]]["members"]
    axis.set_title(f"Rollouts from {members} unseen starts, {label}: median and quartiles")
    axis.legend(frameon=False, loc="lower right")
    return figure


def frames(rolls: dict[str, Rollout], member: int, label: str) -> Figure:
    """v of the truth and of every emulator at a few steps, one row each."""
    steps = [k for k in (1, 30, 100, 400) if k <= next(iter(rolls.values())).truth.sizes["time"]]
    first = next(iter(rolls.values()))
    rows = {"truth": first.truth, **{TITLES[name]: rolled.emulated for name, rolled in rolls.items()}}
    figure, axes = new(len(rows), len(steps), figsize=(1.75 * len(steps) + 0.8, 1.75 * len(rows) + 0.5), squeeze=False)
    low, high = 0.0, float(first.truth["v"].isel(ensemble=member).max())
    image = None
    for line, (name, data) in zip(axes, rows.items(), strict=True):
        for axis, k in zip(line, steps, strict=True):
            values = data["v"].isel(ensemble=member, time=k - 1).values
            image = axis.imshow(values, cmap="magma", vmin=low, vmax=high, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    for axis, k in zip(axes[0], steps, strict=True):
        axis.set_title(f"step {k}", fontsize=10)
    figure.suptitle(f"v from one unseen start: {label}")
    assert image is not None
    figure.colorbar(image, ax=axes, label="v", shrink=0.5, pad=0.02)
    return figure


def spectra(rolls: dict[str, Rollout], member: int, step: int, label: str) -> Figure:
    """Energy of u and v by wavenumber, truth and emulators, at one step."""
    figure, axes = new(1, 2, figsize=(9.0, 3.8), sharex=True)
    pick = {"ensemble": [member], "time": [step - 1]}
    lines = {"truth": next(iter(rolls.values())).truth} | {name: rolled.emulated for name, rolled in rolls.items()}
    for name, data in lines.items():
        energy = energy_spectrum(data.isel(pick))
        for axis, field in zip(axes, ("u", "v"), strict=True):
            style = {"color": "black", "lw": 2.2} if name == "truth" else {"color": COLOURS[name], "lw": 1.2}
            axis.plot(energy["wavenumber"][1:], energy[field][0, 0, 1:], label=TITLES.get(name, name), **style)
    for axis, field in zip(axes, ("u", "v"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="wavenumber (1/length)", title=f"{field} at step {step}")
    axes[0].set_ylabel("energy in a shell")
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle(f"Spectra from one unseen start: {label}")
    return figure


def _running_median(values: list[float], reach: int = 5) -> list[float]:
    return [float(np.median(values[max(0, k - reach) : k + reach + 1])) for k in range(len(values))]
