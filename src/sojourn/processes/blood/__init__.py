"""Robots in blood: networks of vessels, how blood flows in them, and robots that it carries.

flow = VesselNetwork.honeycomb().solve()                       # pressures, flows, hematocrits
simulate(BloodRobots(flow, Robot(radius="0.5 um")), steps=1000, ensemble=10_000)
"""

from sojourn.processes.blood.adhesion import Adhesion
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.dispersion import Margination
from sojourn.processes.blood.helix import Helix
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.network import Boundary, VesselNetwork
from sojourn.processes.blood.profiles import Blunted, Casson, Poiseuille, Womersley
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.solver import Flow, solve

__all__ = [
    "Adhesion",
    "BloodRobots",
    "Blunted",
    "Boundary",
    "Casson",
    "Contact",
    "Flow",
    "Helix",
    "MagneticField",
    "Margination",
    "Poiseuille",
    "Robot",
    "VesselNetwork",
    "Womersley",
    "solve",
]
