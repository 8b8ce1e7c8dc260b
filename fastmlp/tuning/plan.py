"""What all trials train with, and what a trial's own values make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastmlp.config import Config
from fastmlp.tuning.space import Space, examples_of, options_of


@dataclass(frozen=True)
class Plan:
    """The configuration that is asked for, and the rows that its defaults depend on."""

    asked: Config
    is_images: bool
    rows: int

    def config(self, params: Mapping[str, Any]) -> Config:
        """Return every option of a trial, given its values from the space."""
        return replace(self.asked, trainer=self.fixed | options_of(params)).completed(self.is_images, self.rows)

    def trainer_options(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return those of the Trainer."""
        return self.config(params).trainer

    @property
    def fixed(self) -> dict[str, Any]:
        """The options of the Trainer that are given for all trials."""
        return {name: value for name, value in self.asked.trainer.items() if value is not None}

    @property
    def facts(self) -> dict[str, Any]:
        """The same as JSON may hold them."""
        return {name: value for name, value in self.asked.facts().items() if name in self.fixed}

    def most_epochs(self, space: Space) -> int:
        """Return how many epochs the longest trial has."""
        return max(int(self.trainer_options(params)["epochs"]) for params in examples_of(space))

    def check(self, space: Space) -> None:
        """Refuse, before any trial runs, a space with values that cannot be, or that cannot go together."""
        for params in examples_of(space):
            try:
                self.config(params)
            except (TypeError, ValueError) as error:
                raise ValueError(f"space holds what no trial can be run with: {error}") from None
