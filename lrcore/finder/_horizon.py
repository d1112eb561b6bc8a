"""The training to come: how long it is, and the course of its rate."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from lrcore._shared.domains import real, steps
from lrcore._shared.words import shown

Schedule = Callable[[int], float]

_TOTAL = steps(1)


def shares(schedule: Schedule | None, total: int | None, number: int) -> list[float]:
    """Return the rates of a race's steps, as shares of the highest; [] if constant.

    The whole course of the schedule over `total` steps is run through in `number`.

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
    if not number:
        return []
    if total is None:
        raise ValueError(
            "total: expected the number of steps of the training to come, as the "
            "trials run through its schedule, found None"
        )
    at = np.round(np.linspace(0, total - 1, number)).astype(int).tolist()
    rates = [real("schedule", schedule(step), "numbers as rates") for step in at]
    for rate in rates:
        if not 0 <= rate < inf:
            raise ValueError(f"schedule: expected finite rates >= 0, found {rate:g}")
    most = max(rates)
    if not most:
        raise ValueError("schedule: expected rates that are not all 0, found 0 in each")
    return [rate / most for rate in rates]


def total_steps(total: int | None) -> int | None:
    """Check the argument `total`."""
    return None if total is None else _TOTAL.check("total", total)
