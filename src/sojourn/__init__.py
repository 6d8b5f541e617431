"""Sojourn: a workbench for dynamics. Everything is a Markov process, and one driver runs them all.

The public surface is this module; names are imported when first used, so that `import sojourn` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Noise": "sojourn.noise",
    "Process": "sojourn.process",
    "Field": "sojourn.process",
    "State": "sojourn.process",
    "simulate": "sojourn.driver",
    "Trajectory": "sojourn.trajectory",
    "Life": "sojourn.processes.life.life",
    "Generations": "sojourn.processes.life.generations",
    "GrayScott": "sojourn.processes.gray_scott.gray_scott",
    "Rule": "sojourn.processes.life.rule",
    "bounds": "sojourn.bounds",
    "certify": "sojourn.learning.certify",
    "energy_spectrum": "sojourn.measures",
    "expectation": "sojourn.multilevel",
    "ItoProcess": "sojourn.calculus",
    "SDE": "sojourn.processes.ito.functions",
    "fit_sde": "sojourn.learning.sde.fit",
    "learn_sde": "sojourn.learning.sde.learn",
    "vrmse": "sojourn.measures",
    "formats": "sojourn.formats",
    "identify_rule": "sojourn.learning.identify",
    "recover_gray_scott": "sojourn.learning.recover.gray_scott",
    "InputError": "sojourn.errors",
}

__all__ = [
    "SDE",
    "Field",
    "Generations",
    "GrayScott",
    "InputError",
    "ItoProcess",
    "Life",
    "Noise",
    "Process",
    "Rule",
    "State",
    "Trajectory",
    "bounds",
    "certify",
    "energy_spectrum",
    "expectation",
    "fit_sde",
    "formats",
    "identify_rule",
    "learn_sde",
    "recover_gray_scott",
    "simulate",
    "vrmse",
]

if TYPE_CHECKING:
    from sojourn import bounds, formats
    from sojourn.calculus import ItoProcess
    from sojourn.driver import simulate
    from sojourn.errors import InputError
    from sojourn.learning.certify import certify
    from sojourn.learning.identify import identify_rule
    from sojourn.learning.recover.gray_scott import recover_gray_scott
    from sojourn.learning.sde.fit import fit_sde
    from sojourn.learning.sde.learn import learn_sde
    from sojourn.measures import energy_spectrum, vrmse
    from sojourn.multilevel import expectation
    from sojourn.noise import Noise
    from sojourn.process import Field, Process, State
    from sojourn.processes.gray_scott.gray_scott import GrayScott
    from sojourn.processes.ito.functions import SDE
    from sojourn.processes.life.generations import Generations
    from sojourn.processes.life.life import Life
    from sojourn.processes.life.rule import Rule
    from sojourn.trajectory import Trajectory


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sojourn' has no attribute {name!r}")
    home = import_module(_HOME[name])
    return home if _HOME[name] == f"sojourn.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return __all__
