"""Levels of a curve of losses: where it begins, what it shows, which falls count."""

from __future__ import annotations

import numpy as np

from lrcore._shared.types import Array

# As fastai does: the first tenth of the points and the last 5 are not looked at.
SKIP_FIRST, SKIP_LAST = 0.1, 5
# A smaller fall than this fraction of the loss is a rounding of float32, or a few.
_ROUNDING = 1e-6


def few(number: int) -> int:
    """Return of how many losses a mean is taken to look at a curve of so many."""
    return max(2, int(SKIP_FIRST * number))


def beginning(losses: Array, meant: int) -> tuple[float, float]:
    """Return the loss at rates too low to change it.

    And the standard error of what a mean of so many other losses is below it.
    """
    first = losses[: few(len(losses))]
    noise = float(first.std(ddof=1))
    return float(first.mean()), noise * (1 / len(first) + 1 / meant) ** 0.5


def fall_of_chance(first: float, error: float) -> float:
    """Return the largest fall that counts as none."""
    return max(error, _ROUNDING * abs(first))


def loss_range(losses: Array, others: Array) -> tuple[float, float]:
    """Return which losses to show of a curve: what is far above the first is not."""
    first = float(np.median(losses[: few(len(losses))]))
    all_losses = np.concatenate([losses, others])
    low = float(all_losses.min())
    return low, min(first + 0.6 * (first - low), float(all_losses.max()))
