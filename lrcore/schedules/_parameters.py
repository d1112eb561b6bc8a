"""Types of a schedule's parameters; what is annotated to each checks a value of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from lrcore._shared.numbers import real, whole
from lrcore._shared.words import listed, shown

Check = Callable[[str, Any], Any]
"""Takes a parameter's name and value; returns the value in Python's own type."""


def finite(name: str, value: Any) -> float:
    """Return a float that is neither infinite nor NaN."""
    number = real(name, value, "a finite number")
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a finite number, found {shown(value)}")
    return number


def positive(name: str, value: Any) -> float:
    """Return a finite float above 0."""
    if not (number := finite(name, value)) > 0:
        raise ValueError(f"{name}: expected a number > 0, found {shown(value)}")
    return number


def not_negative(name: str, value: Any) -> float:
    """Return a finite float of at least 0."""
    if not (number := finite(name, value)) >= 0:
        raise ValueError(f"{name}: expected a number >= 0, found {shown(value)}")
    return number


def fraction(name: str, value: Any) -> float:
    """Return a float from 0 to 1."""
    if not 0 <= (number := finite(name, value)) <= 1:
        raise ValueError(f"{name}: expected a number from 0 to 1, found {shown(value)}")
    return number


def steps(name: str, value: Any) -> int:
    """Return a number of steps."""
    return _count(name, value, 1)


def maybe_no_steps(name: str, value: Any) -> int:
    """Return a number of steps, which may be 0."""
    return _count(name, value, 0)


def _count(name: str, value: Any, least: int) -> int:
    text = f"a number of steps, an int >= {least}"
    number = whole(name, value, text, least=least)
    if number > 2**53:
        raise ValueError(f"{name}: expected at most 2^53 steps, found {shown(value)}")
    return number


def flag(name: str, value: Any) -> bool:
    """Return a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected True or False, found {shown(value)}")
    return bool(value)


def choice(*values: Any) -> Check:
    """Return the check of a parameter that is one of some values."""

    def check(name: str, value: Any) -> Any:
        kind = type(values[0])
        if isinstance(value, np.integer):
            value = int(value)
        if type(value) is not kind or value not in values:
            names = " or ".join(map(repr, values))
            raise ValueError(f"{name}: expected {names}, found {shown(value)}")
        return value

    return check


def optional(check: Check) -> Check:
    """Return the check of a parameter that may also be None."""
    return lambda name, value: None if value is None else check(name, value)


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


Finite = Annotated[float, finite]
Positive = Annotated[float, positive]
NotNegative = Annotated[float, not_negative]
Fraction = Annotated[float, fraction]
Steps = Annotated[int, steps]
MaybeNoSteps = Annotated[int, maybe_no_steps]
Flag = Annotated[bool, flag]
