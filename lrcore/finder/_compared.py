"""How two racers stand to each other, by the differences of their losses.

Two rates that train on the same batches have much of the noise in common.  It falls out
of the differences batch by batch.
"""

from __future__ import annotations

from math import inf, nan
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.finder._levels import Mean, clipped, mean_and_error, mean_of
from lrcore.finder._racer import Racer, tail

# A mean difference of 2 standard errors is not due to chance.
CLEAR = 2.0
# The leader is the best of several: it needs 3 to be better than the first params.
CLEAR_OF_MANY = 3.0
# The fewest differences that tell something.
_FEWEST = 4
# Rounding of means in float64 by which losses may differ that would be equal.
_ROUNDING = 1e-14


def gap(racer: Racer, other: Racer) -> Mean:
    """Return by how much a racer is behind another one.

    The mean of the paired differences over the latter half of their common steps.
    """
    return mean_of(_paired(racer, other))


def gap_at_end(racer: Racer, other: Racer) -> float:
    """Return by how much a racer is behind another one in the end.

    The mean of the paired differences over the last third of their common steps.
    """
    end = _common(racer, other)
    first = tail(end)
    return mean_and_error(racer.seen(first, end) - other.seen(first, end)).mean


def leads(racer: Racer, other: Racer) -> bool:
    """Whether a racer has smaller losses than another one, not by chance."""
    paired = _paired(other, racer)
    mean, error, _ = mean_of(paired)
    chance = max(CLEAR_OF_MANY * error, _ROUNDING * abs(racer.level))
    return len(paired) >= _FEWEST and mean > chance


class Trend(NamedTuple):
    """By how much a racer is behind another one, and how that changes.

    mean, error : of the paired differences over the latter half of the common steps;
        NaN and inf if these are too few.
    slope : their change in a step.
    centre : the step to which the mean belongs.
    chance : a mean up to this may be due to chance.
    """

    mean: float
    error: float
    slope: float
    centre: float
    chance: float

    def at(self, step: int) -> float:
        """Return the difference at a step, if it goes on to change so."""
        return self.mean + self.slope * (step - self.centre)

    def lasts(self, steps: int) -> bool:
        """Whether the racer is behind, and will be at the end of `steps` steps.

        The differences are extrapolated if they become smaller.
        """
        return self.mean > self.chance and (self.slope >= 0 or self.at(steps) > 0)


def trend(racer: Racer, other: Racer) -> Trend:
    """Return by how much a racer is behind another one, and how that changes."""
    end, paired = _common(racer, other), _paired(racer, other)
    centre, half = 0.75 * end, (len(paired) + 1) // 2
    if len(paired) < _FEWEST:
        return Trend(nan, inf, nan, centre, inf)
    mean, error, _ = mean_of(paired)
    early, late = paired[:half], paired[half:]  # a quarter of `end` apart
    slope = float(late.mean() - early.mean()) / (0.25 * end)
    chance = max(CLEAR * error, _ROUNDING * abs(other.level))
    return Trend(mean, error, slope, centre, chance)


def _common(racer: Racer, other: Racer) -> int:
    """Return how many steps both have taken."""
    return min(len(racer.losses), len(other.losses))


def _paired(racer: Racer, other: Racer) -> Array:
    """Return the differences over the latter half of the common steps.

    Those that are not finite are left out, and those far from the median are clipped.
    """
    end = _common(racer, other)
    paired = racer.seen(end // 2, end) - other.seen(end // 2, end)
    return clipped(paired[np.isfinite(paired)])
