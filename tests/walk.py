"""A random walk with drift: the smallest process with noise, for tests of the driver."""

from dataclasses import dataclass

import torch

import sojourn as sj


@dataclass(frozen=True)
class Walk(sj.Process):
    drift: float = 0.1
    places: int = 5
    dt: float = 0.5

    def fields(self):
        return {"x": sj.Field(("place",), (self.places,), torch.float64, "m", "position")}

    def initial(self, ensemble, noise):
        return {"x": noise.normal(0, ensemble, (self.places,), torch.float64)}

    def step(self, state, t, noise):
        x = state["x"]
        return {"x": x + self.drift * self.dt + noise.normal(t, len(x), (self.places,), x.dtype) * self.dt**0.5}
