"""The rate with which a race begins, from the sweep."""

from __future__ import annotations

from math import inf

import numpy as np

from lrcore.finder._curve import Curve
from lrcore.finder._levels import few, mean_and_error
from lrcore.finder._rules import minimum, readable
from lrcore.optimizers.base.optimizer import Optimizer

# A sweep is clear if the loss falls by 1.5 standard deviations of the batches.
_CLEAR = 1.5
_SMOOTHING = 0.95
# log10(best rate / guess), and what running means of gradients and of their squares
# add to it: `python bench/fit_prior.py`, on its tuning half, in quarters of a decade.
_USUAL, _OF_MEAN, _OF_SQUARES = 0.25, -0.5, -0.25


def usual(opt: Optimizer) -> float:
    """Return how many times as high as the guess an optimizer's best rate usually is.

    Running means are behind a rate that rises, so the loss rises later in the sweep
    than it would at a constant rate.
    """
    kept = opt.state[0]
    return float(
        10 ** (_USUAL + _OF_MEAN * ("m" in kept) + _OF_SQUARES * ("v" in kept))
    )


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
