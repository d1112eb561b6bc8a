"""Levels of a curve: its first loss, the range to show, and the least clear fall."""

from __future__ import annotations

import numpy as np

from lrcore._shared.types import Array

# Ignore the first 10 % of the points and the last 5, as fastai does.
SKIP_FIRST, SKIP_LAST = 0.1, 5
# A fall below this fraction of the loss may come from rounding in float32.
_ROUNDING = 1e-6


def few(number: int) -> int:
    """Return the number of losses to average on a curve of `number` losses."""
    return max(2, int(SKIP_FIRST * number))


def beginning(losses: Array, meant: int) -> tuple[float, float]:
    """Return the mean loss at the lowest rates, which do not change it yet.

    The second number is the standard error of the difference between it and a mean of
    `meant` other losses.
    """
    first = losses[: few(len(losses))]
    noise = float(first.std(ddof=1))
    return float(first.mean()), noise * (1 / len(first) + 1 / meant) ** 0.5


def fall_of_chance(first: float, error: float) -> float:
    """Return the largest fall that may be due to chance."""
    return max(error, _ROUNDING * abs(first))


def loss_range(losses: Array, others: Array) -> tuple[float, float]:
    """Return the range of losses to show, which ends a little above the first."""
    first = float(np.median(losses[: few(len(losses))]))
    all_losses = np.concatenate([losses, others])
    low = float(all_losses.min())
    return low, min(first + 0.6 * (first - low), float(all_losses.max()))
