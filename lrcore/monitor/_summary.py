"""The summary of a run: the numbers from which findings are made."""

from __future__ import annotations

from math import inf, nan
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.monitor._figures import last_step, rate_in_words
from lrcore.monitor._history import History

# The run is divided into 20 equal parts; a level is the median loss of a part.
PARTS = 20
LEAST_STEPS = 2 * PARTS

# Shares of the first loss: a run that descends well has lost 35 % of it; a run that
# has lost less than 10 % hardly descends.
ENOUGH, BARELY = 0.35, 0.1
# A loss has leapt if it is above 3 times the first loss.
LEAP = 3.0


class Summary(NamedTuple):
    """The numbers from which findings are made; `summary` computes them."""

    history: History
    step: int  # number of the last step
    lr: str  # the learning rate in words
    first: float  # loss at the start
    levels: Array  # median loss of each of the PARTS
    drop: float  # share of the first loss that is gone
    late: float  # share of the descent that was in the second half of the run
    noise: float  # about the standard deviation of a step's loss
    peak: float  # the largest loss of a step, over the first loss
    # Norms of updates over the largest norm of the params; NaN if none are recorded.
    path: float  # their sum
    stride: float  # their median in the first tenth of the run

    @property
    def taken(self) -> int:
        """The number of steps in the history: fewer than `step` after a rollback."""
        return int(self.history.steps.sum())

    @property
    def level(self) -> float:
        """The loss now."""
        return float(self.levels[-1])

    @property
    def descends(self) -> bool:
        """Whether the loss descends steadily, and by more than its noise."""
        significant = self.first - self.level > 5 * self.error
        calm = self.peak < LEAP and self.levels.max() < 1.05 * self.first
        return significant and calm and self.late > BARELY

    @property
    def error(self) -> float:
        """About the standard error of a level."""
        return float(self.noise / np.sqrt(self.taken / PARTS))

    def since(self, part: int) -> int:
        """Return the first step of a part of the run."""
        seen = np.flatnonzero(np.isfinite(self.history.loss))
        each = len(seen) // PARTS
        return int(self.history.step[seen[len(seen) - (PARTS - part) * each]])


def summary(history: History, first: float) -> Summary | None:
    """Return the summary of a run; None if there are too few steps with a finite loss.

    first : the loss of the first step.
    """
    steps = history.steps
    seen = np.isfinite(history.loss)
    if steps.sum() < LEAST_STEPS or seen.sum() < PARTS or not np.isfinite(first):
        return None
    levels = _medians(history.loss[seen])
    few = int(np.searchsorted(steps.cumsum(), max(steps.sum() // 100, 3), "right"))
    mean = float(history.loss[: max(few, 1)].mean())
    # The mean of the first steps is less noisy than the first loss, unless the loss
    # leapt at once.
    if abs(mean - first) < 0.3 * abs(first):
        first = mean
    last, middle = levels[-3:].mean(), levels[8:12].mean()
    wiggle = history.wiggle[np.isfinite(history.wiggle)]
    path = stride = nan
    measured = np.isfinite(history.param_norm)
    if measured.any():
        with np.errstate(all="ignore"):
            updates = history.update_norm[measured] / history.param_norm[measured].max()
            path = float((updates * steps[measured]).sum())
        stride = median(updates[: max(len(updates) // 10, 1)])
    scale = abs(first) or 1.0
    return Summary(
        history=history,
        step=last_step(history),
        lr=rate_in_words(history),
        first=first,
        levels=levels,
        drop=float(first - levels[-1]) / scale,
        late=float(middle - last) / (abs(float(first - last)) or inf),
        noise=median(wiggle) if len(wiggle) else 0.0,
        peak=float(np.nanmax(history.high)) / scale,
        path=path,
        stride=stride,
    )


def _medians(values: Array) -> Array:
    """Return the median of each of PARTS equal parts; the first values are left out."""
    each = len(values) // PARTS
    parts = np.sort(values[-PARTS * each :].reshape(PARTS, each), axis=1)
    medians: Array = (parts[:, (each - 1) // 2] + parts[:, each // 2]) / 2
    return medians


def median(values: Array) -> float:
    """Return the upper median.  NumPy's takes five times as long for a few values."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])
