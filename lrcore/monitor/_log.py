"""The log of a monitor: a function that is passed the numbers and findings of steps."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, sqrt

from lrcore._shared.domains import FUNCTION
from lrcore.monitor._blocks import Step
from lrcore.monitor._finding import Finding
from lrcore.optimizers.base.report import ratio

SERIES = ("entropy", "kl", "explained_variance")

Log = Callable[[int, dict[str, float], list[Finding]], object]


class Logs:
    """The part of `Monitor` that has a log, and the attributes it needs."""

    _log: Log | None

    @property
    def log(self) -> Log | None:
        """The function that is passed each step, or None; settable."""
        return self._log

    @log.setter
    def log(self, function: Log | None) -> None:
        self._log = checked(function)


def checked(function: Log | None) -> Log | None:
    """Return a log, after a check that it is a function or None."""
    return None if function is None else FUNCTION.check("log", function)


def numbers(step: Step, sign: float, validated: bool) -> dict[str, float]:
    """Return the numbers of a step by name, without those that are not known.

    sign : -1 if the optimizer maximizes; the losses are passed as the caller gave them.
    validated : whether the step has a validation loss, which may be NaN.
    """
    loss, lr, grads, params, updates, bad, validation, *series = step
    named = {"loss": sign * loss}
    if validated:
        named["validation"] = sign * validation
    if not isnan(lr):
        named["lr"] = lr
    if bad or not (isnan(grads) and isnan(params) and isnan(updates)):  # a report
        update_norm, param_norm = sqrt(updates), sqrt(params)
        named["grad_norm"] = sqrt(grads)
        named["update_norm"] = update_norm
        named["param_norm"] = param_norm
        named["update_ratio"] = ratio(update_norm, param_norm)
        named["nonfinite"] = float(bad)
    for name, value in zip(SERIES, series, strict=True):
        if not isnan(value):
            named[name] = value
    return named
