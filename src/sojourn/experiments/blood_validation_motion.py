"""How a robot moves where nothing is random, for `sojourn run blood-validation`: `BloodRobots` at 1e-20 K in one tube.

Orbits of Jeffery, Zoettl and Stark, a field that turns, and formulas that are integrated by other ways.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad, solve_ivp
from scipy.interpolate import CubicSpline

from sojourn.driver import simulate
from sojourn.experiments.blood_validation_table import Row, plain, sure
from sojourn.noise import Noise
from sojourn.processes.blood.adhesion import adhesion_strength, bell_rate
from sojourn.processes.blood.closed_forms import surviving_flux, swimmer_constant
from sojourn.processes.blood.dispersion import taylor_aris_diffusivity
from sojourn.processes.blood.jeffery import period
from sojourn.processes.blood.magnetic import MagneticField, mean_rotation, step_out_rate
from sojourn.processes.blood.mobility import BODY_TEMPERATURE
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.release import first_order_release, higuchi_release
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

COLD = 1e-20  # K
RADIUS = 0.5e-6  # m, of most robots here
_SMOOTH = 20_000  # steps to a period


def in_tube(
    radius: float, mean_velocity: float, robot: Robot, *, length: float = 1.0, hematocrit: float = 0.0, **given: Any
) -> BloodRobots:
    """Robots in one tube along x of plasma; lengths in m."""
    network = VesselNetwork.tube(2 * radius, length, inlet_velocity=mean_velocity, hematocrit=hematocrit)
    return BloodRobots(network.solve(viscosity="1.2 cP"), robot, **given)


def placed(process: BloodRobots, across: np.ndarray, axis: np.ndarray, along: float = 0.5) -> dict[str, torch.Tensor]:
    """A state of robots at `across`, (n, 2), m, with unit vectors `axis`, (n, 3), at `along`, m."""
    state = process.initial(len(across), Noise(0))
    state["along"] = torch.full((len(across),), along, dtype=torch.float64)
    state["across"], state["axis"] = torch.from_numpy(across.copy()), torch.from_numpy(axis.copy())
    return state


def all_at(r: float, robots: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and axes of so many robots: at r in the direction of n1, pointing along x."""
    return np.tile([r, 0.0], (robots, 1)), np.tile([1.0, 0.0, 0.0], (robots, 1))


def seed_of(seed: int, what: str, dt: float) -> int:
    """A seed for each simulation, so that no two share draws."""
    return int(Noise(seed).split(f"{what} {dt!r}").stream)


def measure() -> dict[str, Any]:
    """The rows, and curves for the figure."""
    tumbling, turns = _jeffery()
    swimming, orbits = _swimmers()
    slipping, rates = _step_out()
    rows = [*tumbling, *swimming, *slipping, *_magnets(), *_formulas()]
    return {"rows": plain(rows), "curves": {"turns": turns, "orbits": orbits, "rates": rates}}


def _jeffery() -> tuple[list[Row], dict[str, Any]]:
    rows, curves = [], {}
    for ratio in (0.5, 1.0, 2.0, 10.0):
        exact = 2 * math.pi * (ratio + 1 / ratio)
        found, angles = _tumbling(ratio, exact, _SMOOTH)
        half, _ = _tumbling(ratio, exact, 2 * _SMOOTH)
        curves[f"{ratio:g}"] = angles
        what = f"Jeffery's period times the shear rate, r = {ratio:g}"
        rows.append(sure(what, exact, found, 1e-5, "crossing of 360 degrees", halved=half))
    return rows, curves


def _tumbling(ratio: float, guess: float, steps: int) -> tuple[float, list[list[float]]]:
    """The time for 360 degrees times the shear rate, and a few angles against that time."""
    radius, velocity = 20e-6, 1e-4
    shear = 4 * velocity * 0.5 / radius  # at half the radius
    robot = Robot(0.1e-6, aspect_ratio=ratio)
    process = in_tube(radius, velocity, robot, temperature=COLD, shear_strength=0.0, dt=guess / shear / steps)
    start = placed(process, np.array([[radius / 2, 0.0]]), np.array([[0.0, 1.0, 0.0]]))
    nearly, few = steps - steps // 100, steps // 2000
    first = simulate(process, start, steps=nearly, save_every=nearly // 60, progress=False)
    rest = simulate(
        process, first.state(), steps=40 * few, save_every=few, progress=False
    )  # the axis is about to be back
    e = np.concatenate([path.dataset["axis"].values[0] for path in (first, rest)])
    time = np.concatenate([first.dataset["time"].values, rest.dataset["time"].values + nearly * process.dt]) * shear
    angle = np.abs(np.unwrap(np.arctan2(e[:, 0], e[:, 1])))
    return _reached(time[-41:], angle[-41:]), np.stack([time, angle])[:, :61].tolist()


def _reached(time: np.ndarray, angle: np.ndarray) -> float:
    """When the angle is 360 degrees, by a cubic spline."""
    return float(CubicSpline(time, angle - 2 * math.pi).roots(extrapolate=False)[0])


def _swimmers() -> tuple[list[Row], list[list[list[float]]]]:
    """H of Zoettl and Stark along orbits that swing and tumble; what Euler's steps add is taken off by halving."""
    radius, peak, speed = 40e-6, 200e-6, 20e-6
    starts, angles = np.array([0.2, 0.4, 0.6, 0.25]), np.array([0.0, 0.0, 0.0, math.pi])
    once = 2 * math.pi * radius / math.sqrt(peak * speed)

    def orbit(steps: int) -> np.ndarray:
        """x over R, and the angle, (4, 2, frames), for three times the period of the smallest orbit."""
        robot = Robot(0.5e-6, swim_speed=speed)
        process = in_tube(radius, peak / 2, robot, temperature=COLD, shear_strength=0.0, dt=once / steps)
        across = np.stack([radius * starts, np.zeros(4)], 1)
        axis = np.stack([-np.cos(angles), -np.sin(angles), np.zeros(4)], 1)
        path = simulate(process, placed(process, across, axis), steps=3 * steps, save_every=steps // 40, progress=False)
        e = path.dataset["axis"].values
        return np.stack([path.dataset["across"].values[:, :, 0] / radius, np.arctan2(-e[..., 1], -e[..., 0])], 1)

    def constant(x: np.ndarray) -> np.ndarray:
        place, angle = (torch.from_numpy(x[:, k].copy()) for k in (0, 1))
        return swimmer_constant(place, angle, half_width=1.0, peak_velocity=peak, swim_speed=speed).numpy()

    path = orbit(_SMOOTH)
    coarse, fine = constant(path), constant(orbit(2 * _SMOOTH))
    rows = []
    for k, kind in enumerate(("swings", "swings", "swings", "tumbles")):
        drift = (2 * fine[k] - coarse[k]) / coarse[k, 0] - 1
        what = f"Zoettl and Stark's H = {coarse[k, 0]:.2f}, {kind}: largest change, relative"
        rows.append(sure(what, 0.0, np.abs(drift).max(), 1e-4, "dt and dt/2, extrapolated"))
    return rows, path.tolist()


def _step_out() -> tuple[list[Row], dict[str, list[float]]]:
    """The mean rate at which a moment follows a field that turns, over w_c."""
    robot = Robot(0.5e-6, magnetic_moment=1e-15)
    limit = step_out_rate(1e-15, 3e-3, robot.mobility(1.2e-3).tumble)
    rates = [0.3, 0.6, 0.9, 1.02, 1.1, 1.25, 1.5, 2.0, 3.0]
    found = [_following(robot, x, limit, _SMOOTH) for x in rates]
    rows = []
    for x in (0.6, 1.1, 2.0):
        what = f"mean rate over the step-out rate, field at {x:g} of it"
        half = _following(robot, x, limit, 2 * _SMOOTH)
        rows.append(sure(what, mean_rotation(x, 1.0), found[rates.index(x)], 1e-5, "whole slips", halved=half))
    return rows, {"rates": rates, "found": found}


def _following(robot: Robot, x: float, limit: float, steps: int) -> float:
    """The mean rate over the step-out rate: below it once the lag is steady, above it over one slip by 360 degrees."""
    once = 2 * math.pi / math.sqrt(x**2 - 1) if x > 1 else 40 / math.sqrt(1 - x**2)
    field = MagneticField.rotating(3e-3, x * limit / (2 * math.pi), (0, 0, 1))
    process = in_tube(1e-3, 0.0, robot, field=field, temperature=COLD, dt=once / limit / steps)
    start = placed(process, np.zeros((1, 2)), np.array([[1.0, 0, 0]]))
    path = simulate(process, start, steps=steps + steps // 50, save_every=steps // 100, progress=False).dataset
    e, time = path["axis"].values[0], path["time"].values * limit
    # The field turns by up to 1.9 rad between frames, so that the lag is unwrapped and not the angle.
    lag = np.unwrap(x * time - np.arctan2(e[:, 1], e[:, 0]))
    if x < 1:
        return x - float((lag[-1] - lag[50]) / (time[-1] - time[50]))
    return x - 2 * math.pi / _reached(time, lag)


def _magnets() -> list[Row]:
    robot = Robot(0.5e-6, magnetic_moment=1e-15)
    limit = step_out_rate(1e-15, 3e-3, robot.mobility(1.2e-3).tumble)

    def turned(steps: int) -> float:
        process = in_tube(
            1e-3, 0.0, robot, field=MagneticField.uniform((3e-3, 0, 0)), temperature=COLD, dt=1 / limit / steps
        )
        start = placed(process, np.zeros((1, 2)), np.array([[0.0, 1, 0]]))
        e = simulate(process, start, steps=steps, progress=False).state()["axis"][0]
        return math.degrees(math.atan2(float(e[1]), float(e[0])))

    pull = MagneticField.gradient((3e-3, 0, 0), torch.diag(torch.tensor([0.4, -0.2, -0.2], dtype=torch.float64)))
    process = in_tube(1e-3, 0.0, robot, length=1e-2, field=pull, temperature=COLD, dt=5e-4)
    start = placed(process, np.zeros((1, 2)), np.array([[1.0, 0, 0]]), 5e-3)
    moved = simulate(process, start, steps=2000, progress=False).state()["along"]
    exact = math.degrees(2 * math.atan(math.exp(-1)))
    what = "moment at 90 degrees to a field, after 1 / m B C, degrees"
    # Faxen's wall at a distance of 1 mm.
    speed = 1e-15 * 0.4 / (6 * math.pi * 1.2e-3 * 0.5e-6) * (1 - 9 / 16 * 5e-4)
    return [
        sure(what, exact, turned(_SMOOTH), 1e-4, "integrated", halved=turned(2 * _SMOOTH)),
        sure("pulled by 0.4 T/m, nm/s", 1e9 * speed, 1e9 * (float(moved[0]) - 5e-3), 1e-6, "2000 steps"),
    ]


def _formulas() -> list[Row]:
    """Formulas that no simulation here uses, each beside an integral or an equation of which it is the solution."""
    d, u, radius = 2e-12, 4e-6, 10e-6
    # D <|grad b|^2> with D (r b')' / r = u - U, the velocity less its mean.
    spread = quad(lambda r: (u * (r / 2 - r**3 / (2 * radius**2)) / d) ** 2 * 2 * r / radius**2, 0, radius, epsabs=0)[0]
    rows = [
        sure(
            "Taylor and Aris, um^2/s",
            1e12 * taylor_aris_diffusivity(d, u, radius),
            1e12 * d * (1 + spread),
            1e-9,
            "cell problem",
        )
    ]
    rows.append(sure("Graetz: share that survives at m = 0.1", 0.5788, surviving_flux(0.1), _FOUR, "published terms"))
    rows.append(sure("Graetz: the same, formula", surviving_flux(0.1), _graetz(0.1), 1e-4, "finite volumes"))
    for ratio, exact in ((2.0, 15.708), (10.0, 63.460)):
        rows.append(sure(f"Jeffery's period, formula, r = {ratio:g}", exact, period(ratio, 1.0), 1e-5, "published"))
    kT = 1.380649e-23 * BODY_TEMPERATURE
    force, k0, receptors, affinity, contact = 2e-11, 0.3, 1e14, 1e-14, 1e-7
    area = math.pi * contact**2
    bonds = receptors * area * 1e14 * affinity
    given = {"receptors": receptors, "ligands": 1e14, "affinity": affinity}
    # Bonds form at k0 K m_r m_l A and break by Bell's rate, each with its share F / (m_r A) of the force.
    broken = bell_rate(k0, force / (receptors * area))
    end = solve_ivp(lambda t, n: k0 * bonds - broken * n, (0, 100 / k0), [0.0], rtol=1e-10, atol=1e-12).y[0, -1]
    rows.append(
        sure(
            "Decuzzi and Ferrari's strength of adhesion",
            adhesion_strength(force, contact, **given),
            end,
            1e-7,
            "kinetics of bonds, by Bell's rate",
        )
    )
    rows.append(
        sure("Bell's rate over k0 at 40 pN", math.exp(4e-11 * 1e-10 / kT), bell_rate(1.0, 4e-11), 1e-12, "formula")
    )
    # A line from 0 to C_s over the emptied layer of Q / (A - C_s / 2): dQ/dt = D C_s / layer.
    D, A, C = 1e-13, 10.0, 2.0
    grown = solve_ivp(
        lambda t, q: D * C * (A - C / 2) / q, (1.0, 3600.0), [higuchi_release(1.0, D, A, C)], rtol=1e-10, atol=1e-16
    )
    rows.append(
        sure(
            "Higuchi's release in an hour, mg/m^2",
            1e6 * higuchi_release(3600.0, D, A, C),
            1e6 * grown.y[0, -1],
            1e-7,
            "integrated",
        )
    )
    left = solve_ivp(lambda t, m: -0.7 * m, (0, 2), [1.0], rtol=1e-10, atol=1e-12).y[0, -1]
    rows.append(sure("first-order release, k t = 1.4", first_order_release(2.0, 0.7), 1 - left, 1e-8, "integrated"))
    return rows


_FOUR = 1e-4  # of a number's size


def _graetz(m: float, rings: int = 400, steps: int = 400) -> float:
    """(1 - s) dc/dm = 4 (s c')' / 2 with c = 0 at s = (r/R)^2 = 1, by rings of equal area; the flux left at m."""
    from scipy.linalg import expm

    edge = np.linspace(0, 1, rings + 1)
    s = (edge[1:] + edge[:-1]) / 2
    width = 1 / rings
    rate = np.zeros((rings, rings))
    for i in range(rings - 1):
        flux = 2 * edge[i + 1] / width**2
        rate[i, i] -= flux
        rate[i, i + 1] += flux
        rate[i + 1, i + 1] -= flux
        rate[i + 1, i] += flux
    rate[-1, -1] -= 2 * 1.0 / (width * width / 2)
    left = expm(m * rate / (1 - s)[:, None]) @ np.ones(rings)
    return float(((1 - s) * left).sum() / (1 - s).sum())
