"""Steering robots in blood by one magnetic field for all: what coils can make, what is seen, who decides.

optimise(coil.fit(robots, interval="20 ms"), Route(flow, target=4), coil, interval="20 ms", intervals=60).schedule

`sojourn.control.environment.SteeringEnv` is the same as a game of Gymnasium.
"""

from sojourn.control.coil import Coil
from sojourn.control.localisation import Localisation
from sojourn.control.objective import peak_bytes, soft_share
from sojourn.control.optimise import Optimised, optimise
from sojourn.control.route import Gate, Route
from sojourn.control.schedule import Guided, Schedule
from sojourn.control.steered import Controller, Sideways, Steered

__all__ = [
    "Coil",
    "Controller",
    "Gate",
    "Guided",
    "Localisation",
    "Optimised",
    "Route",
    "Schedule",
    "Sideways",
    "Steered",
    "optimise",
    "peak_bytes",
    "soft_share",
]
