"""What a network predicts, and how x_0 and epsilon are read off it.

x_t = alpha x_0 + sigma epsilon,   alpha^2 + sigma^2 = 1.

Each parameterisation is three lines: the input it gives to the network, the target, and the reading. With
|target - output|^2 = k |x_0 - predicted x_0|^2, `error_factor` is k.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor

from sojourn.errors import InputError

Predicts = Literal["epsilon", "x_0", "v", "score", "edm"]


class Prediction(NamedTuple):
    """What a model says of x_t: the mean of x_0, the noise that goes with it, and where the variance lies.

    Attributes:
        x_0, epsilon: (n, ...); x_t = alpha x_0 + sigma epsilon.
        fraction: (n, ...) where the model learned its variance, 0 for the small, 1 for the large one, mostly between.
    """

    x_0: Tensor
    epsilon: Tensor
    fraction: Tensor | None = None


class Parameterisation(ABC):
    """alpha and sigma are tensors that multiply x (n, ...)."""

    def input(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """What the network sees of x_t."""
        return x

    @abstractmethod
    def target(self, x_0: Tensor, epsilon: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """What the network should say."""

    @abstractmethod
    def read(self, output: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """x_0 and epsilon."""

    @abstractmethod
    def error_factor(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """k, of the module's first lines."""


@dataclass(frozen=True)
class Epsilon(Parameterisation):
    """The noise (Ho, Jain and Abbeel 2020)."""

    def target(self, x_0, epsilon, alpha, sigma):
        return epsilon

    def read(self, output, x, alpha, sigma):
        return (x - sigma * output) / alpha, output

    def error_factor(self, alpha, sigma):
        return (alpha / sigma) ** 2


@dataclass(frozen=True)
class Clean(Parameterisation):
    """x_0 itself."""

    def target(self, x_0, epsilon, alpha, sigma):
        return x_0

    def read(self, output, x, alpha, sigma):
        return output, (x - alpha * output) / sigma

    def error_factor(self, alpha, sigma):
        return (alpha / alpha) ** 2


@dataclass(frozen=True)
class Velocity(Parameterisation):
    """v = alpha epsilon - sigma x_0 (Salimans and Ho 2022)."""

    def target(self, x_0, epsilon, alpha, sigma):
        return alpha * epsilon - sigma * x_0

    def read(self, output, x, alpha, sigma):
        return alpha * x - sigma * output, sigma * x + alpha * output

    def error_factor(self, alpha, sigma):
        return sigma**-2


@dataclass(frozen=True)
class Score(Parameterisation):
    """grad log q(x_t), whose target given x_0 is -epsilon / sigma (Song et al. 2021)."""

    def target(self, x_0, epsilon, alpha, sigma):
        return -epsilon / sigma

    def read(self, output, x, alpha, sigma):
        return (x + sigma**2 * output) / alpha, -sigma * output

    def error_factor(self, alpha, sigma):
        return (alpha / sigma**2) ** 2


@dataclass(frozen=True)
class Edm(Parameterisation):
    """EDM's preconditioning at y = x_t / alpha and noise s = sigma / alpha (Karras et al. 2022, table 1).

    x_0 = c_skip y + c_out F(c_in y). With sigma_data = 1 this is -v.

    Args:
        sigma_data: standard deviation of the data.
    """

    sigma_data: float = 0.5

    def __post_init__(self) -> None:
        if not self.sigma_data > 0:
            raise InputError(f"sigma_data={self.sigma_data} is not above zero")

    def _total(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return (sigma**2 + (alpha * self.sigma_data) ** 2) ** 0.5  # alpha sqrt(s^2 + sigma_data^2)

    def input(self, x, alpha, sigma):
        return x / self._total(alpha, sigma)

    def target(self, x_0, epsilon, alpha, sigma):
        total, data = self._total(alpha, sigma), self.sigma_data
        return (sigma**2 * x_0 - alpha * data**2 * sigma * epsilon) / (sigma * data * total)

    def read(self, output, x, alpha, sigma):
        total, data = self._total(alpha, sigma), self.sigma_data
        x_0 = alpha * data**2 / total**2 * x + sigma * data / total * output
        return x_0, sigma / total**2 * x - alpha * data / total * output

    def error_factor(self, alpha, sigma):
        return (self._total(alpha, sigma) / (sigma * self.sigma_data)) ** 2


PARAMETERISATIONS: dict[str, type[Parameterisation]] = {
    "epsilon": Epsilon,
    "x_0": Clean,
    "v": Velocity,
    "score": Score,
    "edm": Edm,
}


def parameterisation(predicts: Predicts | Parameterisation) -> Parameterisation:
    """The parameterisation of that name, or the one given."""
    if isinstance(predicts, Parameterisation):
        return predicts
    if predicts not in PARAMETERISATIONS:
        raise InputError(f"predicts={predicts!r} is not known; choose from {', '.join(PARAMETERISATIONS)}")
    return PARAMETERISATIONS[predicts]()
