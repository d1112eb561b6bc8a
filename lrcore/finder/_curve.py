"""The losses of a sweep or of a trial, taken one by one."""

from __future__ import annotations

from math import inf, isfinite
from typing import Literal

import numpy as np

from lrcore._shared.types import Array

Ended = Literal["", "diverged", "not finite"]
"""How a sweep ended before its last rate; "" if it did not."""

# Width of the running median that finds a divergence which the average does not show.
_WINDOW = 9


class Curve:
    """The losses of a sweep or of a trial, and how it ended.

    lrs : the rates to hand out; a divergence may end it before the last one.
    losses, smoothed : the losses so far, and their debiased exponential averages over
        log lr.
    ended : see `Ended`.
    """

    def __init__(self, lrs: Array, smoothing: float, stop: float) -> None:
        self.lrs = lrs
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.ended: Ended = ""
        self._stop = stop
        x = places(lrs)
        self._decays = smoothing ** np.diff(x, prepend=x[0] - 1)
        self._total = self._weight = 0.0
        self._best = inf

    def add(self, loss: float) -> None:
        """Take the loss at the next rate."""
        decay = float(self._decays[len(self.losses)])
        self._total = decay * self._total + loss
        self._weight = decay * self._weight + 1
        value = self._total / self._weight
        self.losses.append(loss)
        self.smoothed.append(value)
        self._best = min(self._best, value)
        if not isfinite(loss):
            self.ended = "not finite"
        elif value > self._limit(self.smoothed[0], self._best):
            self.ended = "diverged"

    def _limit(self, least: float, best: float) -> float:
        """Return the loss above which a curve diverges: `stop` times the best.

        The best may be negative.  The limit is `least` at least.
        """
        if self._stop == inf:
            return inf
        return max(least, best + (self._stop - 1) * abs(best))

    @property
    def rise(self) -> float | None:
        """The rate from which the running median of the losses stays above the limit.

        The limit is that of `_limit`, at least the largest median before the least one.
        None if the last median is not above it, or if the average ended the sweep.
        """
        if self.ended or len(self.losses) < _WINDOW:
            return None
        windows = np.lib.stride_tricks.sliding_window_view(self.losses, _WINDOW)
        medians = np.median(windows, axis=1)
        before = medians[: medians.argmin() + 1]
        low = medians <= self._limit(float(before.max()), float(before[-1]))
        if low[-1]:
            return None
        return float(self.lrs[np.flatnonzero(low)[-1] + 1 + _WINDOW // 2])

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """The rates so far, the losses and their averages."""
        losses = np.array(self.losses, float)
        return self.lrs[: len(losses)].copy(), losses, np.array(self.smoothed, float)


def places(lrs: Array) -> Array:
    """Return the places of rates on the axis of log lr, in units of their mean spacing.

    If all rates are equal, as in a trial, it is their order.
    """
    x = np.log(lrs / lrs[0])
    return x / (x[-1] / (len(x) - 1)) if x[-1] > 0 else np.arange(float(len(x)))
