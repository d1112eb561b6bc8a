"""What schedules are made of: other schedules, functions of the step, and numbers."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from lrcore._shared.domains import FINITE
from lrcore._shared.words import error
from lrcore.schedules._parameters import several
from lrcore.schedules._schedule import DEEPEST, Schedule
from lrcore.schedules.plain import Constant, Function, pure

S = TypeVar("S", bound=Schedule)


def operand(name: str, value: Any) -> Schedule:
    """Return the schedule that a schedule, a function or a number stands for."""
    if isinstance(value, Schedule):
        return value
    value = FINITE.or_schedule(name, value)
    return Function(pure(name, value)) if callable(value) else Constant(value)


def inner(name: str, value: Any) -> Schedule:
    """Return the schedule that a value stands for, which another one is to hold."""
    schedule = operand(name, value)
    if schedule._depth >= DEEPEST:
        raise error(
            ValueError,
            name,
            f"expected at most {DEEPEST} schedules within each other, found more; a "
            "sum, a product and join(schedules, at) hold any number of them",
        )
    return schedule


Inner = Annotated[Schedule, inner]
Several = Annotated[tuple[Schedule, ...], several(inner)]


def unchecked(kind: type[S], depth: int, **parameters: Any) -> S:
    """Return a schedule of parameters that have been checked.

    To check all terms of a sum at each `+` would take quadratic time.
    """
    new = object.__new__(kind)
    vars(new).update(parameters, _depth=depth)
    return new
