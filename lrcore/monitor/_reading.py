"""What is recorded of a step: its loss and rate, the numbers of its report, series."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

from lrcore._shared.domains import real
from lrcore._shared.words import shown
from lrcore.monitor._blocks import MEASURED, Step
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.report import Report

Read = Callable[[float], Step]
"""A function that returns the step with this loss, without series."""


def reader(opt: Optimizer | None) -> Read | None:
    """Return a function that reads the last step of an optimizer."""
    if opt is None:
        return None
    group = opt.param_groups[0]

    def read(loss: float) -> Step:
        plan = opt._plan  # add_group makes another one
        # While micro-batches are gathered, the report is still that of the step before.
        found = None if plan.gathered else plan.report_of(0, None)
        if found is not None:
            _, lr, _, (g, _, p, u, bad) = found
            return loss, lr, g * g, p * p, u * u, bad, nan, nan, nan, nan
        t = plan.t
        return _unreported(loss, group.rate(t - 1 if t else 0))

    return read


def given(loss: float, lr: float, report: Report | None) -> Step:
    """Return a step whose learning rate or report the caller passes."""
    if report is None:
        return _unreported(loss, real("lr", lr, "a number"))
    if not isinstance(report, Report):
        raise TypeError(f"report: expected a Report or None, found {shown(report)}")
    norms = (report.grad_norm, report.param_norm, report.update_norm)
    g, p, u = (norm * norm for norm in norms)
    return loss, report.lr, g, p, u, report.nonfinite, nan, nan, nan, nan


def with_series(
    step: Step,
    sign: float,
    validation: float | None,
    entropy: float,
    kl: float,
    explained_variance: float,
) -> Step:
    """Return a step with the series that the caller passes, after a check of them.

    sign : -1 if the optimizer maximizes, as for the loss.
    """
    loss, lr, g, p, u, bad = step[:MEASURED]
    other = nan
    if validation is not None:
        other = sign * real("validation", validation, "a number")
    return (
        loss, lr, g, p, u, bad, other,
        real("entropy", entropy, "a number"),
        real("kl", kl, "a number"),
        real("explained_variance", explained_variance, "a number"),
    )  # fmt: skip


def _unreported(loss: float, lr: float) -> Step:
    """Return a step of which only the loss and the rate are known."""
    return loss, lr, nan, nan, nan, 0.0, nan, nan, nan, nan
