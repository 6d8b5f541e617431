"""What an experiment is: settings that a run record holds, and a `run` that goes on after any interruption."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from sojourn.runs import Run


@dataclass(frozen=True)
class Experiment(ABC):
    """A recipe. `run` leaves what it finished in the run directory, and when called again goes on from there."""

    @abstractmethod
    def run(self, run: Run) -> list[str]:
        """Does the work; returns the lines that a person wants to read at the end."""

    def settings(self) -> dict[str, Any]:
        """The settings as plain data."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """The experiment that `settings` described; JSON's lists become tuples again."""
        known = {field.name for field in fields(cls)}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if k in known})
