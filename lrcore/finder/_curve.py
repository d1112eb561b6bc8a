"""The losses of a sweep, taken one by one."""

from __future__ import annotations

from collections import deque
from math import inf, isfinite, nan
from typing import Literal

import numpy as np

from lrcore._shared.types import Array
from lrcore.finder._levels import NONFINITE, few

Ended = Literal["", "diverged", "not finite"]
"""How a sweep ended before its last rate; "" if it did not."""

# Losses of a running median: two spikes among them do not change it much.
_MEDIAN = 5
# If the average after the first tenth of the rates is above the least one before it by
# this share of its size, that one was small by chance, as losses of single rows are.
# The sweep is then judged by the averages from there on.
_CHANCE = 1.0
# Width of the running median that finds a divergence which the average does not show.
_WINDOW = 9


class Curve:
    """The losses of a sweep, and how it ended.

    Single losses that are not finite are left out; NONFINITE in a row end it.

    lrs : the rates to hand out; a divergence may end it before the last one.
    losses, smoothed : the losses so far, and the debiased exponential averages over
        log lr of their running medians.
    ended : see `Ended`.
    """

    def __init__(self, lrs: Array, smoothing: float, stop: float) -> None:
        self.lrs = lrs
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.ended: Ended = ""
        self._stop = stop
        x = places(lrs)
        self._decays = (smoothing ** np.diff(x, prepend=x[0] - 1)).tolist()
        self._total = self._weight = 0.0
        self._last: deque[float] = deque(maxlen=_MEDIAN)
        self._few, self._early = few(len(lrs)), True
        self._first = self._best = inf
        self._lost = 0  # losses in a row that are not finite

    def add(self, loss: float) -> bool:
        """Take the loss at the next rate; return whether the sweep has ended.

        `smoothed` is changed first: `arrays` leaves out what a Ctrl-C has cut off.
        """
        decay = self._decays[len(self.losses)]
        self._total *= decay
        self._weight *= decay
        if not isfinite(loss):
            self._lost += 1
            self.smoothed.append(self.smoothed[-1] if self.smoothed else nan)
            self.losses.append(loss)
            self.ended = "not finite" if self._lost == NONFINITE else ""
            return bool(self.ended)
        self._lost = 0
        self._last.append(loss)
        ordered = sorted(self._last)
        middle = len(ordered) // 2
        self._total += (ordered[middle] + ordered[~middle]) / 2
        self._weight += 1
        value = self._total / self._weight
        self.smoothed.append(value)
        self.losses.append(loss)
        if self._first == inf:
            self._first = value
        self._best = min(self._best, value)
        if len(self.losses) < self._few:
            return False
        if self._early:
            self._early = False
            if value > _CHANCE * abs(self._best) + self._best:
                self._first = self._best = value
        if value > self._limit(self._first, self._best):
            self.ended = "diverged"
        return bool(self.ended)

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
        losses = np.array(self.losses)
        finite = np.isfinite(losses)
        lrs, losses = self.lrs[: len(losses)][finite], losses[finite]
        if self.ended or len(losses) < _WINDOW:
            return None
        windows = np.lib.stride_tricks.sliding_window_view(losses, _WINDOW)
        medians = np.median(windows, axis=1)
        before = medians[: medians.argmin() + 1]
        low = medians <= self._limit(float(before.max()), float(before[-1]))
        if low[-1]:
            return None
        return float(lrs[np.flatnonzero(low)[-1] + 1 + _WINDOW // 2])

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """The rates so far, the losses and their averages."""
        losses, n = np.array(self.losses, float), len(self.losses)
        return self.lrs[:n].copy(), losses, np.array(self.smoothed[:n], float)


def places(lrs: Array) -> Array:
    """Return places on the axis of log lr; the unit is the rates' mean spacing."""
    x = np.log(lrs / lrs[0])
    spaced: Array = x / (x[-1] / (len(x) - 1))
    return spaced
