"""Schedules between lrcore and thinc, of version 8 and of version 9."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thinc import schedules as _schedules

import lrcore

_Schedule: Any = getattr(_schedules, "Schedule", None)
"""thinc's class of schedules; None in version 8, whose schedules are generators."""


class Now:
    """A schedule for lrcore: the value that the optimizer has put in a dict."""

    def __init__(self, now: dict[str, float], name: str) -> None:
        self.now, self.name = now, name

    def __call__(self, t: int) -> float:
        return self.now[self.name]

    def __repr__(self) -> str:
        return self.name


class _Steps:
    """A schedule of lrcore as an iterator, which thinc 8 takes for a schedule."""

    def __init__(self, schedule: Callable[[int], float]) -> None:
        self.schedule, self.t = schedule, -1

    def __next__(self) -> float:
        self.t += 1
        return self.schedule(self.t)


def for_thinc(value: Any) -> Any:
    """Return a hyper-parameter as thinc's constructor takes it."""
    if isinstance(value, str):
        value = lrcore.schedules.parse(value)
    if not callable(value) or (_Schedule and isinstance(value, _Schedule)):
        return value
    if _Schedule is None:
        return _Steps(value)
    return _Schedule("lrcore", _at, attrs={"schedule": value})


def _at(schedule: Any, step: int, **others: Any) -> float:
    """Return the value of a schedule of lrcore, for thinc 9."""
    value: float = schedule.attrs["schedule"](step)
    return value
