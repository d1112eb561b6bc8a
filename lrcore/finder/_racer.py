"""A rate in a race, and what its losses tell beside those of another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Literal

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
# The final loss is the mean over the last 20 % of the steps.
_TAIL = 0.2
# The level by which the leader is chosen is the mean over the last third.
_LEVEL = 1 / 3

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
        end = len(self.losses)
        return self._mean(int((1 - _LEVEL) * end), end).mean

    @property
    def final(self) -> float:
        """The mean loss of the last fifth of its steps; inf: it diverged."""
        return inf if self.out == "diverged" else self.end_at(len(self.losses)).mean

    def end_at(self, end: int) -> Mean:
        """Return the mean loss of the last fifth of its first `end` steps."""
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


def is_behind(racer: Racer, leader: Racer, steps: int) -> bool:
    """Whether a racer is behind, and will be at the end of a race of `steps` steps.

    The differences over the latter half of the steps are extrapolated by their change
    in it, if they become smaller.
    """
    end = len(racer.losses)
    paired = _paired(racer, leader)
    if len(paired) < _FEWEST:
        return False
    mean, error, _ = mean_and_error(paired)
    paired, half = clipped(paired), (len(paired) + 1) // 2
    early, late = paired[:half], paired[half:]  # a quarter of `end` apart
    closing = min(float(late.mean() - early.mean()), 0.0) / (0.25 * end)
    chance = max(CLEAR * error, _ROUNDING * abs(leader.level))
    return mean > chance and mean + closing * (steps - 0.75 * end) > 0


def _paired(racer: Racer, other: Racer) -> Array:
    """Return the finite differences over the latter half of the common steps."""
    end = min(len(racer.losses), len(other.losses))
    paired: Array = racer.seen(end // 2, end) - other.seen(end // 2, end)
    return paired[np.isfinite(paired)]
