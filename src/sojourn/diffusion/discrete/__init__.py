"""Diffusion on finitely many states (D3PM, Austin, Johnson, Ho, Tarlow and van den Berg 2021)."""

from sojourn.diffusion.discrete import losses, schedules
from sojourn.diffusion.discrete.bound import DiscreteBound
from sojourn.diffusion.discrete.d3pm import D3PM
from sojourn.diffusion.discrete.kernel import Kernel

__all__ = ["D3PM", "DiscreteBound", "Kernel", "losses", "schedules"]
