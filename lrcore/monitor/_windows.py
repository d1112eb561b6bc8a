"""Windows of 32 losses: they tell soon that a run turns bad late, or that data change.

The levels of a long run are medians of a twentieth of it, so that a rise at its end
shows late.  A window's median is as old as 32 steps, however long the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, isnan, nan
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.domains import steps
from lrcore._shared.types import Array
from lrcore.monitor._history import History
from lrcore.monitor._summary import median

WINDOW = 32  # steps; a divisor of CHUNK
# A window is above the best one by half of the descent so far and 4 noises; two in a
# row are told.
SHARE, NOISES, TWICE = 0.5, 4.0, 2
# A shift of the data shows in one step: between the medians of 3 losses before and
# after it is 60 % of the rise, a level being the median of 8.
ABRUPT, NEAR, LEVEL = 0.6, 3, 8
# A rate that has grown by half explains a rise, and so do updates that were 3 times as
# long as before.
GROWTH, LONGER = 1.5, 3.0
# The losses after a shift may be this many noises above their level.
STEADY = 3.0

_COUNT = steps(0)


class Windows(NamedTuple):
    """What is kept of the windows of a run; `followed_by` adds one.

    seen : the last step of the last window.
    first, best : the median of the first window, and the least.
    at : the last step of the window with the least median.
    noise : the mean distance between its successive losses.
    now : the median of the last window.
    above : how many of the last windows were above the best one, in a row.
    shift : the first step of other data; 0 if none was found.
    before, after : the levels of the loss before and after the shift.
    """

    seen: int = 0
    first: float = nan
    best: float = nan
    at: int = 0
    noise: float = nan
    now: float = nan
    above: int = 0
    shift: int = 0
    before: float = nan
    after: float = nan

    def followed_by(self, losses: Sequence[float], step: int) -> Windows:
        """Return the windows with one more, whose last step this is."""
        finite = losses
        if not isfinite(sum(losses)):
            finite = [loss for loss in losses if isfinite(loss)]
            if len(finite) < WINDOW // 2:
                return self._replace(seen=step)
        now = sorted(finite)[len(finite) // 2]
        if not now >= self.best:
            moved = [abs(b - a) for a, b in pairwise(finite)]
            first = now if isnan(self.best) else self.first
            noise, rest = sum(moved) / len(moved), self[-3:]
            return Windows(step, first, now, step, noise, now, 0, *rest)
        rise = SHARE * (self.first - self.best) + NOISES * self.noise
        above = self.above + 1 if now > self.best + rise else 0
        return self._replace(seen=step, now=now, above=above)

    @classmethod
    def restored(cls, saved: Array) -> Windows:
        """Return the windows whose numbers were saved, as an array of them has them."""
        values: dict[str, Any] = dict(zip(cls._fields, saved.tolist(), strict=True))
        for name in ("seen", "at", "above", "shift"):
            x = values[name]
            values[name] = _COUNT.check(
                f"windows: {name}", int(x) if x.is_integer() else x
            )
        return cls(**values)

    @property
    def risen(self) -> bool:
        """Whether the loss has risen above its best window, and not by chance."""
        return self.above >= TWICE

    @np.errstate(all="ignore")
    def of_other_data(self, history: History, first: float) -> Windows | None:
        """Return windows that begin anew after a shift of the data; None: no shift.

        A step at which the loss rises at once, from about its best level, though
        neither the rate nor the steps before it had grown, and from which on it does
        not go on rising.  `first` is the first loss of the run.  In a run so long that
        64 steps are fewer than two blocks, a step cannot be told from a slope.
        """
        k = int(history.step.searchsorted(self.at - WINDOW))
        known = np.isfinite(history.loss[k:])
        loss, step = history.loss[k:][known], history.step[k:][known]
        if len(loss) < 2 * NEAR + 2:
            return None
        near = np.sort(np.lib.stride_tricks.sliding_window_view(loss, NEAR), axis=1)
        medians = near[:, NEAR // 2]
        j = int((medians[NEAR:] - medians[:-NEAR]).argmax()) + NEAR
        # The step that has most of the rise: the medians are even around it.
        j += int(np.diff(loss[j - 2 : j + 3]).argmax()) - 1
        j = max(j, NEAR)
        at_once = float(np.median(loss[j : j + NEAR]) - np.median(loss[j - NEAR : j]))
        before = float(np.median(loss[max(j - LEVEL, 0) : j]))
        after = float(np.median(loss[j : j + LEVEL]))
        slack = STEADY * self.noise
        if before > min(self.best, first) + slack:
            return None  # it was not well
        if at_once < ABRUPT * max(after - before, self.now - self.best):
            return None
        if np.median(loss[-LEVEL:]) > after + slack + 0.1 * (after - before):
            return None  # it goes on rising
        rates = history.lr[k:][known]
        if rates[max(j - LEVEL, 0) : j + NEAR].max() > GROWTH * median(rates[:j]):
            return None
        if _grown(history.update_norm[k:][known], j):
            return None
        return Windows(seen=self.seen, shift=int(step[j]), before=before, after=after)


def _grown(updates: Array, j: int) -> bool:
    """Whether the updates just before j are larger than those further before."""
    near, far = updates[max(j - 3, 0) : j], updates[: max(j - 3, 1)]
    far = far[np.isfinite(far)]
    return bool(len(far)) and bool(near.max() > LONGER * float(np.median(far)))
