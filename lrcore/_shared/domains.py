"""The values that an argument can have, and the errors for all others.

A domain checks one argument: ``POSITIVE.check("eps", 1)`` returns 1.0, and refuses -1
with ``eps: expected a finite number > 0, found -1``.
"""

from __future__ import annotations

import copy
import math
import operator
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from inspect import signature
from typing import Any, Self

import numpy as np

from lrcore._shared.words import shortened, shown

# NumPy's kinds that float() takes for numbers: bool, complex, times, strings.
_NO_REALS = ("b", "c", "m", "M", "S", "U")

_MAX, _LEAST = sys.float_info.max, math.ulp(0.0)


def real(name: str, value: Any, what: str) -> float:
    """Return a float (inf if the value is too large).

    Raises
    ------
    TypeError
        The value is no real number (strings, bools and None are none); the message says
        that `what` was expected.
    """
    try:
        dtype = getattr(value, "dtype", None)
        if isinstance(value, (str, bytes, bool, type)) or (
            getattr(dtype, "kind", "") in _NO_REALS or value is np.ma.masked
        ):
            raise TypeError
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {what}, found {shown(value)}") from None


def whole(name: str, value: Any, what: str, *, least: int) -> int:
    """Return an int of at least `least`.

    Raises
    ------
    TypeError, ValueError
        The value is no whole number, or less than `least`; the message says that `what`
        was expected.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected {what}, found {shown(value)}") from None
    if number < least:
        raise ValueError(f"{name}: expected {what}, found {shown(value)}")
    return number


def iterates(value: Any) -> bool:
    """Return whether a value can be iterated over; an array without axes cannot."""
    try:
        iter(value)
    except TypeError:
        return False
    return True


def is_schedule(value: Any) -> bool:
    """Return whether a value is a schedule: any callable but a class."""
    return callable(value) and not isinstance(value, type)


def _makes_schedules(kind: type) -> bool:
    """Return whether the objects of a class can be called, as schedules can."""
    return any("__call__" in vars(base) for base in kind.__mro__)


def takes_step(name: str, schedule: Callable[..., Any]) -> None:
    """Check that a function can be called with one number, the steps taken so far.

    Raises
    ------
    TypeError
        It takes none, or needs more.
    """
    try:
        parameters = signature(schedule)
    except (TypeError, ValueError):  # of a builtin without one
        return
    try:
        parameters.bind(0)
    except TypeError:
        raise TypeError(
            f"{name}: expected a schedule that takes the number of steps taken before, "
            f"found {shown(schedule)}, which takes {len(parameters.parameters)} "
            "arguments"
        ) from None


class Domain(ABC):
    """The values that an argument can have.

    text : the values in words, for errors: "a finite number >= 0".
    kind : their type, for docs: "float".
    optional : whether None is one of them.
    least, most : every float x with least <= x <= most is in the domain, so that a
        float needs no further check.
    """

    kind: str
    least, most = math.inf, -math.inf

    def __init__(self, text: str) -> None:
        self.text = text
        self.optional = False

    def or_none(self) -> Self:
        """Return the domain with None."""
        wider = copy.copy(self)
        wider.text, wider.optional = f"{self.text} or None", True
        return wider

    def check(self, name: str, value: Any) -> Any:
        """Return the value of the argument `name` in Python's own type.

        Raises
        ------
        TypeError, ValueError
            It is of another type, or not in the domain.
        """
        return self._check(name, value, self.text)

    def or_schedule(self, name: str, value: Any) -> Any:
        """Return a schedule as it is, or else what `check` returns."""
        if type(value) is float and self.least <= value <= self.most:
            return value
        if is_schedule(value):
            takes_step(name, value)
            return value
        wanted = f"{self.text}, or a schedule"
        if isinstance(value, type) and _makes_schedules(value):
            made = shortened(value.__name__)
            raise TypeError(
                f"{name}: expected {wanted}, found the class {made}; make a schedule "
                f"with it: {made}(...)"
            )
        return self._check(name, value, wanted)

    def _check(self, name: str, value: Any, wanted: str) -> Any:
        if type(value) is float and self.least <= value <= self.most:
            return value
        if value is None and self.optional:
            return None
        return self._read(name, value, wanted)

    @abstractmethod
    def _read(self, name: str, value: Any, wanted: str) -> Any:
        """Return the value in Python's own type, or refuse it."""


class Reals(Domain):
    """The floats from `least` to `most`, both included."""

    kind = "float"

    def __init__(self, text: str, least: float, most: float = _MAX) -> None:
        super().__init__(text)
        self.least, self.most = least, most

    def _read(self, name: str, value: Any, wanted: str) -> float:
        number = real(name, value, wanted)
        if not self.least <= number <= self.most:  # NaN is not between
            raise ValueError(f"{name}: expected {self.text}, found {shown(value)}")
        return number


class _Wholes(Domain):
    kind = "int"

    def __init__(self, text: str, first: int) -> None:
        super().__init__(text)
        self.first = first

    def _read(self, name: str, value: Any, wanted: str) -> int:
        return whole(name, value, wanted, least=self.first)


class _Steps(_Wholes):
    def _read(self, name: str, value: Any, wanted: str) -> int:
        number = super()._read(name, value, wanted)
        if number > 2**53:
            raise ValueError(
                f"{name}: expected at most 2^53 steps, found {shown(value)}"
            )
        return number


class _Choice(Domain):
    def __init__(self, choices: tuple[str | int, ...]) -> None:
        spelled = ", ".join(map(repr, choices))
        super().__init__(f"one of {spelled}")
        self.kind = "{" + spelled.replace("'", '"') + "}"
        self.choices = choices

    def _read(self, name: str, value: Any, wanted: str) -> str | int:
        given = int(value) if isinstance(value, np.integer) else value
        for choice in self.choices:
            alike = isinstance(given, type(choice)) and not isinstance(given, bool)
            if alike and given == choice:
                return choice
        raise ValueError(f"{name}: expected {wanted}, found {shown(value)}")


class _Flag(Domain):
    kind = "bool"

    def check(self, name: str, value: Any) -> Any:
        """Return the value; True and False, the usual case, need no further check."""
        if value is True or value is False:
            return value
        return super().check(name, value)

    def _read(self, name: str, value: Any, wanted: str) -> bool:
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        raise TypeError(f"{name}: expected {wanted}, found {shown(value)}")


class _Function(Domain):
    kind = "callable"

    def _read(self, name: str, value: Any, wanted: str) -> Any:
        if callable(value) and not isinstance(value, type):
            return value
        raise TypeError(f"{name}: expected {wanted}, found {shown(value)}")


class _Axes(Domain):
    kind = "int, tuple of int"

    def _read(self, name: str, value: Any, wanted: str) -> tuple[int, ...]:
        axes = value if isinstance(value, (tuple, list)) and value else (value,)
        return tuple(whole(name, axis, wanted, least=-(2**31)) for axis in axes)


FINITE = Reals("a finite number", -_MAX)
NONNEGATIVE = Reals("a finite number >= 0", 0.0)
POSITIVE = Reals("a finite number > 0", _LEAST)
NONPOSITIVE = Reals("a finite number <= 0", -_MAX, 0.0)
ABOVE_ONE = Reals("a finite number > 1", math.nextafter(1.0, 2.0))
FRACTION = Reals("a number in [0, 1)", 0.0, math.nextafter(1.0, 0.0))
INSIDE = Reals("a number in (0, 1)", _LEAST, math.nextafter(1.0, 0.0))
SHARE = Reals("a number in (0, 1]", _LEAST, 1.0)
UNIT = Reals("a number in [0, 1]", 0.0, 1.0)
FROM_ZERO = Reals("a number >= 0", 0.0, math.inf)
ABOVE_ZERO = Reals("a number > 0", _LEAST, math.inf)
FROM_ONE = Reals("a number >= 1", 1.0, math.inf)

FLAG = _Flag("True or False")
AXES = _Axes("an int or a tuple of them")
FUNCTION = _Function("a function")


def count(least: int) -> Domain:
    """Return the domain of whole numbers from `least` on."""
    return _Wholes(f"an int >= {least}", least)


def steps(least: int) -> Domain:
    """Return the domain of numbers of steps from `least` on, which floats can count."""
    return _Steps(f"a number of steps, an int >= {least}", least)


def choice(*choices: str | int) -> Domain:
    """Return the domain of one of these strings, or of these ints."""
    return _Choice(choices)


MODES = choice("min", "max")
"""Whether a metric is to fall or to rise."""
