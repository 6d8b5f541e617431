"""Ito calculus in symbols: a process is declared once, and gives its calculus, its laws and its simulator."""

from sympy import symbols

from sojourn.calculus.noises import brownian, poisson
from sojourn.calculus.process import ItoProcess

__all__ = ["ItoProcess", "brownian", "poisson", "symbols"]
