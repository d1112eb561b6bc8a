"""The findings that a run's history gives.

All thresholds are fractions of the run's first loss or of the norm of its parameters,
so that they have no units; bench/monitor.py measures what they find and what they miss.
"""

from __future__ import annotations

import numpy as np

from lrcore.monitor import _others, _rates
from lrcore.monitor._figures import figure, last_step, rate_in_words
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._summary import LEAP, LEAST_STEPS, summary


@np.errstate(all="ignore")
def diagnose(history: History, first: float) -> list[Finding]:
    """Return the findings of a run, the worst first; `first` is its first loss."""
    if not len(history.step):
        return []
    findings = [*_rates.nonfinite(history)]
    if not any(finding.rate for finding in findings):
        findings += _rates.exploding(history, first)
    run = summary(history, first)
    if run is not None:
        if not any(finding.rate for finding in findings):
            findings += _rates.rate(run)
        if not any(finding.rate for finding in findings):  # it would explain these
            findings += [
                *_others.oscillating(run),
                *_others.ratio(run),
                *_others.plateau(run),
            ]
        findings += [*_others.gradients(run), *_others.overfitting(run)]
    order = ("error", "warning", "info")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def judged(history: History, first: float) -> bool:
    """Whether there are enough steps to judge the learning rate by."""
    return bool(len(history.step)) and summary(history, first) is not None


def nothing_wrong(history: History, first: float, enough: bool) -> Finding:
    """Return the finding of a run in which nothing else was found.

    enough : whether there are enough steps to call it healthy.
    """
    kind, advice = "healthy", ("", "")
    if not enough:
        kind = "unknown"
        advice = (
            f"a learning rate is judged by {LEAST_STEPS} steps or more since the "
            "beginning, or since a rollback",
            "go on, and ask again",
        )
    if not len(history.step):
        return Finding(kind, "info", 0, 0, "no step has been taken", *advice)
    step = last_step(history)
    seen = history.loss[np.isfinite(history.loss)]
    went = "no loss was finite"
    if len(seen):
        went = f"the loss went from {figure(first)} to {figure(seen[-1])}"
    evidence = f"{went} in {step} steps at {rate_in_words(history)}"
    return Finding(kind, "info", step, 1, evidence, *advice)


def well(history: History, first: float) -> bool:
    """Whether the end of this history is a good point to roll a run back to."""
    low_enough = history.high <= LEAP * abs(first)  # false where it is NaN
    return bool(history.steps.sum() >= LEAST_STEPS and low_enough.all())
