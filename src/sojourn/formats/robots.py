"""Robots over time for ParaView: a VTP file of points for each frame, and a PVD that says when each was."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.vessels.parts import as_path
from sojourn.formats.vessels.vtk_xml import xml
from sojourn.process import State
from sojourn.processes.blood.motion import flow
from sojourn.processes.blood.robots import BloodRobots
from sojourn.trajectory import Trajectory

_HEAD = '<?xml version="1.0"?>\n<VTKFile type="{}" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n'


def write_robots(folder: str | Path, run: Trajectory, robots: BloodRobots, *, stride: int = 1) -> None:
    """Writes folder/robots.pvd, which ParaView opens, and folder/robots_000000.vtp and so on, one frame after another.

    Points are in micrometres, as in `write_vtp`; each is a vertex, in the order of the ensemble in every frame. They
    have vessel and status; axis, a unit vector; flow_speed_um/s, at which the flow would carry a free robot there; and
    shear_exposure. Times are in seconds. Numbers that are not whole are written in single precision.

    Args:
        folder: a new one; it appears when it is whole. Memory holds one frame at a time.
        run: of `simulate(robots, ...)`.
        robots: the process that was simulated.
        stride: frames 0, stride, 2 stride, ... are written.

    Raises:
        InputError: the folder is there already, a stride below 1, or a run of another process.
    """
    folder = as_path(folder, to="write")
    if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
        raise InputError(f"stride={stride!r} is not a whole number from 1; 1 writes every frame")
    if folder.exists():
        raise InputError(f"{str(folder)!r} exists already; choose another place")
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        times, frames = run.dataset["time"].values, range(0, len(run), stride)
        entries = []
        for index in frames:
            name = f"robots_{index:06d}.vtp"
            with (beside / name).open("w", encoding="utf-8") as file:
                file.writelines(_frame(run.state(index), robots))
            entries.append(f'<DataSet timestep="{float(times[index])!r}" group="" part="0" file="{name}"/>\n')
        text = [_HEAD.format("Collection"), "<Collection>\n", *entries, "</Collection>\n</VTKFile>\n"]
        (beside / "robots.pvd").write_text("".join(text), encoding="utf-8")
        os.rename(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _frame(state: State, robots: BloodRobots) -> list[str]:
    """The text of a VTP file."""
    robots.check(state)
    here = robots.vessels.of(state["vessel"].long())
    speed = flow(here, robots.body, state["across"].norm(dim=1)).abs()
    data = {
        "vessel": state["vessel"].numpy(),
        "status": state["status"].numpy(),
        "axis": _single(state["axis"].numpy()),
        "flow_speed_um/s": _single(1e6 * speed.detach().numpy()),
        "shear_exposure": _single(state["shear_exposure"].numpy()),
    }
    points = _single(1e6 * robots.places(state).detach().numpy())
    count = len(points)
    vertices = {"connectivity": np.arange(count), "offsets": np.arange(1, count + 1)}
    return [
        _HEAD.format("PolyData"),
        f'<PolyData>\n<Piece NumberOfPoints="{count}" NumberOfVerts="{count}" NumberOfLines="0" ',
        'NumberOfStrips="0" NumberOfPolys="0">\n',
        f"<PointData>\n{xml(data)}</PointData>\n<Points>\n{xml({'Points': points})}</Points>\n",
        f"<Verts>\n{xml(vertices)}</Verts>\n</Piece>\n</PolyData>\n</VTKFile>\n",
    ]


def _single(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)
