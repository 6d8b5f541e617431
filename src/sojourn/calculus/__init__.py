"""Ito calculus in symbols: a process is declared once, and gives its calculus, its laws and its simulator."""

from sympy import symbols

from sojourn.calculus.differential import Differential, ito
from sojourn.calculus.isometry import isometry
from sojourn.calculus.noises import brownian, poisson
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.stratonovich import StratonovichProcess
from sojourn.calculus.table import table
from sojourn.calculus.text import parse_expression, parse_process

__all__ = [
    "Differential",
    "ItoProcess",
    "StratonovichProcess",
    "brownian",
    "isometry",
    "ito",
    "parse_expression",
    "parse_process",
    "poisson",
    "symbols",
    "table",
]
