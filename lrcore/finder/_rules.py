"""Rules that read a learning rate off the curve of a range test.

Slopes are changes of the loss over log lr, whose unit is the mean spacing of the rates:
from one rate to the next if they rise exponentially.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from lrcore._shared.types import Array
from lrcore.finder._curve import Curve, places
from lrcore.finder._levels import SKIP_FIRST, SKIP_LAST

FEWEST = 20
"""The fewest points of a curve that can be read, and the fewest steps of a trial."""

# Width in points and slope in loss a point, as in fastai.
_SLIDE_WIDTH, _SLIDE_SLOPE = 15, 0.005


def readable(sweep: Curve) -> tuple[Array, Array] | None:
    """Return the rates and smoothed losses that the rules look at; None: too few.

    They ignore the first 10 % of the points and the last 5, as fastai does, and losses
    that are not finite.
    """
    lrs, losses, smoothed = sweep.arrays
    finite = np.isfinite(losses)
    lrs, smoothed = lrs[finite], smoothed[finite]
    first, last = int(len(lrs) * SKIP_FIRST), len(lrs) - SKIP_LAST
    if last - first < FEWEST - SKIP_LAST - int(FEWEST * SKIP_FIRST):
        return None
    return lrs[first:last], smoothed[first:last]


def read(sweep: Curve) -> dict[str, float]:
    """Return the rate that each rule suggests; an empty dict for too few points."""
    points = readable(sweep)
    return {} if points is None else {rule.__name__: rule(*points) for rule in _RULES}


def valley(lrs: Array, smoothed: Array) -> float:
    """Return the rate half-way (1/3 + 1/6) along the longest fall of the loss.

    The longest fall is the longest strictly decreasing subsequence, so that noise does
    not end it.  Of n members, it counts as beginning n points before its end.
    """
    ends: list[float] = []  # of falls of 1, 2, ... points: the highest loss, negative
    longest = end = 0
    for i, value in enumerate((-smoothed).tolist()):
        before = bisect_left(ends, value)  # points of the longest fall to here
        ends[before : before + 1] = [value]
        if before >= longest:
            longest, end = before + 1, i
    third = longest / 3
    return float(lrs[end - longest + int(third) + int(third / 2)])


def slide(lrs: Array, smoothed: Array) -> float:
    """Return the left end of an interval that slides left from the end of the curve.

    It spans 15 points, and stops when the slopes at its ends differ by at most 0.005;
    the last place before that counts.
    """
    width = min(_SLIDE_WIDTH, len(lrs) - 1)
    slope = np.gradient(smoothed, places(lrs))
    alike = np.flatnonzero(np.abs(slope[width:] - slope[:-width]) <= _SLIDE_SLOPE)
    left = alike[-1] + 1 if len(alike) else 0
    return float(lrs[min(left, len(lrs) - width - 1)])


def minimum(lrs: Array, smoothed: Array) -> float:
    """Return a tenth of the rate of the least loss."""
    return float(lrs[smoothed.argmin()] / 10)


def steep(lrs: Array, smoothed: Array) -> float:
    """Return the rate where the loss falls fastest by log lr."""
    return float(lrs[np.gradient(smoothed, places(lrs)).argmin()])


_RULES = (valley, slide, minimum, steep)
