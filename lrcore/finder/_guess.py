"""The rate with which a race begins, from the sweep."""

from __future__ import annotations

from math import inf

import numpy as np

from lrcore.finder._curve import Curve
from lrcore.finder._levels import few, mean_and_error
from lrcore.finder._rules import minimum, readable

# A sweep is clear if the loss falls by 3 standard deviations of the batches.
_CLEAR = 3.0
_SMOOTHING = 0.95


def is_clear(sweep: Curve) -> bool:
    """Whether the loss falls by much more than it differs from batch to batch."""
    losses = np.array(sweep.losses)
    first, _, noise = mean_and_error(losses[: few(len(losses))])
    smoothed = sweep.arrays[2][few(len(losses)) :]
    return first - float(np.nanmin(smoothed, initial=inf)) > _CLEAR * noise


def first_guess(sweep: Curve) -> float | None:
    """Return a tenth of the rate of the least loss; None: too few points."""
    points = readable(sweep)
    return None if points is None else minimum(*points)


def paired_guess(sweep: Curve, resting: list[float]) -> float | None:
    """Return the same of the differences to the first params' losses.

    resting : these losses, on the batches of the sweep; if there are fewer, None is
        returned.
    """
    if len(resting) < len(sweep.losses):
        return None
    paired = Curve(sweep.lrs, _SMOOTHING, inf)
    for loss, rest in zip(sweep.losses, resting, strict=False):
        paired.add(loss - rest)
    return first_guess(paired)
