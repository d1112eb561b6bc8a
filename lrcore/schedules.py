"""Learning-rate schedules: pure functions of the step, composed by plain calls.

A schedule is called with the number of steps taken before, 0 for the first, and gives
the value of the next one: a float for an int, a float64 array for an array.  There is
nothing to advance and nothing to resume.  It is a frozen value: comparable, hashable,
and its ``repr`` evaluates back to it.  Past its last step it holds its last value.

Any callable of the step will do for an optimizer; these check their parameters when
they are made.  A number comes from the C library's functions and an array from NumPy's,
which may differ in the last bit.

Examples
--------
>>> import numpy as np
>>> from lrcore.schedules import Cosine
>>> lr = Cosine(0.5, total=100).warmup(10)
>>> lr(0), lr(9), lr(10), lr(60), lr(1000)
(0.05, 0.5, 0.5, 0.25, 0.0)
>>> lr(np.array([0, 9, 10, 60, 1000])).round(6)
array([0.05, 0.5 , 0.5 , 0.25, 0.  ])
>>> lr
Warmup(steps=10, after=Cosine(base=0.5, total=100, end=0.0))
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, overload

import numpy as np

from lrcore._numbers import real, whole
from lrcore._typing import Array

__all__ = ["Constant", "Cosine", "Exponential", "Join", "Linear", "Schedule",
           "StepDecay", "Warmup"]  # fmt: skip


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return math.inf


# What a formula takes from NumPy for arrays, for a single number (50 times as fast).
_NUMBER = SimpleNamespace(cos=math.cos, minimum=min, power=_power)


class Schedule(ABC):
    """A pure function of the step; see the module."""

    @overload
    def __call__(self, t: int | float) -> float: ...
    @overload
    def __call__(self, t: Array) -> Array: ...
    def __call__(self, t: Any) -> Any:
        """Return the value after t steps; t is a number or an array, at least 0."""
        if isinstance(t, np.ndarray):
            if not (t >= 0).all():
                raise ValueError("t: expected steps >= 0, found a smaller one or NaN")
            return np.broadcast_to(self._at(t.astype(np.float64), np), t.shape).copy()
        if not t >= 0:
            raise ValueError(f"t: expected a step >= 0, found {t!r}")
        return float(self._at(t, _NUMBER))

    @abstractmethod
    def _at(self, t: Any, xp: Any) -> Any:
        """Evaluate the formula, with functions of xp: NumPy, or those for a number."""

    def warmup(self, steps: int) -> Warmup:
        """Rise linearly to this schedule's first value, then follow it."""
        return Warmup(steps, self)

    def then(self, at: int, other: Schedule) -> Join:
        """Follow this schedule up to step `at`, and the other from there on."""
        _schedule("other", other)
        return Join((self, other), (at,))


@dataclass(frozen=True)
class Constant(Schedule):
    """``base``.

    Examples
    --------
    >>> Constant(0.1)(7)
    0.1
    """

    base: float

    def __post_init__(self) -> None:
        _finite("base", self.base)

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base


@dataclass(frozen=True)
class StepDecay(Schedule):
    """``base * gamma^floor(t / every)``: multiplied by gamma every so many steps.

    Examples
    --------
    >>> s = StepDecay(1.0, gamma=0.5, every=10)
    >>> s(9), s(10), s(25)
    (1.0, 0.5, 0.25)
    """

    base: float
    gamma: float
    every: int

    def __post_init__(self) -> None:
        _finite("base", self.base)
        _positive("gamma", self.gamma)
        _steps("every", self.every)

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base * xp.power(self.gamma, t // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """``base * gamma^t``.

    Examples
    --------
    >>> Exponential(1.0, gamma=0.5)(3)
    0.125
    """

    base: float
    gamma: float

    def __post_init__(self) -> None:
        _finite("base", self.base)
        _positive("gamma", self.gamma)

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base * xp.power(self.gamma, t)


@dataclass(frozen=True)
class Linear(Schedule):
    """``start + (end - start) * min(t / steps, 1)``.

    Examples
    --------
    >>> s = Linear(0.0, 1.0, steps=4)
    >>> s(0), s(1), s(4), s(9)
    (0.0, 0.25, 1.0, 1.0)
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        _finite("start", self.start)
        _finite("end", self.end)
        _steps("steps", self.steps)

    def _at(self, t: Any, xp: Any) -> Any:
        x = xp.minimum(t / self.steps, 1.0)
        return self.start * (1 - x) + self.end * x


@dataclass(frozen=True)
class Cosine(Schedule):
    """``end + (base - end) (1 + cos(pi min(t / total, 1))) / 2``.

    Half a cosine from base to end (Loshchilov & Hutter 2017, "SGDR", eq. 5, without the
    restarts).

    Examples
    --------
    >>> s = Cosine(1.0, total=100)
    >>> s(0), s(50), s(100), s(1000)
    (1.0, 0.5, 0.0, 0.0)
    """

    base: float
    total: int
    end: float = 0.0

    def __post_init__(self) -> None:
        _finite("base", self.base)
        _steps("total", self.total)
        _finite("end", self.end)

    def _at(self, t: Any, xp: Any) -> Any:
        x = (1 + xp.cos(math.pi * xp.minimum(t / self.total, 1.0))) / 2
        return self.base * x + self.end * (1 - x)


@dataclass(frozen=True)
class Warmup(Schedule):
    """``after(0) (t + 1) / steps`` for the first steps, then ``after(t - steps)``.

    The first step is not wasted on a rate of 0, and the last of the warm-up reaches
    after(0).

    Examples
    --------
    >>> s = Warmup(4, Constant(1.0))
    >>> s(0), s(3), s(4)
    (0.25, 1.0, 1.0)
    """

    steps: int
    after: Schedule

    def __post_init__(self) -> None:
        _steps("steps", self.steps)
        _schedule("after", self.after)

    def _at(self, t: Any, xp: Any) -> Any:
        if xp is np:
            rising = self.after._at(np.zeros(()), np) * ((t + 1) / self.steps)
            later = self.after._at(np.maximum(t - self.steps, 0), np)
            return np.where(t < self.steps, rising, later)
        if t < self.steps:
            return self.after._at(0, xp) * ((t + 1) / self.steps)
        return self.after._at(t - self.steps, xp)


@dataclass(frozen=True)
class Join(Schedule):
    """One schedule after another, each counting from its own start.

    ``schedules[k](t - at[k-1])`` from step ``at[k-1]`` until ``at[k]``.

    Examples
    --------
    >>> s = Join((Constant(1.0), Linear(1.0, 0.0, steps=10)), at=(5,))
    >>> s(4), s(5), s(10), s(15)
    (1.0, 1.0, 0.5, 0.0)
    >>> s == Constant(1.0).then(5, Linear(1.0, 0.0, steps=10))
    True
    """

    schedules: tuple[Schedule, ...]
    at: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedules", tuple(self.schedules))
        object.__setattr__(self, "at", tuple(self.at))
        for k, schedule in enumerate(self.schedules):
            _schedule(f"schedules[{k}]", schedule)
        for k, at in enumerate(self.at):
            _steps(f"at[{k}]", at)
        if len(self.schedules) != len(self.at) + 1:
            raise ValueError(
                f"at: expected {len(self.schedules) - 1} steps for "
                f"{len(self.schedules)} schedules, found {len(self.at)}"
            )
        if any(a >= b for a, b in zip(self.at, self.at[1:], strict=False)):
            raise ValueError(f"at: expected rising steps, found {self.at}")

    def _at(self, t: Any, xp: Any) -> Any:
        begins = (0, *self.at)
        if xp is np:
            value: Any = math.nan
            for begin, schedule in zip(begins, self.schedules, strict=True):
                here = schedule._at(np.maximum(t - begin, 0), np)
                value = np.where(t >= begin, here, value)
            return value
        k = sum(t >= at for at in self.at)
        return self.schedules[k]._at(t - begins[k], xp)


# --- parameters -----------------------------------------------------------------------


def _finite(name: str, value: Any) -> None:
    if not math.isfinite(real(name, value, "a finite number")):
        raise ValueError(f"{name}: expected a finite number, found {value!r}")


def _positive(name: str, value: Any) -> None:
    _finite(name, value)
    if value <= 0:
        raise ValueError(f"{name}: expected a number > 0, found {value!r}")


def _steps(name: str, value: Any) -> None:
    whole(name, value, "a number of steps, an int >= 1", least=1)


def _schedule(name: str, value: Any) -> None:
    if not isinstance(value, Schedule):
        raise TypeError(f"{name}: expected a schedule of this module, found {value!r}")
