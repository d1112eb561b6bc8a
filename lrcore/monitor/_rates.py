"""Findings that call the learning rate too high or too low."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan, log10

import numpy as np

from lrcore.monitor._figures import figure, fold, last_step, meanwhile, rate_in_words
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._summary import BARELY, ENOUGH, LEAP, Summary

# More than half of the last 16 losses have to be non-finite, so that a single bad batch
# does not count.
LASTS = 16
# If the loss leapt, the rate is too high if less than 30 % of the first loss is gone.
SOME = 0.3
# A loss explodes if 4 blocks in a row rise and are above 1,000 times the first loss.
EXPLODED, SURGE = 1e3, 4
# A run has levelled off if less than 30 % of its descent was in its second half (of a
# loss that falls along a straight line, 50 % is).
STEADY = 0.3
# The path is the sum of the norms of all updates, over the largest norm of the params.
# From 1 on the params have moved; from 2 on, without a descent, they have wandered.
MOVED, WANDERED = 1.0, 2.0
# If early updates are 2 % of the params' norm or more, the rate is not too low.
HASTY = 0.02


def nonfinite(history: History) -> Iterator[Finding]:
    """Find losses and gradients that are infinite or NaN."""
    bad = np.flatnonzero(history.nonfinite)
    later = history.steps[::-1].cumsum()  # `tail` has LASTS steps or more
    tail = slice(max(len(later) - 1 - int(later.searchsorted(LASTS)), 0), None)
    step = last_step(history)
    if history.nonfinite[tail].sum() > max(history.steps[tail].sum(), LASTS) / 2:
        good = np.flatnonzero(history.nonfinite[: bad[-1]] == 0)
        k = int(good[-1]) + 1 if len(good) else 0
        since = int(history.step[k])
        before = history.loss[:k][np.isfinite(history.loss[:k])]
        told = f", {figure(before[-1])} before" if len(before) else ""
        yield Finding(
            "non-finite loss", "error", step, since,
            f"the loss is infinite or NaN since about step {since}{told}, "
            f"{meanwhile(rate_in_words(history))}",
            "the run diverged until numbers overflowed, if its data are finite",
            "go back to parameters from before, lower the learning rate about 10 "
            "times, and clip gradients (clip_norm) or skip such steps (skip_nonfinite)",
            "too high",
        )  # fmt: skip
        return
    gradients = history.nonfinite_grads.sum()
    count, taken = max(gradients, history.nonfinite.sum()), history.steps.sum()
    if count:
        first = np.flatnonzero(history.nonfinite + history.nonfinite_grads)[0]
        yield Finding(
            "non-finite steps", "warning", step, int(history.step[first]),
            f"{count:.0f} of {taken:.0f} steps had a loss or gradients that are "
            f"infinite or NaN, first about step {history.step[first]:.0f}",
            "a bad batch, a division by zero, or a loss scale that is too large",
            "skip such steps (skip_nonfinite=True), and look at their data",
        )  # fmt: skip


def exploding(history: History, first: float) -> Iterator[Finding]:
    """Find a loss that grows so fast that its medians over the run come too late."""
    recent = history.loss[-SURGE:]
    if len(recent) < SURGE or not first:
        return
    if (recent > EXPLODED * abs(first)).all() and (np.diff(recent) > 0).all():
        k = int(np.nanargmin(history.loss))
        since = int(history.step[k])
        yield Finding(
            "diverging", "error", last_step(history), since,
            f"the loss grew {fold(recent[-1], history.loss[k])} since step {since} "
            f"{meanwhile(rate_in_words(history))}",
            "the steps are longer than the curvature of the loss allows",
            "lower the learning rate about 10 times, or warm up",
            "too high",
        )  # fmt: skip


def rate(run: Summary) -> Iterator[Finding]:
    """Find a rate that is too high or too low."""
    moved = not run.path < MOVED  # true if the path is not known
    thrown = run.drop < SOME and run.peak > LEAP
    wandered = run.drop < BARELY and run.path > WANDERED
    if moved and not run.descends and (thrown or wandered):
        yield _too_high(run)
        return
    levelled = moved and run.late < STEADY and run.drop > BARELY / 2
    hasty = run.stride >= HASTY
    calm = run.levels.max() < LEAP * run.first
    if run.drop < ENOUGH and calm and not levelled and not hasty:
        yield _too_low(run)


def _too_high(run: Summary) -> Finding:
    lowest = int(run.levels.argmin())
    grown = run.level - run.levels[lowest]
    if run.level > run.first and grown > 5 * run.error:
        since = run.since(lowest)
        return Finding(
            "diverging", "error", run.step, since,
            f"the loss grew {fold(run.level, run.levels[lowest])} since step {since} "
            f"{meanwhile(run.lr)}",
            "the steps are longer than the curvature of the loss allows",
            "lower the learning rate about 3 times, or warm up",
            "too high",
        )  # fmt: skip
    if run.peak > LEAP:
        at = int(run.history.step[np.nanargmax(run.history.high)])
        return Finding(
            "unstable", "error", run.step, at,
            f"the loss leapt to {figure(run.peak)} times its first value about step "
            f"{at}, and {100 * max(run.drop, 0):.0f} % of that value is gone now, at "
            f"{run.lr}",
            "early steps threw the parameters where there is little to descend",
            "start anew with a learning rate about 3 times lower, or warm up",
            "too high",
        )  # fmt: skip
    return Finding(
        "no descent", "error", run.step, int(run.history.step[0]),
        f"the updates add up to {figure(run.path)} times the norm of the parameters, "
        f"and {100 * max(run.drop, 0):.0f} % of the first loss is gone, at {run.lr}",
        "the steps lead back and forth instead of down",
        "lower the learning rate about 3 times",
        "too high",
    )  # fmt: skip


def _too_low(run: Summary) -> Finding:
    descent = run.first - run.level
    moved = "" if isnan(run.path) else (
        f" (the updates add up to {figure(run.path, 2)} times the norm of the "
        "parameters)"
    )  # fmt: skip
    remedy = "raise the learning rate"
    if run.path != 0:
        decades = 1.0 if isnan(run.path) else -log10(run.path)
        remedy += f" about {10.0 ** min(max(round(decades), 0.5), 3):.0f} times"
    if descent < 5 * run.error or run.drop < BARELY / 2:
        return Finding(
            "flat", "warning", run.step, int(run.history.step[0]),
            f"{100 * max(run.drop, 0):.1f} % of the first loss is gone after "
            f"{run.taken} steps at {run.lr}{moved}",
            "the steps are too short to get anywhere",
            remedy, "too low",
        )  # fmt: skip
    return Finding(
        "slow", "warning", run.step, int(run.history.step[0]),
        f"{100 * run.drop:.0f} % of the first loss is gone after {run.taken} steps at "
        f"{run.lr}, and the second half of them did {100 * run.late:.0f} % of "
        f"that{moved}",
        "it descends steadily, by steps shorter than they could be",
        remedy + ", or train longer", "too low",
    )  # fmt: skip
