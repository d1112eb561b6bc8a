"""Schedules of a number, and of any function of the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from lrcore._shared.domains import is_schedule, real, takes_step
from lrcore._shared.words import shown
from lrcore._stateful import StatefulSchedule
from lrcore.schedules._parameters import Finite
from lrcore.schedules._schedule import Schedule

__all__ = ["Constant", "Function"]


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """``base``.

    Parameters
    ----------
    base : float
        The value.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> Constant(0.1)(7)
    0.1
    """

    base: Finite

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base

    @property
    def _length(self) -> int:
        return 1


def pure(name: str, value: Any) -> Any:
    """Check a function of the step, which has no state."""
    if not is_schedule(value):
        raise TypeError(
            f"{name}: expected a function of the step, found {shown(value)}"
        )
    takes_step(name, value)
    if isinstance(value, StatefulSchedule):
        raise TypeError(
            f"{name}: expected a function of the step alone, found {shown(value)}, "
            "which has a state: it may only be the outermost, as in "
            "ReduceOnPlateau(schedule)"
        )
    return value


@dataclass(frozen=True, repr=False)
class Function(Schedule):
    """``function(t)``: any other function of the step, as a schedule.

    Wherever a schedule takes another one, it makes this of a function.  The function is
    called with one step at a time, an int (a float between two steps).  Two are equal
    if their functions are.  It can be pickled if the function can, and has no
    `to_dict`.

    Parameters
    ----------
    function : callable
        Takes a step, and returns a number; it has no state.

    Raises
    ------
    TypeError
        It is no function, takes other arguments than a step, or has a state.

    Examples
    --------
    >>> s = Function(lambda t: 0.1 / (1 + t)).warmup(10)
    >>> s(9), s(10), s(11)
    (0.1, 0.1, 0.05)
    """

    function: Annotated[Callable[[Any], Any], pure]

    def _at(self, t: Any, xp: Any) -> Any:
        if isinstance(t, np.ndarray):
            return np.array([self._value(step) for step in t.tolist()])
        return self._value(t)

    def _value(self, t: float) -> float:
        value = self.function(int(t) if t == int(t) else t)
        if type(value) is float:
            return value
        return real("function", value, f"{shown(self.function)} to return a number")

    def to_dict(self) -> dict[str, Any]:
        """Refuse: a function cannot be written as JSON."""
        raise TypeError(
            f"to_dict: expected schedules, found the function {shown(self.function)}; "
            "write it as a subclass of Schedule, or pickle it"
        )
