"""Schemes for Ito SDEs, one a file: each is arithmetic on coefficients and increments, with its orders and needs."""

from __future__ import annotations

from sojourn.errors import InputError
from sojourn.processes.ito.schemes.euler import EULER
from sojourn.processes.ito.schemes.milstein import MILSTEIN
from sojourn.processes.ito.schemes.scheme import Scheme

SCHEMES = {scheme.name: scheme for scheme in (EULER, MILSTEIN)}


def find(name: str) -> Scheme:
    """The scheme of that name; InputError with the known names if there is none."""
    if name not in SCHEMES:
        raise InputError(f"scheme={name!r} is not known; there are: {', '.join(SCHEMES)}")
    return SCHEMES[name]
