"""SWC: trees of samples, "number type x y z radius parent" a line; the parent of a root is -1.

Source: Cannon et al., J. Neurosci. Methods 84 (1998), 49; INCF's SWC specification.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.vessels.parts import Boundaries, Found, as_path, build, cone, numbers, read_lines, whole
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.units import si


def read_swc(
    path: str | Path, *, boundaries: Boundaries = None, unit: str = "um", pieces: str = "refuse"
) -> VesselNetwork:
    """Each sample is a node, in the order of the file, and each but a root a vessel from its parent.

    A vessel is as wide as the cylinder with the resistance of the cone between the two radii,
    D^4 = 3 d_1^3 d_2^3 / (d_1^2 + d_1 d_2 + d_2^2). Its kind is "type 3", its name "sample 17", by the file's numbers.

    Args:
        path: the file.
        boundaries: a list of `Boundary`, or a function of an end's number and place (x, y, z) in metres that returns
            one; the format has none.
        unit: of places and radii; "um" as the format says.
        pieces: what to do with a network in several pieces: "refuse" it, or keep the "largest", of the most vessels.

    Raises:
        InputError: a line that is no sample (the message names it), a number that is taken, a parent that is missing, a
            radius that is not above zero, or no network of vessels.
    """
    path = as_path(path, to="read")
    name, scale = path.name, si(f"1 {unit}", "m", name="unit")
    samples: dict[int, int] = {}
    kinds, places, radii, parents, lines = [], [], [], [], []
    for line, text in read_lines(path):
        if text.lstrip().startswith("#"):
            continue
        where = f"{name}, line {line}: "
        fields = text.split()
        if len(fields) < 7:
            raise InputError(f"{where}{len(fields)} fields; a sample is number, type, x, y, z, radius and parent")
        sample = whole(fields[0], where)
        *place, radius = numbers(fields[2:6], where)
        if sample in samples:
            raise InputError(f"{where}sample {sample} was already given; number each once")
        if radius <= 0:
            raise InputError(f"{where}sample {sample} has radius={radius:g}, which is not above zero")
        samples[sample] = len(places)
        kinds.append(f"type {whole(fields[1], where)}")
        places.append(place)
        radii.append(radius)
        parents.append(whole(fields[6], where))
        lines.append(line)
    for line, parent in zip(lines, parents, strict=True):
        if parent >= 0 and parent not in samples:
            raise InputError(f"{name}, line {line}: no sample is numbered {parent}, its parent; a root has -1")
    joined = np.array([i for i, parent in enumerate(parents) if parent >= 0], dtype=np.int64)
    if not len(joined):
        raise InputError(f"{name} has {len(places)} samples and no vessel; a vessel joins a sample to its parent")
    vessels = np.stack([[samples[parents[i]] for i in joined], joined], 1)
    ends = 2 * scale * np.array(radii)[vessels]
    numbered = list(samples)
    found = Found(
        scale * np.array(places),
        vessels,
        cone(ends[:, 0], ends[:, 1]),
        kinds=[kinds[i] for i in joined],
        names=[f"sample {numbered[i]}" for i in joined],
    )
    return build(name, found, boundaries, pieces)
