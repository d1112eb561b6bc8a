"""Reads the learning rate of a step, and the numbers of its report."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

from lrcore._shared.domains import real
from lrcore._shared.words import shown
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.report import Report

_NO_REPORT = (nan, nan, nan, 0.0)
_NO_SERIES = (nan, nan, nan, nan)

Read = tuple[float, float, float, float, float, float, float, float, float]
"""Learning rate, squared norms of gradient, params and update, non-finite elements; and
NaN, in the places of the series."""


def reader(opt: Optimizer | None) -> Callable[[], Read] | None:
    """Return a function that reads the last step of an optimizer."""
    if opt is None:
        return None
    group = opt.param_groups[0]

    def read() -> Read:
        plan = opt._plan  # add_group makes another one
        found = None if plan.gathered else plan.report_of(0, None)
        if found is not None:  # the report is of this step
            _, lr, _, (g, _, p, u, bad) = found
            return lr, g * g, p * p, u * u, bad, nan, nan, nan, nan
        return group.rate(max(opt.t - 1, 0)), *_NO_REPORT, *_NO_SERIES

    return read


def given(lr: float, report: Report | None) -> Read:
    """Return these numbers from a learning rate or a report that the caller passes."""
    if report is None:
        return real("lr", lr, "a number"), *_NO_REPORT, *_NO_SERIES
    if not isinstance(report, Report):
        raise TypeError(f"report: expected a Report or None, found {shown(report)}")
    norms = (report.grad_norm, report.param_norm, report.update_norm)
    g, p, u = (norm * norm for norm in norms)
    return report.lr, g, p, u, report.nonfinite, *_NO_SERIES
