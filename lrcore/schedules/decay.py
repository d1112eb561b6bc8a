"""Schedules that decay in steps or steadily, or go from one value to another."""

from __future__ import annotations

import math
from dataclasses import InitVar, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal

from lrcore._shared.domains import FINITE, NONNEGATIVE, POSITIVE, choice
from lrcore._shared.words import shown
from lrcore.schedules._formulas import between, half_cosine, progress
from lrcore.schedules._parameters import (
    STEPS,
    Finite,
    Flag,
    NotNegative,
    Positive,
    Steps,
    rising,
    several,
)  # fmt: skip
from lrcore.schedules._schedule import Schedule

__all__ = ["Exponential", "Interpolate", "InverseSqrt", "InverseTime", "Linear",
           "MultiStep", "Piecewise", "Polynomial", "StepDecay"]  # fmt: skip


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
    milestones: Annotated[tuple[int, ...], several(STEPS.check)]
    gamma: Positive = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        rising("milestones", self.milestones, strictly=False)

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base * xp.whole_powers(self.gamma, xp.count(self.milestones, t))

    @property
    def _length(self) -> int:
        return self.milestones[-1]


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
    boundaries: Annotated[tuple[int, ...], several(STEPS.check)]
    inclusive: Flag = False

    def __post_init__(self) -> None:
        super().__post_init__()
        rising("boundaries", self.boundaries)
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
        return self.boundaries[-1]


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
        rising("at", self.at, strictly=False)
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


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """``base * gamma^(t / every)``, or ``base * exp(-rate * t / every)``.

    Parameters
    ----------
    base : float
    gamma, rate : float
        One of them: the factor, above 0, or the rate of decay.
    every : int
        The number of steps for one multiplication.  Default 1.

    Examples
    --------
    >>> Exponential(1.0, gamma=0.5)(3)
    0.125
    >>> Exponential(1.0, rate=0.01, every=10)(1000)  # exp(-1)
    0.36787944117144233
    """

    base: Finite
    gamma: Annotated[float | None, POSITIVE.or_none().check] = None
    every: Steps = 1
    rate: Annotated[float | None, FINITE.or_none().check] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.gamma is None) == (self.rate is None):
            raise TypeError(
                "gamma: expected one of gamma and rate, found "
                f"gamma={self.gamma} and rate={self.rate}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        if self.gamma is None:
            return self.base * xp.exp(-self.rate * (t / self.every))  # type: ignore[operator]
        return self.base * xp.powers(self.gamma, t / self.every)


@dataclass(frozen=True, repr=False)
class Linear(Schedule):
    """``start + (end - start) * min(t / steps, 1)``.

    Examples
    --------
    >>> s = Linear(0.0, 1.0, steps=4)
    >>> s(0), s(1), s(4), s(9)
    (0.0, 0.25, 1.0, 1.0)
    """

    start: Finite
    end: Finite
    steps: Steps

    def _at(self, t: Any, xp: Any) -> Any:
        return between(self.start, self.end, progress(t, 0, self.steps, xp))

    @property
    def _length(self) -> int:
        return self.steps


@dataclass(frozen=True, repr=False)
class Polynomial(Schedule):
    """``end + (base - end) (1 - min(t / steps, 1))^power``.

    Parameters
    ----------
    base, end : float
        The first and the last value.  end defaults to 0.
    steps : int
        The number of steps from base to end.
    power : float
        Above 0.  Default 1.
    cycle : bool
        Whether, after the end, `steps` is replaced by the least multiple of it that is
        at least t, as in Keras's ``cycle=True``.  Default False.

    Examples
    --------
    >>> s = Polynomial(1.0, steps=10, power=2)
    >>> s(0), s(5), s(10), s(99)
    (1.0, 0.25, 0.0, 0.0)
    """

    base: Finite
    steps: Steps
    power: Positive = 1.0
    end: Finite = 0.0
    cycle: Flag = False

    def _at(self, t: Any, xp: Any) -> Any:
        if self.cycle:
            x = t / (self.steps * xp.maximum(xp.ceil(t / self.steps), 1))
        else:
            x = progress(t, 0, self.steps, xp)
        return between(self.end, self.base, xp.power(1 - x, self.power))

    @property
    def _length(self) -> int:
        return self.steps * (3 if self.cycle else 1)


@dataclass(frozen=True, repr=False)
class InverseTime(Schedule):
    """``base / (1 + rate * t / steps)``.

    Parameters
    ----------
    base, rate : float
        rate is at least 0.
    steps : int
        Default 1.
    staircase : bool
        Whether ``t / steps`` is rounded down.  Default False.

    Examples
    --------
    >>> InverseTime(1.0, rate=0.5, steps=10)(20)
    0.5
    """

    base: Finite
    rate: NotNegative
    steps: Steps = 1
    staircase: Flag = False

    def _at(self, t: Any, xp: Any) -> Any:
        x = t / self.steps
        return self.base / (1 + self.rate * (xp.floor(x) if self.staircase else x))


@dataclass(frozen=True, repr=False)
class InverseSqrt(Schedule):
    """``base / sqrt(1 + t / timescale)``.

    ``InverseSqrt(base, timescale=w).warmup(w)`` rises to base and then falls as
    ``base * sqrt(w / t)``.

    Examples
    --------
    >>> InverseSqrt(1.0, timescale=100)(300)
    0.5
    """

    base: Finite
    timescale: Positive = 1.0

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base / xp.sqrt(1 + t / self.timescale)
