"""A run in the numbers that findings are made of."""

from __future__ import annotations

from math import inf, nan
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.monitor._figures import last_step, rate_in_words
from lrcore.monitor._history import History

# Levels of the loss are medians over so many equal parts of the run.
PARTS = 20
LEAST_STEPS = 2 * PARTS

ENOUGH = 0.35  # of the first loss is gone: it descends well enough to say nothing
BARELY = 0.1  # of it is gone: next to nothing
LEAP = 3.0  # times the first loss, in any step


class Summary(NamedTuple):
    """A run in the numbers that findings are made of; see `summary`."""

    history: History
    step: int  # the last
    lr: str  # as findings speak of it
    first: float  # loss at the start
    levels: Array  # the loss over PARTS of the run
    drop: float  # share of the first loss that is gone
    late: float  # share of the descent that the second half of the run did
    noise: float  # standard deviation of a step's loss, about
    peak: float  # the greatest loss of a step, in first losses
    path: float  # norms of all updates over the greatest norm of the params; or NaN
    stride: float  # norm of an update in the first tenth, over the same; or NaN

    @property
    def taken(self) -> int:
        """How many steps there are: fewer than `step` after a rollback."""
        return int(self.history.steps.sum())

    @property
    def level(self) -> float:
        """The loss now."""
        return float(self.levels[-1])

    @property
    def descends(self) -> bool:
        """Whether it goes down, little by little, beyond what noise would do."""
        significant = self.first - self.level > 5 * self.error
        calm = self.peak < LEAP and self.levels.max() < 1.05 * self.first
        return significant and calm and self.late > BARELY

    @property
    def error(self) -> float:
        """The standard error of a level, about."""
        return float(self.noise / np.sqrt(self.taken / PARTS))

    def since(self, part: int) -> int:
        """Return the first step of one of the PARTS."""
        seen = np.flatnonzero(np.isfinite(self.history.loss))
        each = len(seen) // PARTS
        return int(self.history.step[seen[len(seen) - (PARTS - part) * each]])


def summary(history: History, first: float) -> Summary | None:
    """Return what findings are made of; None where steps are too few, or none finite.

    `first` is the loss of the first step.
    """
    steps = history.steps
    seen = np.isfinite(history.loss)
    if steps.sum() < LEAST_STEPS or seen.sum() < PARTS or not np.isfinite(first):
        return None
    levels = _medians(history.loss[seen])
    few = int(np.searchsorted(steps.cumsum(), max(steps.sum() // 100, 3), "right"))
    mean = float(history.loss[: max(few, 1)].mean())
    if abs(mean - first) < 0.3 * abs(first):  # else it leapt at once, or is NaN
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
    """Return the medians of PARTS parts."""
    each = len(values) // PARTS
    parts = np.sort(values[-PARTS * each :].reshape(PARTS, each), axis=1)
    medians: Array = (parts[:, (each - 1) // 2] + parts[:, each // 2]) / 2
    return medians


def median(values: Array) -> float:
    """Return the upper median; NumPy's takes five times as long for as few as these."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])
