"""What a study is to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from lrcore.space._dimension import Dimension


class Plan(NamedTuple):
    """What a study is to do; it pickles if the objective does."""

    objective: Callable[[dict[str, Any]], Any]
    space: dict[str, Dimension]
    method: str
    maximize: bool
    points: list[dict[str, Any]]  # a slot's parameters as far as they are fixed
    name: str
    seed: int | None
    min_steps: int
    max_steps: int | None
    reduction: int
    deadline: float  # of time.time()

    @property
    def worst(self) -> float:
        """The value of a trial that diverged, by which samplers learn to avoid it."""
        return -math.inf if self.maximize else math.inf
