"""A rate in a race, and what its losses tell beside those of another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite, nan
from typing import Literal, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.finder._levels import (
    NONFINITE,
    Mean,
    clipped,
    mean_and_error,
    middle,
)

# A mean difference of 2 standard errors is not due to chance.
CLEAR = 2.0
# The leader is the best of several: it needs 3 to be better than the first params.
CLEAR_OF_MANY = 3.0
# The fewest differences that tell something.
_FEWEST = 4
# Rounding of means in float64 by which losses may differ that would be equal.
_ROUNDING = 1e-14
# The losses whose median says whether a racer diverges.
_RECENT = 10
# The loss at the end of some steps is the mean over their last third.
_TAIL = 1 / 3

Out = Literal["", "diverged", "behind"]


@dataclass(eq=False)
class Racer:
    """A rate in the race.

    place : where its rate lies; see `Race.rate`.
    stride : every so many of its losses are looked at.
    losses : those of its steps so far.
    out : why it has left the race, or "".
    """

    place: int
    stride: int = 1
    losses: list[float] = field(default_factory=list)
    out: Out = ""
    _means: dict[tuple[int, int], Mean] = field(default_factory=dict)
    _array: tuple[list[float], Array] = field(default_factory=lambda: ([], np.empty(0)))

    def fails(self) -> bool:
        """Whether its last losses are not finite."""
        losses = self.losses
        if not losses or isfinite(losses[-1]) or len(losses) < NONFINITE:
            return False
        return not any(map(isfinite, losses[-NONFINITE:]))

    def diverges(self, limit: float) -> bool:
        """Whether its last losses are not finite, or their median exceeds a limit."""
        last = sorted(filter(isfinite, self.losses[-_RECENT:]))
        return self.fails() or (len(last) > 0 and middle(last) > limit)

    @property
    def level(self) -> float:
        """The mean loss of the last third of its steps."""
        return self.end_at(len(self.losses)).mean

    @property
    def final(self) -> float:
        """The same; inf: it diverged."""
        return inf if self.out == "diverged" else self.level

    def end_at(self, end: int) -> Mean:
        """Return the mean loss of the last third of its first `end` steps."""
        return self._mean(int((1 - _TAIL) * end), end)

    def _mean(self, first: int, end: int) -> Mean:
        """Return the mean loss from step `first` to `end`, which is asked for often."""
        steps = first, min(end, len(self.losses))
        if steps not in self._means:
            self._means[steps] = mean_and_error(self.seen(*steps))
        return self._means[steps]

    def seen(self, first: int = 0, end: int | None = None) -> Array:
        """Return the losses that are looked at, from step `first` to `end`."""
        losses, array = self._array
        if losses is not self.losses or len(array) != len(losses):
            array = np.array(self.losses, float)
            self._array = self.losses, array
        first += -first % self.stride
        return array[first : end : self.stride]


def gap(racer: Racer, other: Racer) -> Mean:
    """Return by how much a racer is behind another one.

    The mean of the paired differences over the latter half of their common steps.
    """
    return mean_and_error(_paired(racer, other))


def leads(racer: Racer, other: Racer) -> bool:
    """Whether a racer has smaller losses than another one, not by chance."""
    paired = _paired(other, racer)
    mean, error, _ = mean_and_error(paired)
    chance = max(CLEAR_OF_MANY * error, _ROUNDING * abs(racer.level))
    return len(paired) >= _FEWEST and mean > chance


class Trend(NamedTuple):
    """How two racers stand to each other, and how that changes.

    mean, error : of the paired differences over the latter half of the steps.
    slope : their change in a step.
    number : of these differences.
    centre : the step to which the mean belongs.
    """

    mean: float
    error: float
    slope: float
    number: int
    centre: float

    def at(self, step: int) -> float:
        """Return the difference at a step, if it goes on to change so."""
        return self.mean + self.slope * (step - self.centre)


def trend(racer: Racer, other: Racer) -> Trend:
    """Return by how much a racer is behind another one, and how fast that changes."""
    end = min(len(racer.losses), len(other.losses))
    paired = _paired(racer, other)
    number = len(paired)
    if number < _FEWEST:
        return Trend(nan, inf, nan, number, 0.75 * end)
    mean, error, _ = mean_and_error(paired)
    paired, half = clipped(paired), (number + 1) // 2
    early, late = paired[:half], paired[half:]  # a quarter of `end` apart
    slope = float(late.mean() - early.mean()) / (0.25 * end)
    return Trend(mean, error, slope, number, 0.75 * end)


def gap_at_end(racer: Racer, other: Racer) -> float:
    """Return by how much a racer is behind another one in the end.

    The mean of the paired differences over the last third of their common steps.
    """
    end = min(len(racer.losses), len(other.losses))
    first = int((1 - _TAIL) * end)
    return mean_and_error(racer.seen(first, end) - other.seen(first, end)).mean


def is_behind(racer: Racer, leader: Racer, steps: int) -> bool:
    """Whether a racer is behind, and will be at the end of a race of `steps` steps.

    The differences over the latter half of the steps are extrapolated by their change
    in it, if they become smaller.
    """
    now = trend(racer, leader)
    if now.number < _FEWEST:
        return False
    chance = max(CLEAR * now.error, _ROUNDING * abs(leader.level))
    return now.mean > chance and (now.slope >= 0 or now.at(steps) > 0)


def _paired(racer: Racer, other: Racer) -> Array:
    """Return the finite differences over the latter half of the common steps."""
    end = min(len(racer.losses), len(other.losses))
    paired: Array = racer.seen(end // 2, end) - other.seen(end // 2, end)
    return paired[np.isfinite(paired)]
