"""What kind of pattern is this? Measures of a Gray-Scott simulation's last frames, and a class that follows from them.

A pattern is cut at the middle between its least and its largest v into a set of cells and its complement, both on the
torus. The *figure* is the phase with the thinner pieces, the *ground* the other. Classes follow from three questions:
does it change, which phase is the figure, and what topology have the figure's pieces?
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sojourn.measures import energy_spectrum
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.topology import pieces
from sojourn.trajectory import Trajectory

CLASSES = {
    "red": "uniform, v = 0: the catalyst died out",
    "blue": "uniform with v > 0",
    "spots": "islands of v that are round and stay",
    "worms": "islands of v that are long and stay: stripes with ends, which do not branch into loops",
    "labyrinth": "stripes in networks or closed bands, about as far apart as they are wide",
    "holes": "islands without v in a sea of it, round or long: negative spots and worms",
    "bubbles": "wide uniform regions, whose walls move slowly like those of soap bubbles",
    "chaotic spots": "round islands of v that move, divide and die: after 250 time units the picture is another",
    "waves": "travelling fronts, spirals and other turbulence: the picture is another too, and not of round islands",
}
"""Name -> definition; `classify` gives the numbers."""

LAG = 250
"""Time units between the frames that `classify` expects."""

_UNIFORM = 0.02  # largest less least v
_EXTINCT = 0.01  # mean v
_ANOTHER = 0.4  # change
_ROUND, _MOVING_ROUND = 0.5, 0.75  # roundness; spots that move are rounder than pieces of a wave
_WIDE = 13.0  # width of the ground


class Measures(NamedTuple):
    """Numbers read off late frames of v; shapes are those of the last."""

    mean: float  # of v
    contrast: float  # largest v less the least, in space and over the last three frames
    deviation: float  # root mean square of v less its mean, over the frames
    rate: float  # root mean square of v_t over the deviation, per unit time, over the frames
    change: float  # root mean square difference of frames one lag apart, over sqrt 2 deviation: 1 if they are unrelated
    share: float  # of the cells where v is above the middle
    pieces: int  # connected pieces of them
    gaps: int  # connected pieces of the others
    chi: int  # Euler characteristic of the cells above the middle
    width: float  # radius of the largest disc in a piece over sqrt(D_v/(F + k)), mean over the cells above the middle
    gap_width: float  # the same for the others
    islands: float  # share of the figure's cells that are in pieces which can be shrunk to a point
    roundness: float  # 4 pi area / perimeter^2 of those pieces, 0 for others: mean over the figure's cells
    wavelength: (
        float  # 2 pi over the mean wavenumber of the strongest shell of the spectrum and its neighbours, in cells
    )
    sharpness: float  # their share of the energy of all waves


def measure(process: GrayScott, late: Trajectory) -> Measures:
    """The measures of one member's frames, LAG time units apart, the last of which is the pattern."""
    v = late.dataset["v"].values[0].astype(np.float64)
    last, deviation = v[-1], float(np.sqrt(v.var(axis=(1, 2)).mean()))
    middle = (last.min() + last.max()) / 2
    above = last > middle
    set_, others = pieces(above), pieces(~above, closed=False)
    reach = np.sqrt(float(process.diffusivity_v) / (float(process.feed_rate) + float(process.kill_rate)))
    width, gap_width = (x.mean(x.radius) * min(process.spacing) / reach for x in (set_, others))
    figure = set_ if width <= gap_width else others
    wavelength, sharpness = dominant_wave(late)
    return Measures(
        mean=float(v.mean()),
        contrast=float(np.ptp(v[-3:])),
        deviation=deviation,
        rate=_rms([process.rate(late.state(k))["v"].numpy() for k in range(len(late))]) / max(deviation, 1e-12),
        change=_rms(np.diff(v, axis=0)) / max(np.sqrt(2) * deviation, 1e-12),
        share=float(above.mean()),
        pieces=len(set_.area),
        gaps=len(others.area),
        chi=int(set_.chi.sum()),
        width=width,
        gap_width=gap_width,
        islands=figure.mean(figure.chi == 1),
        roundness=figure.mean(np.minimum(figure.roundness, 1.0)),
        wavelength=wavelength / process.spacing[-1],
        sharpness=sharpness,
    )


def classify(m: Measures) -> str:
    """The class of a pattern with these measures.

    Uniform (contrast below 0.02): "red" if the mean of v is below 0.01, else "blue". Frames 250 time units apart are
    nearly unrelated (change above 0.4): "chaotic spots" if the figure is v and round (roundness above 0.75), else
    "waves". The figure consists mostly of islands: "holes" if the ground is v; else "spots" if they are round (above
    0.5), "worms" if not. Otherwise "bubbles" if the ground's width is above 13, and "labyrinth" if not. A width is the
    radius of the largest disc in a piece, in units of sqrt(D_v/(F + k)): how far v diffuses while it lives.
    """
    if m.contrast < _UNIFORM:
        return "red" if m.mean < _EXTINCT else "blue"
    positive = m.width <= m.gap_width
    if m.change > _ANOTHER:
        return "chaotic spots" if positive and m.roundness > _MOVING_ROUND else "waves"
    if m.islands > 0.5:
        return "holes" if not positive else "spots" if m.roundness > _ROUND else "worms"
    return "bubbles" if max(m.width, m.gap_width) > _WIDE else "labyrinth"


def dominant_wave(frames: Trajectory) -> tuple[float, float]:
    """Wavelength of the strongest shell of the last frame's v and its two neighbours, and their share of the energy."""
    spectrum = energy_spectrum(frames.dataset[["v"]].isel(time=[-1]))
    energy, wavenumber = spectrum["v"].values[0, 0, 1:], spectrum["wavenumber"].values[1:]
    strongest = int(energy.argmax())
    near = slice(max(strongest - 1, 0), strongest + 2)
    if not energy[near].sum() > 0:
        return float("inf"), 0.0
    mean = (wavenumber[near] * energy[near]).sum() / energy[near].sum()
    return float(2 * np.pi / mean), float(energy[near].sum() / energy.sum())


def _rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))
