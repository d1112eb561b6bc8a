"""The training to come: how long it is, and the course of its rate."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from lrcore._shared.domains import real, whole
from lrcore._shared.words import shown

Schedule = Callable[[int], float]


def shares(schedule: Schedule | None, total: int | None, steps: int) -> list[float]:
    """Return the rates of a race's steps, as shares of the highest; [] if constant.

    The whole course of the schedule over `total` steps is run through in `steps`.

    Raises
    ------
    TypeError, ValueError
        It is no schedule of numbers >= 0, or it is not known how long it is.
    """
    if schedule is None:
        return []
    if not callable(schedule):
        raise TypeError(
            "schedule: expected a schedule, as Cosine(1.0, total=1000), found "
            f"{shown(schedule)}"
        )
    if not steps:
        return []
    if total is None:
        raise ValueError(
            "total: expected the number of steps of the training to come, as the "
            "trials run through its schedule, found None"
        )
    at = np.round(np.linspace(0, total - 1, steps)).astype(int).tolist()
    rates = [real("schedule", schedule(step), "numbers as rates") for step in at]
    if not 0 < max(rates) < inf or not min(rates) >= 0:
        raise ValueError(
            f"schedule: expected rates >= 0, not all 0, found {min(rates):g} to "
            f"{max(rates):g}"
        )
    return [rate / max(rates) for rate in rates]


def total_steps(total: int | None) -> int | None:
    """Check the argument `total`."""
    return None if total is None else whole("total", total, "an int >= 1", least=1)
