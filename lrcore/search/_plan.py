"""What a study is to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from lrcore.space._dimension import Dimension


class Plan(NamedTuple):
    """What a study is to do.  It can be pickled if the objective can."""

    objective: Callable[[dict[str, Any]], Any]
    space: dict[str, Dimension]
    method: str
    maximize: bool
    points: list[dict[str, Any]]  # for each slot, the fixed parameters
    name: str
    seed: int | None
    min_steps: int
    max_steps: int | None
    reduction: int
    deadline: float  # of time.time()
    catch: tuple[type[Exception], ...] = ()  # a trial that raises one is failed

    @property
    def worst(self) -> float:
        """The value of a trial that diverged: samplers avoid its parameters then."""
        return -math.inf if self.maximize else math.inf
