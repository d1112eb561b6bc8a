"""Schedules of other schedules, by their values: sums, products, quotients, bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from lrcore._shared.domains import FINITE
from lrcore._shared.sums import in_order
from lrcore.schedules._operands import Inner, S, Several, inner, operand, unchecked
from lrcore.schedules._schedule import MAKERS, Operand, Schedule
from lrcore.schedules.plain import Constant

__all__ = ["Clamp", "Product", "Quotient", "Sum"]

Bound = Annotated[float | None, FINITE.or_none().check]


@dataclass(frozen=True, repr=False)
class Sum(Schedule):
    """The sum of schedules: ``a + b``, ``1 - a``.

    Parameters
    ----------
    terms : sequence of Schedule, function or number
        At least one.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> (1 - Constant(0.25))(0)
    0.75
    """

    terms: Several

    def _at(self, t: Any, xp: Any) -> Any:
        first, *others = (s._at(t, xp) for s in self.terms)
        return in_order(others, first)

    @property
    def _length(self) -> int:
        return max(s._length for s in self.terms)


@dataclass(frozen=True, repr=False)
class Product(Schedule):
    """The product of schedules: ``a * b``, ``2 * a``; torch calls it chained.

    Parameters
    ----------
    factors : sequence of Schedule, function or number
        At least one.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> (2 * Constant(0.25))(0)
    0.5
    """

    factors: Several

    def _at(self, t: Any, xp: Any) -> Any:
        return math.prod(s._at(t, xp) for s in self.factors)

    @property
    def _length(self) -> int:
        return max(s._length for s in self.factors)


def _divisor(name: str, value: Any) -> float:
    number: float = FINITE.check(name, value)
    if number == 0:
        raise ValueError(f"{name}: expected a finite number other than 0, found 0")
    return number


@dataclass(frozen=True, repr=False)
class Quotient(Schedule):
    """``of(t) / by``: a schedule divided by a number.

    Parameters
    ----------
    of : Schedule, function or number
        The schedule.
    by : float
        Finite, not 0.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or `by` is 0.

    Examples
    --------
    >>> (Constant(0.3) / 3)(0)
    0.09999999999999999
    """

    of: Inner
    by: Annotated[float, _divisor]

    def _at(self, t: Any, xp: Any) -> Any:
        return self.of._at(t, xp) / self.by

    @property
    def _length(self) -> int:
        return self.of._length


@dataclass(frozen=True, repr=False)
class Clamp(Schedule):
    """``min(max(of(t), low), high)``; None bounds nothing.

    Parameters
    ----------
    of : Schedule, function or number
        The schedule.
    low, high : float or None
        The least and the largest value.  Default None.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or `low` is above `high`.

    Examples
    --------
    >>> Constant(0.1).clamp(low=0.2)(0)
    0.2
    """

    of: Inner
    low: Bound = None
    high: Bound = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if None not in (self.low, self.high) and self.low > self.high:  # type: ignore[operator] # None is excluded
            raise ValueError(
                f"low: expected at most high = {self.high}, found {self.low}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        value = self.of._at(t, xp)
        if self.low is not None:
            value = xp.maximum(value, self.low)
        return value if self.high is None else xp.minimum(value, self.high)

    @property
    def _length(self) -> int:
        return self.of._length


def _add(a: Operand, b: Operand) -> Sum:
    """Return ``a + b``; a sum of sums is one sum."""
    return _one(Sum, "terms", a, b)


def _subtract(a: Operand, b: Operand) -> Sum:
    """Return ``a - b``."""
    b = operand("other", b)
    return _add(a, Constant(-b.base) if isinstance(b, Constant) else -b)


def _multiply(a: Operand, b: Operand) -> Product:
    """Return ``a * b``; a product of products is one product."""
    return _one(Product, "factors", a, b)


def _one(kind: type[S], name: str, a: Operand, b: Operand) -> S:
    """Return one sum or product of two schedules, which may be that themselves."""
    depth, held = 0, tuple[Schedule, ...]()
    for s in (operand("other", a), operand("other", b)):
        if isinstance(s, kind):
            held += getattr(s, name)
            depth = max(depth, s._depth)
        else:
            held += (inner("other", s),)
            depth = max(depth, s._depth + 1)
    return unchecked(kind, depth, **{name: held})


MAKERS.add = _add
MAKERS.clamp = Clamp
MAKERS.divide = Quotient
MAKERS.multiply = _multiply
MAKERS.subtract = _subtract
