"""Schedules of values that change at given steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal

from lrcore._shared.domains import FINITE, NONNEGATIVE, choice
from lrcore._shared.renamed import renamed
from lrcore.schedules._formulas import NUMBERS, half_cosine
from lrcore.schedules._parameters import (
    Finite,
    Flag,
    Moments,
    Positive,
    Steps,
    are_sorted,
    several,
)  # fmt: skip
from lrcore.schedules._schedule import Schedule

__all__ = ["Interpolate", "MultiStep", "Piecewise", "StepDecay"]


@renamed(drop="gamma")
@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """``base * gamma^floor(t / every)``: multiplied by gamma every `every` steps.

    Parameters
    ----------
    base, gamma : float
        The first value and the factor, which is above 0.
    every : int
        The number of steps with the same value.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> s = StepDecay(1.0, gamma=0.5, every=10)
    >>> s(9), s(10), s(25)
    (1.0, 0.5, 0.25)
    """

    base: Finite
    gamma: Positive
    every: Steps

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base * xp.whole_powers(self.gamma, xp.floor(t / self.every))

    @property
    def _length(self) -> int:
        return 5 * self.every


@renamed(milestones="at")
@dataclass(frozen=True, repr=False)
class MultiStep(Schedule):
    """``base * gamma^k``, where k is the number of steps in `at` that are <= t.

    Parameters
    ----------
    base, gamma : float
        The first value, and the factor of each change, which is above 0.  gamma
        defaults to 0.1.
    at : sequence of int
        The first steps with another value (torch's milestones), in order; a step that
        is listed twice counts twice.  None at all is a constant.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or `at` is not in order.

    Examples
    --------
    >>> s = MultiStep(1.0, at=(30, 80), gamma=0.5)
    >>> s(29), s(30), s(80)
    (1.0, 0.5, 0.25)
    """

    base: Finite
    at: Moments
    gamma: Positive = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        are_sorted("at", self.at)

    @cached_property
    def _values(self) -> tuple[float, ...]:
        """The value for each k; arrays are equal to the bit to single steps."""
        powers = (NUMBERS.power(self.gamma, k) for k in range(len(self.at) + 1))
        return tuple(self.base * power for power in powers)

    def _at(self, t: Any, xp: Any) -> Any:
        return xp.take(self._values, xp.count(self.at, t))

    @property
    def _length(self) -> int:
        return self.at[-1] + 1 if self.at else 1


@renamed(boundaries="at")
@dataclass(frozen=True, repr=False)
class Piecewise(Schedule):
    """``values[k]`` from step ``at[k-1]`` until ``at[k]``.

    Parameters
    ----------
    values : sequence of float
        One more than there are steps in `at`.
    at : sequence of int
        The first steps with the next value (Keras's boundaries), in order.
    inclusive : bool
        Whether a step in `at` still has the old value, as in Keras.  Default False.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, `at` is not in order, or there is not one
        value more than steps.

    Examples
    --------
    >>> s = Piecewise((1.0, 0.5, 0.1), at=(30, 80))
    >>> s(29), s(30), s(80)
    (1.0, 0.5, 0.1)
    """

    values: Annotated[tuple[float, ...], several(FINITE.check)]
    at: Moments
    inclusive: Flag = False

    def __post_init__(self) -> None:
        super().__post_init__()
        are_sorted("at", self.at)
        if len(self.values) != len(self.at) + 1:
            raise ValueError(
                f"values: expected {len(self.at) + 1}, one more than at has steps, "
                f"found {len(self.values)}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        count = xp.count_below if self.inclusive else xp.count
        return xp.take(self.values, count(self.at, t))

    @property
    def _length(self) -> int:
        return self.at[-1] + 1 if self.at else 1


@dataclass(frozen=True, repr=False)
class Interpolate(Schedule):
    """``values[k]`` in step ``at[k]``, joined by lines or half cosines.

    Before the first step and after the last, the value is constant.

    Parameters
    ----------
    values : sequence of float
        At least one.
    at : sequence of float
        A step for each value, in rising order; if two are the same, the value jumps.
    shape : {"linear", "cosine"}
        Default linear.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, `at` is not in order, or there is not one step
        for each value.

    Examples
    --------
    >>> s = Interpolate((0.0, 1.0, 0.2), at=(0, 10, 30))
    >>> s(5), s(10), s(20), s(99)
    (0.5, 1.0, 0.6, 0.2)
    """

    values: Annotated[tuple[float, ...], several(FINITE.check)]
    at: Annotated[tuple[float, ...], several(NONNEGATIVE.check)]
    shape: Annotated[Literal["linear", "cosine"], choice("linear", "cosine").check] = (
        "linear"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        are_sorted("at", self.at)
        if len(self.values) != len(self.at):
            raise ValueError(
                f"at: expected {len(self.values)} steps, one for each value, found "
                f"{len(self.at)}"
            )

    @cached_property
    def _pieces(self) -> tuple[tuple[float, ...], ...]:
        """Begin, length, first and last value of each piece, those outside included."""
        first, last = self.values[0], self.values[-1]
        lengths = (b - a for a, b in pairwise(self.at))
        return (
            (0.0, *self.at),
            (math.inf, *lengths, math.inf),  # t / inf = 0: it keeps the first value
            (first, *self.values),
            (first, *self.values[1:], last),
        )

    def _at(self, t: Any, xp: Any) -> Any:
        k = xp.count(self.at, t)
        begin, length, left, right = (xp.take(piece, k) for piece in self._pieces)
        x = (t - begin) / length
        if self.shape == "cosine":
            x = 1 - half_cosine(x, xp)
        return xp.between(left, right, x)

    @property
    def _length(self) -> int:
        return int(self.at[-1]) + 1
