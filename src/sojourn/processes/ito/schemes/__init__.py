"""Schemes for Ito SDEs, one a file: each is arithmetic on coefficients and increments, with its orders and needs."""

from __future__ import annotations

from sojourn.errors import InputError
from sojourn.processes.ito.schemes.euler import EULER
from sojourn.processes.ito.schemes.exact import EXACT
from sojourn.processes.ito.schemes.heun import HEUN
from sojourn.processes.ito.schemes.implicit import IMPLICIT
from sojourn.processes.ito.schemes.milstein import MILSTEIN
from sojourn.processes.ito.schemes.milstein_levy import MILSTEIN_LEVY
from sojourn.processes.ito.schemes.milstein_truncated import MILSTEIN_TRUNCATED
from sojourn.processes.ito.schemes.scheme import Scheme
from sojourn.processes.ito.schemes.square_root import SQUARE_ROOT
from sojourn.processes.ito.schemes.sra1 import SRA1
from sojourn.processes.ito.schemes.sri import SRI
from sojourn.processes.ito.schemes.tamed import TAMED
from sojourn.processes.ito.schemes.weak2 import WEAK2

SCHEMES = {
    scheme.name: scheme
    for scheme in (
        EULER,
        MILSTEIN,
        MILSTEIN_LEVY,
        MILSTEIN_TRUNCATED,
        SRA1,
        SRI,
        WEAK2,
        HEUN,
        IMPLICIT,
        TAMED,
        EXACT,
        SQUARE_ROOT,
    )
}


def find(name: str) -> Scheme:
    """The scheme of that name; InputError with the known names if there is none."""
    if name not in SCHEMES:
        raise InputError(f"scheme={name!r} is not known; there are: {', '.join(SCHEMES)}")
    return SCHEMES[name]
