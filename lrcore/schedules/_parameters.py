"""Types of a schedule's parameters; what is annotated to each checks a value of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated, Any

from lrcore._shared.domains import (
    FINITE,
    FLAG,
    NONNEGATIVE,
    POSITIVE,
    UNIT,
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


def several(check: Check) -> Check:
    """Return the check of a parameter that is some of such values, one at least."""

    def check_all(name: str, values: Any) -> tuple[Any, ...]:
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise TypeError(f"{name}: expected a sequence, found {shown(values)}")
        checked = tuple(check(f"{name}[{k}]", value) for k, value in enumerate(values))
        if not checked:
            raise ValueError(f"{name}: expected at least one, found none")
        return checked

    return check_all


def rising(name: str, values: tuple[float, ...], *, strictly: bool = True) -> None:
    """Refuse values that are not sorted, or that repeat."""
    if any(a > b or (strictly and a == b) for a, b in pairwise(values)):
        what = "rising" if strictly else "sorted"
        raise ValueError(f"{name}: expected {what} steps, found ({listed(values)})")
