"""The pictures of `sojourn run gray-scott`: the pattern, its film, its spectrum and its growth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sojourn.experiments.figures import BLUE, ORANGE, new
from sojourn.measures import energy_spectrum
from sojourn.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sojourn.experiments.gray_scott import Growth


def pattern(path: Trajectory, title: str) -> Figure:
    """The last v, large, and the last u beside it, on axes in units of length."""
    last = path.dataset.isel(ensemble=0, time=-1)
    figure, axes = new(1, 2, figsize=(11.5, 6.4), width_ratios=(1.75, 1))
    for axis, name, colours in zip(axes, ("v", "u"), ("magma", "cividis"), strict=True):
        field = last[name]
        low, high = (float(x) for x in (field.min(), field.max()))
        image = axis.imshow(
            field.values,
            cmap=colours,
            vmin=0 if name == "v" else low,
            vmax=max(high, low + 1e-3),
            extent=_extent(last),
            origin="lower",
            interpolation="bicubic",
        )
        bar = figure.colorbar(image, cax=axis.inset_axes((1.03, 0.0, 0.04, 1.0)))
        bar.set_label(f"{name}, dimensionless concentration")
        axis.set(xlabel="x (units of length)", ylabel="y (units of length)")
    axes[0].set_title(f"{title}: v at time {float(last['time']):,.0f}")
    axes[1].set_title("u, which feeds it")
    return figure


def spectrum(path: Trajectory, wavelength: float, title: str) -> Figure:
    """Energy of v in shells of wavenumber at a few times, and the wavelength of the peak at the last."""
    figure, axis = new(1, 1, figsize=(7.2, 4.8))
    from matplotlib import colormaps

    chosen = np.unique(np.rint(np.geomspace(1, max(len(path) - 1, 1), 5)).astype(int))
    chosen = chosen[chosen < len(path)]
    found = energy_spectrum(path.dataset[["v"]].isel(time=chosen))
    wavenumber = found["wavenumber"].values[1:]
    for colour, k in zip(colormaps["viridis_r"](np.linspace(0.1, 1, len(chosen))), range(len(chosen)), strict=True):
        energy = found["v"].values[0, k, 1:]
        when = float(found["time"][k])
        axis.loglog(wavenumber, np.maximum(energy, 1e-30), color=colour, lw=1.4, label=f"time {when:,.0f}")
    last = found["v"].values[0, -1, 1:]
    axis.set_ylim(max(last.max() * 1e-10, 1e-30), last.max() * 8 if last.max() > 0 else 1)
    if np.isfinite(wavelength):
        cells = wavelength / (float(path.dataset["x"][1] - path.dataset["x"][0]))
        axis.axvline(2 * np.pi / wavelength, color=ORANGE, lw=1, ls="--", zorder=0)
        text = f" wavelength {wavelength:.3g}\n = {cells:.1f} cells"
        axis.text(2 * np.pi / wavelength, axis.get_ylim()[1] * 0.6, text, color=ORANGE, va="top")
    axis.set(
        xlabel="wavenumber $|q|$ (1/unit of length)", ylabel="energy of v in a shell", title=f"Energy spectrum: {title}"
    )
    axis.legend(frameon=False, loc="lower left")
    return figure


def growth(found: Growth, title: str) -> Figure:
    """Mean of v and covered share of the area against time, and the radius from which the front speed was fitted."""
    figure, (left, right) = new(1, 2, figsize=(10.0, 4.2))
    from matplotlib.ticker import NullFormatter

    shown = found.time > 0
    left.plot(found.time[shown], found.mean[shown], color=BLUE, label="mean of v")
    left.plot(found.time[shown], found.covered[shown], color=ORANGE, label="share of the area covered (u < 0.9)")
    left.set(xscale="log", yscale="log", xlabel="time", title=f"Growth: {title}")
    left.xaxis.set_minor_formatter(NullFormatter())
    left.legend(frameon=False, loc="lower right")
    early = slice(0, max(found.fitted.stop + 3, 6))
    right.plot(found.time[early], found.radius[early], "o", ms=4, color="0.6", label="frames")
    if found.speed is not None:
        x, y = found.time[found.fitted], found.radius[found.fitted]
        right.plot(x, y, "o", ms=4, color=BLUE, label="frames of the fit")
        label = f"{found.speed:.2g} units of length a time unit"
        right.plot(x, y.mean() + found.speed * (x - x.mean()), color=ORANGE, label=label)
    count = "one disc" if found.patches == 1 else f"{found.patches} discs"
    fit = "" if found.speed is not None else "; no steady front"
    right.set(xlabel="time", ylabel="radius (units of length)", title=f"The covered area as {count}{fit}")
    right.legend(frameon=False, loc="upper left")
    return figure


def film(path: Trajectory, title: str) -> Iterator[np.ndarray]:
    """Frames of v, at least 512 pixels wide, under a line with the pattern and the time."""
    from matplotlib import colormaps
    from PIL import Image, ImageDraw, ImageFont

    v = path.dataset["v"].isel(ensemble=0)
    height, width = v.shape[1:]
    scale = max(1, -(-512 // max(height, width)))
    size = (width * scale // 2 * 2, height * scale // 2 * 2)
    colours = (colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8)
    brightest = max(float(v.isel(time=-1).max()), 0.3)
    font = ImageFont.load_default(size=16)
    for k, when in enumerate(v["time"].values):
        levels = np.rint(255 * np.clip(v.isel(time=k).values[::-1] / brightest, 0, 1)).astype(np.uint8)
        picture = Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC)
        head = Image.new("RGB", (size[0], 28), "black")
        ImageDraw.Draw(head).text((6, 4), f"{title}, time {when:,.0f}", "white", font=font)
        yield np.concatenate([np.asarray(head), colours[np.asarray(picture)]], axis=0)


def _extent(frame) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the outermost cells."""
    ends = []
    for name in ("x", "y"):
        points = frame[name].values
        half = (points[-1] - points[0]) / (len(points) - 1) / 2
        ends += [float(points[0] - half), float(points[-1] + half)]
    left, right, bottom, top = ends
    return left, right, bottom, top
