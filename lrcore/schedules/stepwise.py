"""Schedules of values that change at given steps."""

from __future__ import annotations

import math
from dataclasses import InitVar, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal

from lrcore._shared.domains import FINITE, NONNEGATIVE, POSITIVE, choice
from lrcore._shared.words import shown
from lrcore.schedules._formulas import between, half_cosine
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


@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """``base * gamma^floor(t / every)``: multiplied by gamma every `every` steps.

    Parameters
    ----------
    base, gamma : float
        The first value and the factor, which is above 0.
    every : int
        The number of steps with the same value.
    drop : float
        Another name for gamma.

    Examples
    --------
    >>> s = StepDecay(1.0, gamma=0.5, every=10)
    >>> s(9), s(10), s(25)
    (1.0, 0.5, 0.25)
    >>> s == StepDecay(1.0, drop=0.5, every=10)
    True
    """

    base: Finite
    gamma: Positive = None  # type: ignore[assignment] # or drop
    every: Steps = None  # type: ignore[assignment] # follows a field with a default
    drop: InitVar[float | None] = None

    def __post_init__(self, drop: float | None) -> None:
        if (self.gamma is None) == (drop is None):
            raise TypeError(
                "gamma: expected one of gamma and drop, which mean the same, found "
                f"gamma={shown(self.gamma)} and drop={shown(drop)}"
            )
        if drop is not None:
            object.__setattr__(self, "gamma", POSITIVE.check("drop", drop))
        super().__post_init__()

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base * xp.whole_powers(self.gamma, xp.floor(t / self.every))

    @property
    def _length(self) -> int:
        return 5 * self.every


@dataclass(frozen=True, repr=False)
class MultiStep(Schedule):
    """``base * gamma^(number of milestones <= t)``.

    A milestone that is listed twice counts twice.

    Examples
    --------
    >>> s = MultiStep(1.0, milestones=(30, 80), gamma=0.5)
    >>> s(29), s(30), s(80)
    (1.0, 0.5, 0.25)
    """

    base: Finite
    milestones: Moments
    gamma: Positive = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        are_sorted("milestones", self.milestones)

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base * xp.whole_powers(self.gamma, xp.count(self.milestones, t))

    @property
    def _length(self) -> int:
        return self.milestones[-1] + 1 if self.milestones else 1


@dataclass(frozen=True, repr=False)
class Piecewise(Schedule):
    """``values[k]`` from step ``boundaries[k-1]`` until ``boundaries[k]``.

    Parameters
    ----------
    values : sequence of float
        One more than there are boundaries.
    boundaries : sequence of int
        Steps, in rising order.
    inclusive : bool
        Whether the step at a boundary still has the old value, as in Keras; otherwise
        it is the first with the new value.  Default False.

    Examples
    --------
    >>> s = Piecewise((1.0, 0.5, 0.1), boundaries=(30, 80))
    >>> s(29), s(30), s(80)
    (1.0, 0.5, 0.1)
    """

    values: Annotated[tuple[float, ...], several(FINITE.check)]
    boundaries: Moments
    inclusive: Flag = False

    def __post_init__(self) -> None:
        super().__post_init__()
        are_sorted("boundaries", self.boundaries)
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values: expected {len(self.boundaries) + 1} for "
                f"{len(self.boundaries)} boundaries, found {len(self.values)}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        count = xp.count_below if self.inclusive else xp.count
        return xp.take(self.values, count(self.boundaries, t))

    @property
    def _length(self) -> int:
        return self.boundaries[-1] + 1 if self.boundaries else 1


@dataclass(frozen=True, repr=False)
class Interpolate(Schedule):
    """``values[k]`` in step ``at[k]``, joined by lines or half cosines.

    Before the first step and after the last, the value is constant.

    Parameters
    ----------
    values : sequence of float
    at : sequence of float
        A step for each value, in rising order; if two are the same, the value jumps.
    shape : {"linear", "cosine"}
        Default linear.

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
        return between(left, right, x)

    @property
    def _length(self) -> int:
        return int(self.at[-1]) + 1
