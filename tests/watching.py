"""Runs that a monitor watches, and checks of the words of its findings."""

import math
import re

import numpy as np

import lrcore
from lrcore import Monitor
from lrcore.optimizers.base.report import Report


def watched(losses, monitor=None, **more):
    """A monitor that has seen these losses."""
    monitor = monitor or Monitor()
    for loss in losses:
        monitor.update(loss, **more)
    return monitor


def kinds(findings):
    return [finding.kind for finding in findings]


def noisy(values, size=0.02, seed=0):
    """Losses with noise, as of batches."""
    noise = np.random.default_rng(seed).normal(0, size, len(values))
    return (np.asarray(values) * (1 + noise)).tolist()


def falling(n, to=0.05, first=2.0):
    """A loss that falls as that of a good run."""
    return [to + (first - to) * math.exp(-8 * k / n) for k in range(n)]


def bowl(lr, steps, *, added=0.0, unseen=0, known=None, **more):
    """Gradient descent on a quadratic, watched: it diverges from lr = 2 / 7 on.

    added : to each loss, which is 4 at first without it.
    unseen : how many steps were taken before the monitor was made.
    known : arguments of the monitor; more : of the optimizer.
    """
    w, curvature = np.ones(2), np.array([1.0, 7.0])
    opt = lrcore.SGD(w, lr=lr, **more)
    for _ in range(unseen):
        opt.step(curvature * w)
    monitor, losses = Monitor(opt, **(known or {})), []
    for _ in range(steps):
        losses.append(float(0.5 * (curvature * w**2).sum()) + added)
        opt.step(curvature * w)
        monitor.update(losses[-1])
    return monitor, losses


NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def check_words(finding):
    """Figures are numbers as people write them, and each part is there."""
    text = str(finding)
    assert finding.kind in text
    assert f"step {finding.step}" in text
    # "NaN" and "infinite" are words; nan and inf would be figures.
    assert not re.search(r"\b(nan|inf)\b", text), text
    assert not re.search(r"e\+0[0-5]", text), text
    assert "-0 %" not in text
    assert "None" not in text
    assert 0 <= finding.since <= finding.step
    assert finding.severity in ("info", "warning", "error")
    assert finding.rate in (None, "too high", "too low")
    if finding.kind != "healthy":
        assert finding.evidence
        assert finding.cause
        assert finding.remedy


def check_all(monitor):
    for finding in [*monitor.findings, *monitor.diagnose()]:
        check_words(finding)


def report(ratio=1e-3, grad_norm=1.0, nonfinite=0):
    return Report(1, 0.1, grad_norm, 1.0, ratio * 8.0, 8.0, ratio, nonfinite, True)
