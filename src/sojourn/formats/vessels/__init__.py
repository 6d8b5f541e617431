"""Networks of vessels on disk: SWC, VTP, CSV and the `network.dat` of Secomb's programs.

Files seldom say what drives the blood. Readers therefore take `boundaries`: a list of `Boundary`, or a function that is
given the number of an end and its place (x, y, z) in metres and returns its `Boundary`, in place of what the file says.
Files often hold several pieces: `pieces="largest"` keeps the one of the most vessels, "refuse" refuses them.
"""

from sojourn.formats.vessels.secomb import read_secomb
from sojourn.formats.vessels.swc import read_swc
from sojourn.formats.vessels.tables import read_csv, write_csv
from sojourn.formats.vessels.vtp import read_vtp, write_vtp

__all__ = ["read_csv", "read_secomb", "read_swc", "read_vtp", "write_csv", "write_vtp"]
