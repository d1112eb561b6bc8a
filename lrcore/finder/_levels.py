"""Levels of a curve: its first loss, the range to show, and the least clear fall."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array

# Ignore the first 10 % of the points and the last 5, as fastai does.
SKIP_FIRST, SKIP_LAST = 0.1, 5
NONFINITE = 3
"""So many losses in a row that are not finite end a sweep or a trial."""

# A fall below this fraction of the loss may come from rounding in float32.
_ROUNDING = 1e-6
# Values further from the median than 6 standard deviations are clipped.
_FAR = 6.0
# Times this, values up to the largest float64 have squares whose sum does not overflow.
_SMALL = 2.0**-540


def middle(ordered: Sequence[float] | Array) -> float:
    """Return the median of ordered finite values, sooner than NumPy's for few."""
    half = len(ordered) // 2
    return float(ordered[half] + ordered[-1 - half]) / 2


def clipped(values: Array) -> Array:
    """Return finite values with those far from the median clipped.

    The standard deviation is 1.4826 times the median deviation from the median, which
    single spikes do not change.
    """
    if not len(values):
        return values
    ordered = np.sort(values)
    median = middle(ordered)
    away = np.abs(ordered - median)
    away.sort()
    far = _FAR * 1.4826 * middle(away)
    low, high = median - far, median + far
    inside = low <= ordered[0] and ordered[-1] <= high
    return values if inside or not far > 0 else values.clip(low, high)


class Mean(NamedTuple):
    """A mean, its standard error, and the standard deviation of the values."""

    mean: float
    error: float
    deviation: float


def mean_of(values: Array) -> Mean:
    """Return the mean of finite values; all is inf if there are none."""
    n = len(values)
    if not n:
        return Mean(inf, inf, inf)
    mean = float(np.add.reduce(values)) / n
    away = values - mean
    squares = float(away @ away)
    if squares == inf:  # of finite values: a power of two changes no digit of them
        small = mean_of(values * _SMALL)
        return Mean(*(number / _SMALL for number in small))
    deviation = (squares / (n - 1)) ** 0.5 if n > 1 else inf
    return Mean(mean, deviation / n**0.5, deviation)


def mean_and_error(values: Array) -> Mean:
    """Return the mean of the finite ones of some values, clipped."""
    return mean_of(clipped(values[np.isfinite(values)]))


def few(number: int) -> int:
    """Return the number of losses to average on a curve of `number` losses."""
    return max(2, int(SKIP_FIRST * number))


def beginning(losses: Array, meant: int) -> tuple[float, float]:
    """Return the mean loss at the lowest rates, which do not change it yet.

    The second number is the standard error of the difference between it and a mean of
    `meant` other losses.
    """
    first = losses[: few(len(losses))]
    mean, _, noise = mean_and_error(first)
    return mean, noise * (1 / len(first) + 1 / meant) ** 0.5


def fall_of_chance(first: float, error: float) -> float:
    """Return the largest fall that may be due to chance."""
    return max(error, _ROUNDING * abs(first))


def loss_range(losses: Array, others: Array) -> tuple[float, float]:
    """Return the range of losses to show, which ends a little above the first."""
    first = float(np.median(losses[: few(len(losses))]))
    all_losses = np.concatenate([losses, others])
    low = float(all_losses.min())
    return low, min(first + 0.6 * (first - low), float(all_losses.max()))
