"""The summary of a run: the numbers from which findings are made."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, isnan, nan, sqrt
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.monitor._figures import last_step, rate_in_words, went
from lrcore.monitor._history import History

# The run is divided into 20 equal parts; a level is the median loss of a part.
PARTS = 20
LEAST_STEPS = 2 * PARTS
# A run that descends well has done 35 % of the way to the floor.
ENOUGH = 0.35
# A level has changed if the change is above 5 standard errors of a level.
ERRORS = 5.0
# A loss this many noises above another is above it, and not by chance.
NOISES = 3.0


class Summary(NamedTuple):
    """The numbers from which findings are made; `summary` computes them.

    None of them but `way` and `drop` needs to know how low the loss can fall: a
    constant that is added to all losses changes no other.
    """

    history: History
    step: int  # number of the last step
    taken: int  # number of steps in the history: fewer after a rollback
    first: float  # loss at the start
    levels: list[float]  # median loss of each of the PARTS
    level: float  # the last of them: the loss now
    least: float  # the least of them
    noise: float  # about the standard deviation of a step's loss
    error: float  # about the standard error of a level
    fell: bool  # whether the loss has fallen by more than its noise explains
    late: float  # share of the descent that was in the second half of the run
    top: float  # the greatest running median of three losses
    peak: float  # the largest loss of a step
    way: float  # to the floor from the first loss; if it is not known, see `scale`
    drop: float  # share of the way to the floor that is done; NaN if it is not known
    # Norms of updates over the largest norm of the params; NaN if none are recorded.
    path: float  # their sum
    growth: float  # that of the params' norm since the first step
    thrown: float  # the largest norm of the params over the first; NaN likewise
    # Of gradients; NaN if none are recorded.
    # The most that they promised: -g.u, to first order the descent by a step u, is at
    # most the product of the norms.  These are summed.
    work: float
    kept: float  # norm at the end over its largest level

    @property
    def lr(self) -> str:
        """The learning rate in words."""
        return rate_in_words(self.history)

    @property
    def descent(self) -> float:
        """How far the loss has fallen; less than 0 if it has risen."""
        return self.first - self.level

    @property
    def little(self) -> bool:
        """Whether little of the way to the floor is done; if unknown, none by noise."""
        return not self.fell if isnan(self.drop) else self.drop < ENOUGH

    @property
    def scale(self) -> float:
        """What is a large change of this loss: see `scale`."""
        return scale(self.first, self.least, self.noise)

    @property
    def leapt(self) -> bool:
        """Whether the loss rose above the first one by more than it has fallen."""
        fallen = max(self.first - self.least, 2 * NOISES * self.noise)
        return self.top - self.first > fallen

    @property
    def spiked(self) -> bool:
        """Whether any loss was above the first one, more than noise is."""
        noise = 2 * NOISES * self.noise
        return self.peak - self.first > max(noise, self.descent / 2)

    @property
    def went(self) -> str:
        """From where to where the loss went, in words."""
        return went(self.first, self.level)

    def since(self, part: int) -> int:
        """Return the first step of a part of the run."""
        seen = np.flatnonzero(np.isfinite(self.history.loss))
        each = len(seen) // PARTS
        return int(self.history.step[seen[len(seen) - (PARTS - part) * each]])


def summary(
    history: History, first: float, floor: float | None = None
) -> Summary | None:
    """Return the summary of a run; None if there are too few steps with a finite loss.

    first : the loss of the first step.
    floor : the least loss that is possible, if it is known; one above the first loss
        is not used.
    """
    taken, seen = int(np.add.reduce(history.steps)), np.isfinite(history.loss)
    losses = history.loss[seen]
    if taken < LEAST_STEPS or len(losses) < PARTS or not isfinite(first):
        return None
    levels = _medians(losses)
    level, least, last = levels[-1], min(levels), mean(levels[-3:])
    wiggle = history.wiggle[np.isfinite(history.wiggle)]
    noise = median(wiggle) if len(wiggle) else 0.0
    error = noise / sqrt(taken / PARTS)
    # The mean of the first steps is less noisy than the first loss, unless the loss
    # leapt or fell at once.
    few = int(history.steps.cumsum().searchsorted(max(taken // 100, 3), "right")) or 1
    early = float(np.add.reduce(history.loss[:few])) / few
    if abs(early - first) < max(0.3 * abs(first), NOISES / 2 * noise):
        first = early
    # The first loss is that of a few steps, so its error is larger than a level's.
    fell = (
        first - level > NOISES / 2 * noise or mean(levels[:3]) - last > ERRORS * error
    )
    if floor is not None and floor > first + NOISES * noise:
        floor = None  # it cannot be one, as a loss is below it
    if floor is None:  # most losses cannot fall below 0; this one does
        floor = 0.0 if float(np.fmin.reduce(history.low)) >= 0 else nan
    way = (scale(first, least, noise) if isnan(floor) else abs(first - floor)) or 1.0
    path, growth, thrown, work, kept = _reported(history)
    return Summary(
        history=history,
        step=last_step(history),
        taken=taken,
        first=first,
        levels=levels,
        level=level,
        least=least,
        noise=noise,
        error=error,
        fell=fell,
        late=(mean(levels[8:12]) - last) / (abs(first - last) or inf),
        top=_top(losses),
        peak=float(np.fmax.reduce(history.high)),
        way=way,
        drop=nan if isnan(floor) else (first - level) / way,
        path=path,
        growth=growth,
        thrown=thrown,
        work=work,
        kept=kept,
    )


def scale(first: float, lowest: float, noise: float) -> float:
    """Return what is a large change of a loss: as large as its first value, or fall.

    A first loss near 0 is no scale by itself, where losses can be negative; so it is at
    least the descent so far, and 3 times the noise.
    """
    return max(abs(first), first - lowest, NOISES * noise)


def _reported(history: History) -> tuple[float, float, float, float, float]:
    """Return path, growth, thrown, work and kept: see `Summary`."""
    g, u, params = history.grad_norm, history.update_norm, history.param_norm
    steps, measured = history.steps, np.isfinite(params)
    if not measured.all():
        g, u, params = g[measured], u[measured], params[measured]
        steps = steps[measured]
    if not len(g):
        return nan, nan, nan, nan, nan
    most = params.max()
    path, work = float((u / most * steps).sum()), float((g * u * steps).sum())
    growth, thrown = float((params[-1] - params[0]) / most), float(most / params[0])
    if len(g) < PARTS:
        return path, growth, thrown, work, 1.0
    norms = _medians(g)
    kept = norms[-1] / max(norms) if max(norms) else nan
    return path, growth, thrown, work, kept


def _top(losses: Array) -> float:
    """Return the greatest median of three losses in a row: no single bad batch's."""
    a, b, c = losses[:-2], losses[1:-1], losses[2:]
    return float(np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c)).max())


def _medians(values: Array) -> list[float]:
    """Return the median of each of PARTS equal parts; the first values are left out."""
    each = len(values) // PARTS
    parts = np.sort(values[-PARTS * each :].reshape(PARTS, each), axis=1)
    medians: list[float] = (
        (parts[:, (each - 1) // 2] + parts[:, each // 2]) / 2
    ).tolist()
    return medians


def mean(values: Sequence[float]) -> float:
    """Return the mean of a few values."""
    return sum(values) / len(values)


def median(values: Array) -> float:
    """Return the upper median.  NumPy's takes five times as long for a few values."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])
