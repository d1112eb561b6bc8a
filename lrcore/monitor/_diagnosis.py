"""What a run's history says of its learning rate.

The thresholds are fractions of the run's own loss and of its parameters' own size, so
that they have no units; bench/monitor.py measures what they find and what they miss.
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
    """Return what there is to say of a run, the worst first."""
    if not len(history.step):
        return []
    findings = [*_rates.nonfinite(history)]
    if not any(finding.rate for finding in findings):
        findings += _rates.exploding(history, first)
    run = summary(history, first)
    if run is not None:
        if not any(finding.rate for finding in findings):
            findings += _rates.rate(run)
        if not any(finding.rate for finding in findings):  # else it is said already
            findings += [
                *_others.oscillating(run),
                *_others.ratio(run),
                *_others.plateau(run),
            ]
        findings += [*_others.gradients(run), *_others.overfitting(run)]
    order = ("error", "warning", "info")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def healthy(history: History, first: float) -> Finding:
    """Return the finding that there is none."""
    if not len(history.step):
        return Finding("healthy", "info", 0, 0, "no step has been taken", "", "")
    step = last_step(history)
    seen = history.loss[np.isfinite(history.loss)]
    went = "no loss was finite"
    if len(seen):
        went = f"the loss went from {figure(first)} to {figure(seen[-1])}"
    evidence = f"{went} in {step} steps at {rate_in_words(history)}"
    return Finding("healthy", "info", step, 1, evidence, "", "")


def well(history: History, first: float) -> bool:
    """Whether a run that diverges may be set back to the end of this history."""
    low_enough = history.high <= LEAP * abs(first)  # false where it is NaN
    return bool(history.steps.sum() >= LEAST_STEPS and low_enough.all())
