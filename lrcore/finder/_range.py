"""The rates that a range test looks at: where it begins and ends."""

from __future__ import annotations

from lrcore._shared.domains import Reals
from lrcore._shared.words import shown

START, END = 1e-7, 10.0
"""Of the sweep, if the user names none."""

LOWEST, HIGHEST = 1e-100, 1e100
"""Quotients and products of two rates in this range neither overflow nor vanish."""

LOWER = 1e-7
"""How far a sweep begins below one that diverged too soon, as a factor."""

_RATE = Reals("a number from 1e-100 to 1e100", LOWEST, HIGHEST)
_WIDTH = 1.1  # the least ratio of end to start


def checked_range(start: float | None, end: float | None) -> tuple[float, float]:
    """Return the range of the sweep, with defaults."""
    low = START if start is None else _RATE.check("start", start)
    high = END if end is None else _RATE.check("end", end)
    if not _WIDTH * low <= high * (1 + 1e-12):  # 1.1 * 0.1 is above 0.11
        raise ValueError(
            f"end: expected at least {_WIDTH} times start = {low}, found {shown(high)}"
        )
    return low, high
