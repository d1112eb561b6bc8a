"""Findings that call the learning rate too high or too low."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan, log10

import numpy as np

from lrcore.monitor._figures import (
    figure,
    fold,
    last_step,
    meanwhile,
    rate_in_words,
)
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._scores import (
    FLAT_BY_LOSS,
    HIGH,
    HIGH_BY_LOSS,
    LOW,
    LOW_BY_LOSS,
    numbers,
)
from lrcore.monitor._summary import ERRORS, Summary, scale
from lrcore.monitor._windows import GROWTH, Windows

# More than half of the last 16 losses have to be non-finite, so that a single bad batch
# does not count.
LASTS = 16
# A loss explodes if 4 blocks in a row rise and are above 1,000 times the first loss.
EXPLODED, SURGE = 1e3, 4
# From a level 10 times the first loss on, a run has diverged, whatever else it did.
TENFOLD = 10.0
# If half of the way to the floor is done, the rate is neither too high nor too low.
HALF = 0.5
# If more than half of the gradients are not finite, what is wrong is not the rate.
HALF_OF_STEPS = 0.5
# By what remedies multiply a rate that is too high: where the loss grew or leapt, and
# else.  `python bench/remedies.py` measures what they do.
MUCH_LOWER, LOWER = 0.1, 1 / 3
# The path is the sum of the norms of all updates, over the largest norm of the params.
# Above 1, the steps were long enough to get anywhere; params that grow from near 0 are
# their updates, so their growth is allowed besides.  Without a path, a loss that does
# not fall shows short steps only if those to come do not lead more than twice as far.
ANYWHERE, MUCH_FURTHER = 1.0, 2.0
# A rate that is too low is called flat, instead of slow, if the loss has done less than
# 5 % of the way to the floor.
FLAT = 0.05


def nonfinite(history: History) -> Iterator[Finding]:
    """Find losses and gradients that are infinite or NaN."""
    losses, gradients = history.nonfinite, history.nonfinite_grads
    if not (np.count_nonzero(losses) or np.count_nonzero(gradients)):
        return
    bad = np.flatnonzero(losses)
    later = history.steps[::-1].cumsum()  # `tail` has LASTS steps or more
    tail = slice(max(len(later) - 1 - int(later.searchsorted(LASTS)), 0), None)
    step = last_step(history)
    if losses[tail].sum() > max(history.steps[tail].sum(), LASTS) / 2:
        good = np.flatnonzero(losses[: bad[-1]] == 0)
        k = int(good[-1]) + 1 if len(good) else 0
        since = int(history.step[k])
        before = history.loss[:k][np.isfinite(history.loss[:k])]
        told = f", {figure(before[-1])} before" if len(before) else ""
        yield Finding(
            "non-finite loss", "error", step, since,
            f"the loss is infinite or NaN since about step {since}{told}, "
            f"{meanwhile(rate_in_words(history))}",
            "the run diverged until numbers overflowed, if its data are finite",
            "go back to parameters from before, and lower the learning rate about 10 "
            "times; again, until losses stay finite",
            "too high", MUCH_LOWER,
        )  # fmt: skip
        return
    count, taken = max(gradients.sum(), losses.sum()), history.steps.sum()
    if count:
        first = np.flatnonzero(losses + gradients)[0]
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
    rises = len(recent) == SURGE and (recent[1:] > recent[:-1]).all()
    if not rises or not np.isfinite(recent).all():
        return
    k = int(np.nanargmin(history.loss))
    large = scale(first, float(history.loss[k]), 0.0)
    if (recent - first > EXPLODED * large).all():
        since = int(history.step[k])
        yield Finding(
            "diverging", "error", last_step(history), since,
            f"the loss grew {fold(recent[-1], history.loss[k])} since step {since} "
            f"{meanwhile(rate_in_words(history))}",
            "the steps are longer than the curvature of the loss allows",
            "lower the learning rate about 10 times",
            "too high", MUCH_LOWER,
        )  # fmt: skip


def risen(windows: Windows, history: History) -> Iterator[Finding]:
    """Find a loss that rises late in a run, before its levels show it.

    Where the rate has not grown since, it is not known what a lower one would do.
    """
    if windows.risen:
        back, factor = f"go back to parameters from about step {windows.at}", None
        since = history.lr[max(int(history.step.searchsorted(windows.at)) - 1, 0) :]
        if since.max() > GROWTH * since[0]:
            back, factor = f"{back}, and lower the learning rate about 3 times", LOWER
        yield Finding(
            "rising", "error", last_step(history), windows.at,
            f"the median loss of 32 steps rose from {figure(windows.best)} about step "
            f"{windows.at} to {figure(windows.now)}, and stays there, "
            f"{meanwhile(rate_in_words(history))}",
            "the learning rate has become too high for where the parameters are",
            back, "too high", factor,
        )  # fmt: skip


def rate(run: Summary, ahead: float = 1.0, unseen: int = 0) -> Iterator[Finding]:
    """Find a rate that is too high or too low.

    ahead : how many times as far as now the steps lead by the run's end.
    unseen : the number of steps before the first that was recorded.
    """
    found = numbers(run)
    if tenfold(run) or _long(run, found):
        yield _too_high(run)
    elif (
        not unseen and may_be_short(run, run.path * ahead) and _short(run, found, ahead)
    ):
        yield _too_low(run)


def tenfold(run: Summary) -> bool:
    """Whether the loss is above ten times the first."""
    return run.level - run.first > (TENFOLD - 1) * run.scale


def _long(run: Summary, found: dict[str, float]) -> bool:
    """Whether the steps are too long; found: the run's `numbers`."""
    weights = HIGH_BY_LOSS if isnan(run.path) else HIGH
    return not run.drop > HALF and weights.of(found) > 0


def may_be_short(run: Summary, path: float) -> bool:
    """Whether a higher rate may be advised at all.

    Not where more than half of the gradients were not finite; nor after a leap, nor
    where updates add up to more than the params, nor where more than half of the way to
    the floor is done.  Where the updates are not known, any spike may have been a leap,
    and a loss below 0 tells too little.
    """
    anywhere = ANYWHERE + max(run.growth, 0.0)
    if run.history.nonfinite_grads.sum() > HALF_OF_STEPS * run.taken:
        return False
    if run.leapt or path > anywhere or run.drop > HALF:
        return False
    return not (isnan(path) and (run.spiked or isnan(run.drop)))


def _short(run: Summary, found: dict[str, float], ahead: float) -> bool:
    """Whether the steps are too short."""
    if not isnan(run.path):
        return LOW.of({**found, "path": found["path"] + log10(ahead)}) > 0
    if not run.fell:
        return ahead <= MUCH_FURTHER and FLAT_BY_LOSS.of(found) > 0
    # At its pace in the second half, the loss falls by so many times as much.
    further = 1 + 2 * max(found["late"], 0) * (ahead - 1)
    return LOW_BY_LOSS.of({**found, "drop": found["drop"] * further}) > 0


def _too_high(run: Summary) -> Finding:
    lowest = run.levels.index(run.least)
    grown = run.level - run.least
    if run.level > run.first and grown > ERRORS * run.error:
        since = run.since(lowest)
        return Finding(
            "diverging", "error", run.step, since,
            f"the loss grew {fold(run.level, run.least)} since step {since} "
            f"{meanwhile(run.lr)}",
            "the steps are longer than the curvature of the loss allows",
            "lower the learning rate about 10 times",
            "too high", MUCH_LOWER,
        )  # fmt: skip
    if run.leapt:
        at = int(run.history.step[np.nanargmax(run.history.high)])
        return Finding(
            "unstable", "error", run.step, at,
            f"the loss leapt to {figure(np.nanmax(run.history.high))} about step {at}; "
            f"{run.went}, at {run.lr}",
            "early steps threw the parameters where there is little to descend",
            "start anew with a learning rate about 10 times lower",
            "too high", MUCH_LOWER,
        )  # fmt: skip
    moved = "" if isnan(run.path) else (
        f"the updates add up to {figure(run.path)} times the norm of the parameters, "
        "and "
    )  # fmt: skip
    return Finding(
        "no descent", "error", run.step, int(run.history.step[0]),
        f"{moved}{run.went}, at {run.lr}",
        "the steps lead back and forth instead of down",
        "lower the learning rate about 3 times",
        "too high", LOWER,
    )  # fmt: skip


def _too_low(run: Summary) -> Finding:
    moved = "" if isnan(run.path) else (
        f" (the updates add up to {figure(run.path, 2)} times the norm of the "
        "parameters)"
    )  # fmt: skip
    remedy, factor = "raise the learning rate", None
    if run.path != 0:
        decades = 1.0 if isnan(run.path) else -log10(run.path)
        factor = 10.0 ** min(max(round(decades), 0.5), 3)
        remedy += f" about {factor:.0f} times"
    if not run.fell or run.drop < FLAT:
        return Finding(
            "flat", "warning", run.step, int(run.history.step[0]),
            f"{run.went} in {run.taken} steps at {run.lr}{moved}",
            "the steps are too short to get anywhere",
            remedy, "too low", factor,
        )  # fmt: skip
    return Finding(
        "slow", "warning", run.step, int(run.history.step[0]),
        f"{run.went} in {run.taken} steps at {run.lr}, and the second half of them "
        f"did {100 * run.late:.0f} % of that{moved}",
        "it descends steadily, by steps shorter than they could be",
        remedy + ", or train longer", "too low", factor,
    )  # fmt: skip
