"""Schedules of other schedules, in time: warm-up, one after another, by epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from lrcore._shared.domains import choice
from lrcore.schedules._operands import Inner, Several, inner, operand, unchecked
from lrcore.schedules._parameters import (
    MOMENTS,
    Flag,
    Fraction,
    MaybeNoSteps,
    Moments,
    Steps,
    are_sorted,
)
from lrcore.schedules._schedule import MAKERS, Operand, Schedule

__all__ = ["Join", "PerEpoch", "Warmup", "join"]


@dataclass(frozen=True, repr=False)
class Warmup(Schedule):
    """Rise to ``after(0)`` over the first steps, then follow ``after(t - steps)``.

    With ``x = (t + first) / steps``, after(0) is multiplied by

    - linear: ``start + (1 - start) x``
    - exponential: ``start^(1 - x)``
    - log: ``start + (1 - start) log(t + 1) / log(steps)`` (DeepSpeed's WarmupLR)

    Parameters
    ----------
    steps : int
        The number of steps of the warm-up; 0 is no warm-up.
    after : Schedule, function or number
        The schedule that follows; it counts from its own start.
    start : float
        The factor at x = 0, from 0 to 1; above 0 if shape is exponential.  Default 0.
    shape : {"linear", "exponential", "log"}
        Default linear.
    first : {0, 1}
        With 1, the default, the first step is already above `start`, and the last step
        of the warm-up reaches after(0).  With 0, as in torch, Keras, optax and
        transformers, the first step is at `start`, and the step after the warm-up is
        the first to reach after(0).

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, `start` is 0 in an exponential warm-up, or
        `first` 0 in a log one.

    Examples
    --------
    >>> from lrcore.schedules import Constant
    >>> s = Warmup(4, Constant(1.0))
    >>> s(0), s(3), s(4)
    (0.25, 1.0, 1.0)
    >>> s = Constant(1.0).warmup(2, start=0.01, shape="exponential", first=0)
    >>> s(0), s(1), s(2)
    (0.01, 0.1, 1.0)
    """

    steps: MaybeNoSteps
    after: Inner
    start: Fraction = 0.0
    shape: Annotated[
        Literal["linear", "exponential", "log"],
        choice("linear", "exponential", "log").check,
    ] = "linear"
    first: Annotated[Literal[0, 1], choice(0, 1).check] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape == "exponential" and self.start == 0:
            raise ValueError("start: expected a factor > 0 to rise from, found 0")
        if self.shape == "log" and self.first == 0:
            raise ValueError("first: expected 1 with a log warm-up, found 0")

    def _at(self, t: Any, xp: Any) -> Any:
        passed = xp.count((self.steps,), t)
        if type(passed) is int and passed:
            return self.after._at(t - self.steps, xp)
        rising = self._factor(t, xp) * self._first
        if type(passed) is int:
            return rising
        after = self.after._at(xp.maximum(t - self.steps, 0), xp)
        return xp.where(passed, after, rising)

    @cached_property
    def _first(self) -> float:
        return self.after(0)

    def _factor(self, t: Any, xp: Any) -> Any:
        if self.shape == "log" and self.steps > 1:
            return xp.between(self.start, 1.0, xp.log(t + 1.0) / math.log(self.steps))
        x = (t + self.first) / self.steps
        if self.shape == "exponential":
            return xp.power(self.start, 1 - x)
        return xp.between(self.start, 1.0, x)

    @property
    def _length(self) -> int:
        return self.steps + self.after._length


@dataclass(frozen=True, repr=False)
class Join(Schedule):
    """One schedule after another, each counting from its own start.

    ``schedules[k](t - at[k-1])`` from step ``at[k-1]`` until ``at[k]``.  If two steps
    are the same, the schedule between them is left out.

    Parameters
    ----------
    schedules : sequence of Schedule, function or number
        At least one.
    at : sequence of int
        The first step of each schedule but the first, in order.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, `at` is not in order, or has not one step less
        than there are schedules.

    Examples
    --------
    >>> from lrcore.schedules import Constant
    >>> s = Join((Constant(1.0), Constant(0.5).warmup(5)), at=(5,))
    >>> s(4), s(5), s(9)
    (1.0, 0.1, 0.5)
    >>> s == Constant(1.0).then(5, Constant(0.5).warmup(5))
    True
    """

    schedules: Several
    at: Moments

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.schedules) != len(self.at) + 1:
            raise ValueError(
                f"at: expected {len(self.schedules) - 1} steps for "
                f"{len(self.schedules)} schedules, found {len(self.at)}"
            )
        are_sorted("at", self.at)

    def _at(self, t: Any, xp: Any) -> Any:
        begins = (0, *self.at)
        k = xp.count(self.at, t)
        if type(k) is int:
            return self.schedules[k]._at(t - begins[k], xp)
        value: Any = math.nan
        for i in range(k.min(), k.max() + 1):
            here = self.schedules[i]._at(xp.maximum(t - begins[i], 0), xp)
            value = xp.where(t >= begins[i], here, value)
        return value

    @property
    def _length(self) -> int:
        return (0, *self.at)[-1] + self.schedules[-1]._length


def join(schedules: Sequence[Operand], at: Sequence[int]) -> Join:
    """Put schedules one after another: ``Join(schedules, at)``.

    Parameters
    ----------
    schedules, at
        As of `Join`.

    Returns
    -------
    Join

    Raises
    ------
    TypeError, ValueError
        A schedule, or `at`, is wrong: see `Join`.

    Examples
    --------
    >>> s = join([0.1, 0.01], at=[5])
    >>> s(4), s(5)
    (0.1, 0.01)
    """
    return Join(schedules, at)  # type: ignore[arg-type] # which makes tuples of them


def _then(first: Schedule, at: int, other: Operand) -> Join:
    """Return ``first.then(at, other)``; a join that another one follows is one join."""
    schedule = inner("other", operand("other", other))
    (begin,) = MOMENTS("at", (at,))
    if not isinstance(first, Join) or (first.at and begin < first.at[-1]):
        return Join((first, schedule), (begin,))
    return unchecked(
        Join,
        max(first._depth, schedule._depth + 1),
        schedules=(*first.schedules, schedule),
        at=(*first.at, begin),
    )


@dataclass(frozen=True, repr=False)
class PerEpoch(Schedule):
    """A schedule that counts epochs: ``of(t // steps)``.

    Parameters
    ----------
    of : Schedule, function or number
        The schedule, as a function of the epoch.
    steps : int
        The number of steps of an epoch.
    fractional : bool
        Whether it also changes within an epoch: ``of(t / steps)``.  Default False.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> from lrcore.schedules import Constant
    >>> s = Constant(1.0).then(2, Constant(0.1)).per_epoch(100)
    >>> s(199), s(200)
    (1.0, 0.1)
    """

    of: Inner
    steps: Steps
    fractional: Flag = False

    def _at(self, t: Any, xp: Any) -> Any:
        epoch = t / self.steps
        if self.fractional:
            return self.of._at(epoch, xp)
        return xp.distinct(self.of._at, xp.floor(epoch))

    @property
    def _length(self) -> int:
        return self.steps * self.of._length


MAKERS.per_epoch = PerEpoch
MAKERS.then = _then
MAKERS.warmup = Warmup
