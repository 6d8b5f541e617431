"""Blood and networks beside what is known of them, for `sojourn run blood-validation`; nothing here is random.

Laws of viscosity and of phase separation are read back from the pressures and hematocrits of networks that were solved.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from scipy.integrate import quad

from sojourn.experiments.blood_validation_table import Row, plain, sure
from sojourn.processes.blood import rheology
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.profiles import Casson, Womersley

LAWS = {
    "pries_in_vitro_1992": "in vitro 1992",
    "pries_in_vivo_1994": "in vivo 1994",
    "pries_in_vivo_2005": "in vivo 2005",
}
VISCOSITIES = {
    "pries_in_vitro_1992": (2.3066, 1.3284, 2.4426),
    "pries_in_vivo_1994": (17.696, 5.8724, 2.5315),
    "pries_in_vivo_2005": (6.8197, 7.3198, 2.7223),
}
"""Over the plasma's at H = 0.45 and 4, 10 and 100 um, five digits of the formulas in the law's docstring."""

FAHRAEUS = (0.91351, 0.72964, 0.87860)
"""H_t / H_d of 1992 at the same places."""

DIAMETERS = (4, 10, 100)  # um
SEPARATION = {0.2: 0.095361, 0.5: 0.5, 0.05: 0.0}
"""Share of the flow: share of the cells, from 10 um to 8 and 8 um at H = 0.45; up to X0 = 0.053 there are none."""

PULSES = {1: (0.98493, -10.65), 3: (0.52198, -64.29)}
"""Womersley number: amplitude on the axis over the quasi-steady one, and phase in degrees."""

_FIVE = 5e-5  # of a number's size: five digits, the last rounded
_CURVE = np.geomspace(3.5, 1000, 60)  # um, for the figure


def measure(vessels: int, seed: int) -> dict[str, Any]:
    """The rows, and curves for the figure; `vessels` is the size of the network that is solved."""
    conserved, network = _network(vessels, seed)
    rows = [*_viscosities(), *_separations(), *_profiles(), *_murray(), *conserved]
    curves = {
        "diameter": _CURVE.tolist(),
        **{law: [getattr(rheology, law)(1e-6 * d, 0.45) for d in _CURVE] for law in LAWS},
        "fahraeus": [rheology.fahraeus_1992(1e-6 * d, 0.45) for d in _CURVE],
        "flow_share": (shares := np.linspace(0, 1, 101).tolist()),
        "cell_share": [rheology.cell_share(x, rheology.separation_2005(10e-6, 8e-6, 8e-6, 0.45)) for x in shares],
        "solved": [(x, _cells(x)) for x in np.linspace(0.04, 0.96, 12).tolist()],
    }
    return {"rows": plain(rows), "curves": curves, "network": network}


def _viscosities() -> list[Row]:
    rows = []
    for law, values in VISCOSITIES.items():
        for diameter, exact in zip(DIAMETERS, values, strict=True):
            tube = VesselNetwork.tube(1e-6 * diameter, "1 mm", inlet_velocity="1 mm/s", hematocrit=0.45)
            flow = tube.solve(viscosity=law)
            fall = float(flow.pressure[0] - flow.pressure[1])
            found = fall * math.pi * (1e-6 * diameter) ** 4 / (128 * float(flow.flow[0]) * 1e-3)
            what = f"relative viscosity, {LAWS[law]}, {diameter} um"
            rows.append(sure(what, exact, found / rheology.PLASMA_VISCOSITY, _FIVE, "pressure fall of a solved tube"))
    for diameter, exact in zip(DIAMETERS, FAHRAEUS, strict=True):
        found = rheology.fahraeus_1992(1e-6 * diameter, 0.45)
        rows.append(sure(f"Fahraeus' H_t / H_d, 1992, {diameter} um", exact, found, _FIVE, "formula"))
    return rows


def _separations() -> list[Row]:
    return [
        sure(f"share of the cells for {share:g} of the flow", exact, _cells(share), _FIVE, "solved bifurcation")
        for share, exact in SEPARATION.items()
    ]


def _cells(share: float) -> float:
    """The share of the red cells in the daughter that gets this share of the flow, of a network that is solved."""
    inflow = 1e-13
    nodes = 1e-4 * np.array([[-1.0, 0, 0], [0, 0, 0], [1, 1, 0], [1, -1, 0]])
    ends = (Boundary(0, flow=inflow, hematocrit=0.45), Boundary(2, flow=-share * inflow), Boundary(3, pressure=0.0))
    network = VesselNetwork(nodes, np.array([[0, 1], [1, 2], [1, 3]]), np.array([10e-6, 8e-6, 8e-6]), boundaries=ends)
    flow = network.solve(viscosity="pries_in_vivo_2005")
    cells = flow.flow * flow.hematocrit
    return float(cells[1] / cells[0])


def _profiles() -> list[Row]:
    rows = []
    for number, (exact, phase) in PULSES.items():
        vessel = Womersley("1 mm", "1 Pa/m", number**2 / (2 * math.pi), "1e-6 Pa s", "1 kg/m^3")
        closed = complex(vessel.amplitude(0.0)) / vessel.quasi_steady_peak
        found = _pulse(number)
        rows += [
            sure(f"pulse on the axis, Wo = {number}, amplitude", exact, abs(found), _FIVE, "Galerkin"),
            sure(
                f"pulse on the axis, Wo = {number}, phase, degrees", phase, np.angle(found, deg=True), 5e-4, "Galerkin"
            ),
            sure(f"Bessel's form of it over Galerkin's, Wo = {number}", 1.0, abs(closed / found), 1e-9, "Galerkin"),
        ]
    casson = Casson("1 mm", "100 Pa/m", "4 cP", "4 mPa")

    # By parts, the mean of u is that of r^2 g(r) / R^2 with the shear rate g, here from the law of stress itself.
    def weighted(r: float) -> float:
        return (r / 1e-3) ** 2 * (math.sqrt(100 * r / 2) - math.sqrt(4e-3)) ** 2 / 4e-3

    found = quad(weighted, casson.plug_radius, 1e-3, epsabs=0, epsrel=1e-12)[0]
    rows.append(sure("Casson's mean velocity, mm/s", 1e3 * casson.mean_velocity, 1e3 * found, 1e-9, "quadrature"))
    exact = 1e3 * (0.00345 + (0.056 - 0.00345) * 2 ** ((0.3568 - 1) / 2))
    found = 1e3 * rheology.carreau_viscosity(1 / 3.313)
    rows.append(sure("Carreau's viscosity at 1/lambda, mPa s", exact, found, 1e-12, "formula"))
    return rows


def _pulse(number: float) -> complex:
    """u(0) over K R^2 / 4 mu of i Wo^2 u = 4 + 4 (s u')', u(1) = 0, s = (r/R)^2, in 40 polynomials."""
    from numpy.polynomial import legendre

    points, weights = legendre.leggauss(50)
    s, w = (points + 1) / 2, weights / 2
    values = legendre.legvander(points, 39)
    slopes = np.stack([2 * legendre.legval(points, legendre.legder(row)) for row in np.eye(40)], -1)
    basis, rising = (1 - s)[:, None] * values, (1 - s)[:, None] * slopes - values
    matrix = 1j * number**2 * basis.T @ (w[:, None] * basis) + 4 * rising.T @ ((w * s)[:, None] * rising)
    at_axis = legendre.legvander(np.array([-1.0]), 39)[0]
    return complex(at_axis @ np.linalg.solve(matrix, 4 * basis.T @ w))


def _murray() -> list[Row]:
    tree = VesselNetwork.murray_tree(7, "200 um", asymmetry=0.7)
    cubes = tree.diameter.numpy() ** 3
    ends = tree.vessels.numpy()
    arriving, leaving = np.zeros(len(tree.nodes)), np.zeros(len(tree.nodes))
    np.add.at(leaving, ends[:, 0], cubes)
    np.add.at(arriving, ends[:, 1], cubes)
    inside = (arriving > 0) & (leaving > 0)
    worst = np.abs(leaving[inside] / arriving[inside] - 1).max()
    rows = [sure("Murray: largest |sum of r_i^3 / r_0^3 - 1|", 0.0, worst, 1e-12, "255 vessels")]
    flow = VesselNetwork.murray_tree(7, "200 um").solve(viscosity="1.2 cP")
    stress = flow.wall_shear_stress.numpy()
    rows.append(sure("Murray: spread of the wall's shear stress", 0.0, stress.max() / stress.min() - 1, 1e-9, "solved"))
    return rows


def _network(vessels: int, seed: int) -> tuple[list[Row], dict[str, Any]]:
    network = VesselNetwork.tumour_like(vessels, seed=seed)
    begun = time.perf_counter()
    flow = network.solve()
    seconds = time.perf_counter() - begun
    q, h, ends = flow.flow.numpy(), flow.hematocrit.numpy(), network.vessels.numpy()
    inside = network.degree.numpy() > 1
    words = f"{len(q):,} vessels, {network.loops:,} loops"
    rows = []
    for what, x in (("blood", q), ("red cells", q * h)):
        lost = np.zeros(len(network.nodes))
        np.add.at(lost, ends[:, 0], -x)
        np.add.at(lost, ends[:, 1], x)
        worst = np.abs(lost[inside]).max() / np.abs(x).max()
        rows.append(sure(f"{what} lost at a node, over the largest flow", 0.0, worst, 1e-10, words))
    a, b = flow.pressure.numpy()[ends].T
    d, length, mu = network.diameter.numpy(), network.length.numpy(), flow.viscosity.numpy()
    poiseuille = math.pi * d**4 * (a - b) / (128 * mu * length)
    rows.append(
        sure(
            "Poiseuille in each vessel, over the largest flow",
            0.0,
            np.abs(poiseuille - q).max() / np.abs(q).max(),
            1e-10,
            words,
        )
    )
    law = rheology.PLASMA_VISCOSITY * np.array([rheology.pries_in_vivo_1994(x, y) for x, y in zip(d, h, strict=True)])
    rows.append(sure("viscosity by its hematocrit, relative", 0.0, np.abs(mu / law - 1).max(), 1e-10, words))
    return rows, {"vessels": len(q), "loops": network.loops, "seconds": round(seconds, 2)}
