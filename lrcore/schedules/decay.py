"""Schedules that decay steadily, or go from one value to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from lrcore._shared.domains import FINITE, POSITIVE
from lrcore._shared.renamed import renamed
from lrcore.schedules._parameters import (
    Finite,
    Flag,
    MaybeNoSteps,
    NotNegative,
    Positive,
    Steps,
)  # fmt: skip
from lrcore.schedules._schedule import Schedule

__all__ = ["Exponential", "InverseSqrt", "InverseTime", "Linear", "Polynomial"]


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """``base * gamma^(t / every)``, or ``base * exp(-rate * t / every)``.

    Parameters
    ----------
    base : float
        The first value.
    gamma, rate : float
        One of them: the factor, above 0, or the rate of decay.
    every : int
        The number of steps for one multiplication.  Default 1.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or not exactly one of gamma and rate is given.

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
        x = t if self.every == 1 else t / self.every
        if self.gamma is None:
            return self.base * xp.exps(-self.rate * x)  # type: ignore[operator] # given, as gamma is not
        return self.base * xp.powers(self.gamma, x)


@renamed(start="base", steps="total")
@dataclass(frozen=True, repr=False)
class Linear(Schedule):
    """``base + (end - base) * min(t / total, 1)``.

    Parameters
    ----------
    base, end : float
        The first and the last value.
    total : int
        The number of steps from base to end; 0 as in `Cosine`.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> s = Linear(0.0, 1.0, total=4)
    >>> s(0), s(1), s(4), s(9)
    (0.0, 0.25, 1.0, 1.0)
    """

    base: Finite
    end: Finite
    total: MaybeNoSteps

    def _at(self, t: Any, xp: Any) -> Any:
        return xp.between(self.base, self.end, xp.progress(t, 0, self.total))

    @property
    def _length(self) -> int:
        return self.total


@renamed(steps="total")
@dataclass(frozen=True, repr=False)
class Polynomial(Schedule):
    """``end + (base - end) (1 - min(t / total, 1))^power``.

    Parameters
    ----------
    base, end : float
        The first and the last value.  end defaults to 0.
    total : int
        The number of steps from base to end; 0 as in `Cosine`.
    power : float
        Above 0.  Default 1.
    cycle : bool
        Whether, after the end, `total` is replaced by the least multiple of it that is
        at least t, as in Keras's ``cycle=True``.  Default False.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or `total` is 0 with `cycle`.

    Examples
    --------
    >>> s = Polynomial(1.0, total=10, power=2)
    >>> s(0), s(5), s(10), s(99)
    (1.0, 0.25, 0.0, 0.0)
    """

    base: Finite
    total: MaybeNoSteps
    power: Positive = 1.0
    end: Finite = 0.0
    cycle: Flag = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cycle and not self.total:
            raise ValueError("total: expected at least 1 in a cycle, found 0")

    def _at(self, t: Any, xp: Any) -> Any:
        if self.cycle:
            x = t / (self.total * xp.maximum(xp.ceil(t / self.total), 1))
        else:
            x = xp.progress(t, 0, self.total)
        return xp.between(self.end, self.base, xp.power(1 - x, self.power))

    @property
    def _length(self) -> int:
        return self.total * (3 if self.cycle else 1)


@renamed(steps="every")
@dataclass(frozen=True, repr=False)
class InverseTime(Schedule):
    """``base / (1 + rate * t / every)``.

    Parameters
    ----------
    base, rate : float
        The first value, and the rate of decay, at least 0.
    every : int
        The number of steps that are the unit of time.  Default 1.
    staircase : bool
        Whether ``t / every`` is rounded down.  Default False.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> InverseTime(1.0, rate=0.5, every=10)(20)
    0.5
    """

    base: Finite
    rate: NotNegative
    every: Steps = 1
    staircase: Flag = False

    def _at(self, t: Any, xp: Any) -> Any:
        x = t / self.every
        return self.base / (1 + self.rate * (xp.floor(x) if self.staircase else x))


@dataclass(frozen=True, repr=False)
class InverseSqrt(Schedule):
    """``base / sqrt(1 + t / timescale)``.

    ``InverseSqrt(base, timescale=w).warmup(w)`` rises to base and then falls as
    ``base * sqrt(w / t)``.

    Parameters
    ----------
    base : float
        The first value.
    timescale : float
        The number of steps after which it is ``base / sqrt(2)``, above 0.  Default 1.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> InverseSqrt(1.0, timescale=100)(300)
    0.5
    """

    base: Finite
    timescale: Positive = 1.0

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base / xp.sqrt(1 + t / self.timescale)
