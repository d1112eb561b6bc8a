"""Types of a schedule's parameters, each annotated with the check of a value."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any

from lrcore._shared.domains import (
    FINITE,
    FLAG,
    NONNEGATIVE,
    POSITIVE,
    UNIT,
    iterates,
    steps,
)
from lrcore._shared.words import listed, shown

Check = Callable[[str, Any], Any]
"""Takes a parameter's name and value; returns the value in Python's own type."""

STEPS = steps(1)

Finite = Annotated[float, FINITE.check]
Positive = Annotated[float, POSITIVE.check]
NotNegative = Annotated[float, NONNEGATIVE.check]
Fraction = Annotated[float, UNIT.check]
Steps = Annotated[int, STEPS.check]
MaybeNoSteps = Annotated[int, steps(0).check]
Flag = Annotated[bool, FLAG.check]


def several(check: Check, least: int = 1) -> Check:
    """Return the check of a sequence, from a check of each of its values."""

    def check_all(name: str, values: Any) -> tuple[Any, ...]:
        if isinstance(values, (str, bytes)) or not iterates(values):
            raise TypeError(
                f"{name}: expected a sequence (a list or tuple), found {shown(values)}"
            )
        checked = tuple(check(f"{name}[{k}]", value) for k, value in enumerate(values))
        if len(checked) < least:
            raise ValueError(f"{name}: expected at least one, found none")
        return checked

    return check_all


def are_sorted(name: str, values: tuple[float, ...]) -> None:
    """Refuse values that fall."""
    if any(a > b for a, b in pairwise(values)):
        raise ValueError(f"{name}: expected sorted steps, found ({listed(values)})")


MOMENTS = several(steps(0).check, least=0)

Moments = Annotated[tuple[int, ...], MOMENTS]
