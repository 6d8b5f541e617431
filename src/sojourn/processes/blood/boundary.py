"""What holds at an end of a network of vessels: a pressure, or how much blood enters."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import Quantity, in_a_body, one, show, si

CONDITIONS = {"pressure": "Pa", "flow": "m^3/s", "velocity": "m/s"}


@dataclass(frozen=True, repr=False)
class Boundary:
    """Exactly one of a pressure, a flow and a mean velocity at an end of a network, the last two INTO the network.

    Args:
        node: the end, a node of one vessel.
        pressure: Pa.
        flow: m^3/s; negative where blood leaves.
        velocity: m/s, the mean over the cross-section of the vessel there; negative where blood leaves.
        hematocrit: of the blood that enters here, in [0, 1), used only where blood enters; None: 0.45.

    Raises:
        InputError: none or several conditions, units of something else, a speed that no blood has, or a hematocrit
            outside [0, 1).
    """

    node: int
    pressure: Quantity = None
    flow: Quantity = None
    velocity: Quantity = None
    hematocrit: Quantity = None

    def __post_init__(self) -> None:
        if not isinstance(self.node, Integral) or isinstance(self.node, bool):
            raise InputError(f"the boundary's node={self.node!r} is not a whole number; give the number of a node")
        object.__setattr__(self, "node", int(self.node))
        where = f"at node {self.node}: "
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "no condition"
            raise InputError(f"{where}{found} given; give exactly one of pressure, flow and velocity")
        (name,) = given
        value = one(si(getattr(self, name), CONDITIONS[name], name=where + name), name=where + name)
        in_a_body(value, CONDITIONS[name], name=where + name)
        object.__setattr__(self, name, value)
        if self.hematocrit is not None:
            share = one(si(self.hematocrit, "", name=where + "hematocrit"), name=where + "hematocrit")
            if not 0 <= (number := plain(share)) < 1:
                raise InputError(
                    f"{where}hematocrit={number:g} is not in [0, 1); give a share of the volume, such as 0.45"
                )
            object.__setattr__(self, "hematocrit", share)

    @property
    def enters(self) -> bool:
        """Whether blood is prescribed to enter here; a pressure prescribes nothing."""
        rate = self.velocity if self.flow is None else self.flow
        return rate is not None and plain(rate) > 0

    def __repr__(self) -> str:
        units = {**CONDITIONS, "hematocrit": ""}
        given = {name: getattr(self, name) for name in units if getattr(self, name) is not None}
        shown = [f"{name}={show(plain(x), units[name])!r}" for name, x in given.items() if units[name]]
        shown += [f"hematocrit={plain(given['hematocrit']):.5g}"] if "hematocrit" in given else []
        return f"Boundary({', '.join([str(self.node), *shown])})"


def plain(value: float | Tensor) -> float:
    """A number without its gradient."""
    return float(value.detach() if isinstance(value, Tensor) else value)
