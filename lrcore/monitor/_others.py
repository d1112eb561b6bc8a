"""Findings that are no verdict on the learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

import numpy as np

from lrcore.monitor._figures import figure, last_step
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._summary import PARTS, Summary, mean, median
from lrcore.monitor._validated import OVERFITS, SINCE
from lrcore.monitor._windows import Windows

# A loss oscillates if it turns at more than this share of the steps, which is 2/3 for
# pure noise, and by more than 1 % of what is left of it.
TURNS, SEEN = 0.85, 0.01
# The update-to-weight ratio is far from usual, which is about 1e-3, beyond these.
LEAST_RATIO, MOST_RATIO = 1e-7, 0.3
# The gradient's norm explodes or vanishes if it is so many times that at first.
EXPLODES, VANISHES = 100.0, 1e-5
# A loss has stopped if it fell, over the last third of the run, by less than this share
# of its descent, or of what is left to 0 if that is less, and 3 standard errors.
STOPPED, LEFT, NOISE = 0.005, 0.1, 3.0
# A rate that has fallen to this share of an earlier one has ended the descent.
ENDED = 0.1
# Validation losses that are needed to say something of them.
FEW = 5


def oscillating(run: Summary) -> Iterator[Finding]:
    """Find a loss that goes up and down from step to step."""
    half = run.history.turns[len(run.history.step) // 2 :]
    turns = float(np.add.reduce(half)) / len(half)
    if turns > TURNS and run.noise > SEEN * min(run.scale, abs(run.level)):
        yield Finding(
            "oscillating", "warning", run.step, run.since(PARTS // 2),
            f"the loss turned in {100 * turns:.0f} % of the steps (of noise, in 67 %), "
            f"by {figure(run.noise, 2)} each, about {figure(run.level)}, at {run.lr}",
            "each step overshoots the minimum along some direction",
            "go on while the loss falls; a learning rate that falls (a schedule) ends "
            "it",
        )  # fmt: skip


def ratio(run: Summary) -> Iterator[Finding]:
    """Find an update-to-weight ratio far from the usual one."""
    ratios = run.history.update_ratio[-len(run.history.step) // 4 :]
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return
    now = median(ratios)
    if now > MOST_RATIO:
        side = "high"
        remedy = "check the scale of the parameters' initial values, and whether the "
        remedy += "loss still falls"
    elif now < LEAST_RATIO and run.little:
        side = "low"
        remedy = "check the scale of the loss and of the parameters' initial values"
    else:
        return
    yield Finding(
        "update ratio", "warning", run.step, run.since(PARTS * 3 // 4),
        f"each step changes the parameters by {figure(now, 2)} of their norm, "
        f"where about 1e-3 is usual, at {run.lr}",
        f"the learning rate is {side} for parameters of this size",
        remedy,
    )  # fmt: skip


def gradients(run: Summary) -> Iterator[Finding]:
    """Find gradients that grew or shrank by orders of magnitude."""
    norms = run.history.grad_norm
    norms = norms[np.isfinite(norms)]
    if len(norms) < PARTS:
        return
    part = len(norms) // PARTS
    before, now = median(norms[:part]), median(norms[-part:])
    figures = f"the gradient norm went from {figure(before, 2)} to {figure(now, 2)}"
    if now > EXPLODES * before > 0:
        yield Finding(
            "gradient exploding", "warning", run.step, run.since(1), figures,
            "the parameters went where the loss is steep",
            "follow the finding on the learning rate; where there is none, nothing has "
            "to be done",
        )  # fmt: skip
    elif now < VANISHES * before and run.little:
        yield Finding(
            "gradient vanishing", "warning", run.step, run.since(1),
            f"{figures}, while {run.went}",
            "units that are saturated or dead pass no gradient on",
            "look at which units these are, and at the initial values; a lower rate "
            "alone may not help",
        )  # fmt: skip


def plateau(run: Summary) -> Iterator[Finding]:
    """Find a loss that has stopped descending."""
    if not run.fell:
        return
    rates = run.history.lr
    if rates[-1] < ENDED * np.fmax.reduce(rates):
        return
    slack = STOPPED * (run.first - run.least)
    if not isnan(run.drop):
        slack = min(slack, LEFT * abs(run.level))
    slack += NOISE * run.error
    half = run.levels[PARTS // 2 :]
    if mean(half[:3]) - mean(half[-3:]) < slack:
        since = run.since(PARTS // 2)
        yield Finding(
            "plateau", "info", run.step, since,
            f"the loss is about {figure(run.level)} since step {since}, after "
            f"{figure(run.first)} at first",
            "it has converged, or noise of this learning rate keeps it from going on",
            "stop, or try a lower learning rate from here on: in about half of such "
            "runs, the loss falls further",
        )  # fmt: skip


def shifted(windows: Windows, history: History) -> Finding:
    """Return the finding of a shift of the data."""
    return Finding(
        "data shift", "warning", last_step(history), windows.shift,
        f"the loss rose from {figure(windows.before)} to {figure(windows.after)} in "
        f"one step, {windows.shift}, though neither the rate nor the updates before it "
        "had grown",
        "the data have changed",
        "look at the data from that step on; the learning rate is judged anew since "
        "then",
    )  # fmt: skip


def overfitting(run: Summary) -> Iterator[Finding]:
    """Find a validation loss that rises while the training loss falls."""
    given = np.flatnonzero(np.isfinite(run.history.validation))
    if len(given) < FEW:
        return
    values = run.history.validation[given]
    best, now = int(values.argmin()), median(values[-3:])
    noise = median(abs(np.diff(values)))
    slack = OVERFITS * (values[0] - values[best]) + NOISE * noise
    rose = best < len(values) - SINCE and now - values[best] > slack
    if rose and run.history.loss[given[best]] > run.level:
        since = int(run.history.step[given[best]])
        yield Finding(
            "overfitting", "warning", run.step, since,
            f"the validation loss rose from {figure(values[best])} to {figure(now)} "
            f"since step {since}, while that of training fell to {figure(run.level)}",
            "the model learns the training data by heart",
            "stop at that step (EarlyStopping), regularise (weight_decay), or take "
            "more data",
        )  # fmt: skip
