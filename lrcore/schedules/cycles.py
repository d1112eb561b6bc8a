"""Schedules that go up and down: restarts, cycles, one cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from lrcore._shared.domains import FINITE, choice
from lrcore._shared.renamed import renamed
from lrcore._shared.words import shown
from lrcore.schedules._formulas import half_cosine
from lrcore.schedules._parameters import (
    STEPS,
    Finite,
    Flag,
    Fraction,
    Positive,
    Steps,
)
from lrcore.schedules._schedule import Schedule
from lrcore.schedules.stepwise import Interpolate

__all__ = ["CosineRestarts", "Cyclic", "OneCycle"]


def _growth(name: str, value: Any) -> float | int:
    """Return a factor that is 1, or at least 1.01: then few cycles reach 2^53."""
    number = FINITE.check(name, value)
    if number != 1 and number < 1.01:
        raise ValueError(f"{name}: expected 1 or at least 1.01, found {shown(value)}")
    return int(number) if number.is_integer() else number


@renamed(first="every")
@dataclass(frozen=True, repr=False)
class CosineRestarts(Schedule):
    """Half cosines from ``base`` to ``end``; cycle i has ``every * mult^i`` steps.

    Loshchilov & Hutter 2017, "SGDR", eq. 5.  The step of a restart always belongs to
    the new cycle: rounding cannot make it the last step of the cycle before.

    Parameters
    ----------
    base, end : float
        The first value, and the value that each cycle falls to.  end defaults to 0.
    every : int
        The number of steps of a cycle; of the first one if mult is above 1.
    mult : float
        The ratio of the lengths of successive cycles: 1, or at least 1.01.  Default 1.
    gamma : float
        The ratio of the heights above end at which successive cycles begin.  Default 1.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> s = CosineRestarts(1.0, every=10, mult=2)
    >>> s(5), s(10), s(20), s(30)
    (0.5, 1.0, 0.5, 1.0)
    """

    base: Finite
    every: Steps
    mult: Annotated[float, _growth] = 1
    end: Finite = 0.0
    gamma: Positive = 1.0

    @cached_property
    def _restarts(self) -> tuple[float, ...]:
        """The steps in which cycles begin, up to 2^53, where floats are exact."""
        begins, length = [0.0], float(self.every)
        while begins[-1] < 2**53:
            begins.append(begins[-1] + length)
            length *= self.mult
        return (*begins, math.inf)

    def _at(self, t: Any, xp: Any) -> Any:
        if self.mult == 1:
            cycle = xp.floor(t / self.every)
            x = (t - cycle * self.every) / self.every
        else:
            cycle = xp.count(self._restarts, t) - 1
            begin = xp.take(self._restarts, cycle)
            x = (t - begin) / (xp.take(self._restarts, cycle + 1) - begin)
        height = self.base - self.end
        if self.gamma != 1:
            height = height * xp.whole_powers(self.gamma, cycle)
        return self.end + height * half_cosine(x, xp)

    @property
    def _length(self) -> int:
        return int(self.every * (1 + self.mult + self.mult**2))


@dataclass(frozen=True, repr=False)
class Cyclic(Schedule):
    """``base + (peak - base) scale``, where scale goes from 0 to 1 and back again.

    Smith 2017, "Cyclical Learning Rates for Training Neural Networks".  The opposite
    cycle of a momentum is ``Cyclic(highest, lowest, up, down)``.

    Parameters
    ----------
    base, peak : float
        The values at the ends of a cycle and at its turning point.
    up, down : int
        The number of steps of the rise and of the fall.  down defaults to up.
    mode : {"triangular", "triangular2", "exp_range"}
        Whether all cycles are alike, or scale is halved after each cycle, or scale is
        multiplied by ``gamma^t``.  Default triangular.
    gamma : float
        For exp_range, at most 1.  Default 1.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or `gamma` has another use than in exp_range.

    Examples
    --------
    >>> s = Cyclic(0.1, 0.5, up=10, mode="triangular2")
    >>> s(0), s(10), s(20), round(s(30), 9)
    (0.1, 0.5, 0.1, 0.3)
    """

    base: Finite
    peak: Finite
    up: Steps
    down: Annotated[int | None, STEPS.or_none().check] = None
    mode: Annotated[
        Literal["triangular", "triangular2", "exp_range"],
        choice("triangular", "triangular2", "exp_range").check,
    ] = "triangular"
    gamma: Positive = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gamma != 1 and self.mode != "exp_range":
            raise ValueError(
                f'gamma: expected mode="exp_range" with it, found {self.mode!r}'
            )
        if self.gamma > 1:
            raise ValueError(f"gamma: expected at most 1, found {self.gamma}")

    def _at(self, t: Any, xp: Any) -> Any:
        down = self.down or self.up
        cycle = xp.floor(t / (self.up + down))
        within = t - cycle * (self.up + down)
        left = self.up + down - within
        if down == self.up:  # one division less
            scale = xp.minimum(within, left) / down
        else:
            scale = xp.minimum(within / self.up, left / down)
        if self.mode == "triangular2":
            scale = scale * xp.whole_powers(0.5, cycle)
        elif self.mode == "exp_range":
            scale = scale * xp.powers(self.gamma, t)
        return xp.between(self.base, self.peak, scale)

    @property
    def _length(self) -> int:
        return 4 * (self.up + (self.down or self.up))


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """Up to peak, and down almost to 0 (Smith & Topin 2018, "Super-Convergence").

    The value rises from ``peak / div`` to ``peak`` in a fraction `pct_start` of the
    steps, then falls to ``peak / div / final_div``, where it stays.

    Parameters
    ----------
    peak : float
        The highest value.
    total : int
        The number of steps, at least 2.
    pct_start : float
        The fraction of the steps in which it rises, below 1.  Default 0.3.
    div, final_div : float
        Default 25, 1e4.  fastai's final value is ``peak / 1e5``: a final_div of 4,000.
    shape : {"cosine", "linear"}
        The shape of rise and fall.  Default cosine.
    three_phase : bool
        Whether it first falls to ``peak / div``, in the same number of steps as it
        rose, then on to the final value.  pct_start is at most 0.5.  Default False.
    inclusive : bool
        Whether step ``total - 1`` has the final value, and the other phases end one
        step earlier, too, as in torch; otherwise step `total` is the first with the
        final value, as in fastai and optax.  Default True.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, a value would be infinite, or three phases do
        not fit.

    Examples
    --------
    >>> s = OneCycle(1.0, total=10, div=10)
    >>> s(0), s(2), s(9), s.momentum()(2)
    (0.1, 1.0, 1e-05, 0.85)
    """

    peak: Finite
    total: Steps
    pct_start: Fraction = 0.3
    div: Positive = 25.0
    final_div: Positive = 1e4
    shape: Annotated[Literal["cosine", "linear"], choice("cosine", "linear").check] = (
        "cosine"
    )
    three_phase: Flag = False
    inclusive: Flag = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.total < 2:
            raise ValueError(f"total: expected at least 2 steps, found {self.total}")
        if self.pct_start == 1:
            raise ValueError("pct_start: expected less than 1, found 1: it must fall")
        if self.three_phase and not (self._turn and self.pct_start <= 0.5):
            raise ValueError(
                "pct_start: with three_phase, expected a rise of more than 0 steps and "
                f"at most half of total = {self.total}, found {self.pct_start}"
            )
        if not (math.isfinite(self._first) and math.isfinite(self._last)):
            raise ValueError(
                "div, final_div: expected finite values at both ends, found "
                f"{self._first} and {self._last}"
            )

    @property
    def _first(self) -> float:
        return self.peak / self.div

    @property
    def _last(self) -> float:
        return self._first / self.final_div

    @property
    def _turn(self) -> float:
        """The step in which it is at the peak."""
        return max(self.pct_start * self.total - self.inclusive, 0.0)

    def _through(self, *values: float) -> Interpolate:
        """Return the curve through these values, one for each end of a phase."""
        back = (2 * self._turn,) if self.three_phase else ()
        last = self.total - self.inclusive
        return Interpolate(values, (0.0, self._turn, *back, last), self.shape)

    @cached_property
    def _curve(self) -> Interpolate:
        back = (self._first,) if self.three_phase else ()
        return self._through(self._first, self.peak, *back, self._last)

    def momentum(self, low: float = 0.85, high: float = 0.95) -> Interpolate:
        """Return the opposite schedule for the momentum: low at the rate's peak."""
        low, high = FINITE.check("low", low), FINITE.check("high", high)
        return self._through(high, low, *((high,) if self.three_phase else ()), high)

    def _at(self, t: Any, xp: Any) -> Any:
        return self._curve._at(t, xp)

    @property
    def _length(self) -> int:
        return self.total
