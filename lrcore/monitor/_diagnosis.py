"""The findings that a run's history gives.

All thresholds are fractions of the loss's descent, its noise or the norm of the
parameters, so that they have no units; bench/monitor.py measures what they find and
what they miss.
"""

from __future__ import annotations

from math import nan
from typing import NamedTuple

import numpy as np

from lrcore.monitor import _meaning, _others, _rates
from lrcore.monitor._figures import last_step, rate_in_words, went
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._known import Known
from lrcore.monitor._summary import LEAST_STEPS, Summary, median, scale, summary
from lrcore.monitor._windows import Windows

# A loss has leapt if it is above the first by twice what is a large change of it.
LEAP = 2.0


class Watched(NamedTuple):
    """All that a diagnosis is made from.

    history : the steps that are judged.
    first : the first loss of the run.
    windows : its windows of losses.
    known : what the user knows.
    """

    history: History
    first: float
    windows: Windows
    known: Known

    def summary(self) -> Summary | None:
        """Return the summary, of the steps since the data have shifted."""
        history, first = self.history, self.first
        if self.windows.shift:
            history = since(history, self.windows.shift)
            seen = history.loss[np.isfinite(history.loss)]
            first = float(seen[0]) if len(seen) else nan
        return summary(history, first, self.known.floor)


def since(history: History, step: int) -> History:
    """Return the part of a history that begins with this step, or just after it."""
    k = int(history.step.searchsorted(step))
    if not k:
        return history
    return History(*(values[k:] for values in history))


@np.errstate(all="ignore")
def diagnose(watched: Watched, longer: float = 1.0) -> list[Finding]:
    """Return the findings of a run, the worst first.

    longer : if it is not known how long the run will be, a rate is too low only if it
        still were in one so many times as long.
    """
    history, first, windows, known = watched
    if not len(history.step):
        return []
    run = watched.summary()
    findings = [*_rates.nonfinite(history)]
    meant = known.kind is None and not (run and _meaning.about_zero(run))
    if meant and not _told(findings):
        findings += _rates.exploding(history, first)
    if run is not None:
        if meant and not _told(findings):
            begin = int(run.history.step[0]) - 1
            ahead = known.ahead(run.step, longer, begin)
            verdict = [*_rates.rate(run, ahead, known.unseen)]
            if windows.risen:  # which says more exactly what happened, and since when
                verdict = [f for f in verdict if f.kind != "no descent"]
            findings += verdict
        if meant and not _told(findings):
            findings += _rates.risen(windows, history)
        if meant and not _told(findings):  # it would explain these
            findings += [
                *_others.oscillating(run),
                *_others.ratio(run),
                *_others.plateau(run),
            ]
        findings += _others.gradients(run)
        if meant:
            findings += _others.overfitting(run)
    findings += _meaning.of_series(history, known.kind)
    if not meant and not _told(findings):
        findings += _meaning.not_judged(history, known.kind)
    if windows.shift:
        findings.append(_others.shifted(windows, history))
    order = ("error", "warning", "info")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


@np.errstate(all="ignore")
def beyond_doubt(watched: Watched) -> bool:
    """Whether a rate that is too high is so clearly, so that it is told at once."""
    history, first, windows, _ = watched
    if windows.risen or any(_rates.exploding(history, first)):
        return True
    run = watched.summary()
    return run is not None and _rates.tenfold(run)


def _told(findings: list[Finding]) -> bool:
    return any(finding.rate for finding in findings)


@np.errstate(all="ignore")
def judged(watched: Watched) -> bool:
    """Whether the learning rate can be judged, so that no finding means a fine one.

    It cannot without enough steps, nor where the loss has not fallen, nor by a loss
    without a meaning.
    """
    if not len(watched.history.step) or watched.known.kind is not None:
        return False
    run = watched.summary()
    return run is not None and run.fell and not _meaning.about_zero(run)


def nothing_wrong(watched: Watched, whole: History, healthy: bool) -> Finding:
    """Return the finding of a run in which nothing else was found.

    whole : the history, with the steps before a rollback.
    healthy : whether the run is judged, and the loss fell.
    """
    kind, advice, first = "healthy", ("", ""), watched.first
    if not healthy:
        kind = "unknown"
        if watched.history.steps.sum() < LEAST_STEPS:
            advice = (
                f"a learning rate is judged by {LEAST_STEPS} steps or more since the "
                "beginning, or since a rollback",
                "go on, and ask again",
            )
        else:
            advice = (
                "the loss has not fallen by more than its noise: it is as low as it "
                "can be, or the learning rate is wrong in either direction",
                "compare with a short run at another learning rate (lr_find)",
            )
    if not len(whole.step):
        return Finding(kind, "info", 0, 0, "no step has been taken", *advice)
    step = last_step(whole)
    seen = whole.loss[np.isfinite(whole.loss)]
    result = "no loss was finite"
    if len(seen):
        result = went(first, seen[-1])
    unseen = ""
    if watched.known.unseen:
        unseen = f", after {watched.known.unseen} steps that were not watched"
    evidence = f"{result} in {step} steps at {rate_in_words(whole)}{unseen}"
    return Finding(kind, "info", step, 1, evidence, *advice)


@np.errstate(all="ignore")
def well(history: History, first: float) -> bool:
    """Whether the end of this history is a good point to roll a run back to."""
    if history.steps.sum() < LEAST_STEPS:
        return False
    wiggle = history.wiggle[np.isfinite(history.wiggle)]
    noise = median(wiggle) if len(wiggle) else 0.0
    large = scale(first, float(np.nanmin(history.low)), noise)
    low_enough = history.high - first <= LEAP * large  # false where it is NaN
    return bool(low_enough.all())
