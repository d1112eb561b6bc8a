"""What the user of a monitor knows of a run, beside its losses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from math import inf
from typing import Literal, NamedTuple, cast

import numpy as np

from lrcore._shared.domains import FINITE, real, steps
from lrcore._shared.words import shown
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.schedules import Schedule

Kind = Literal["adversarial", "policy"]
KINDS = ("adversarial", "policy")
# The most steps at which a schedule is asked, evenly through the run.
_ASKED = 64
_TOTAL = steps(1)


class Known(NamedTuple):
    """What is known of a run.

    kind : what the loss is, if it does not tell how good the params are.
    floor : the least loss that is possible.
    total : the number of steps that the run will have.
    unseen : the number of steps that it had before the first that was recorded.
    course : of a schedule, the sums of the rates up to evenly spaced steps, from 0 to
        `total`, in units of the highest rate; empty if the rate stays as it is, or is
        not known.
    """

    kind: Kind | None = None
    floor: float | None = None
    total: int | None = None
    unseen: int = 0
    course: tuple[float, ...] = ()

    def ahead(self, step: int, longer: float = 1.0, begin: int = 0) -> float:
        """Return how many times as far as now the steps will have led by the run's end.

        The lengths of steps are taken to be proportional to the rates, so these are
        summed.

        longer : what it is where the end is not known, or reached.
        begin : the steps up to this one do not count, as those before a rollback.
        """
        if self.total is None or step >= self.total:
            return longer
        if not self.course:
            return (self.total - begin) / (step - begin)
        count = len(self.course) - 1
        at = np.array([begin, step]) / self.total * count
        before, now = np.interp(at, range(count + 1), self.course).tolist()
        return (self.course[-1] - before) / (now - before) if now > before else inf


def known(
    kind: object,
    floor: object,
    total: object,
    schedule: object,
    opt: Optimizer | None,
    sign: float,
) -> Known:
    """Return what is known, after a check of the arguments of `Monitor`.

    sign : -1 if the optimizer maximizes, for which the floor is a ceiling.
    """
    if kind is not None and not (isinstance(kind, str) and kind in KINDS):
        raise ValueError(
            'kind: expected "adversarial" or "policy", for a loss that does not tell '
            f"how good the params are, or None, found {shown(kind)}"
        )
    length = None if total is None else int(_TOTAL.check("total", total))
    if schedule is not None:
        length = length or _length(schedule)
        course = _course(schedule, length)
    else:
        of_opt = None if opt is None else opt.param_groups[0]["lr"]
        length = length or _length(of_opt)
        course = _course_of_own(of_opt, length)
    return Known(
        cast("Kind | None", kind),
        None if floor is None else sign * FINITE.check("floor", floor),
        length,
        course=course,
    )


def _length(schedule: object) -> int | None:
    """Return the number of steps in which a schedule shows its shape."""
    return schedule._length if isinstance(schedule, Schedule) else None


def _course_of_own(schedule: object, total: int | None) -> tuple[float, ...]:
    """Return the course of an optimizer's own schedule, as far as it can be known.

    A user's function in it may refuse steps that the run never comes to, and by any
    error: then nothing is known.  What it does in a step of the run, `step` tells.
    """
    if not isinstance(schedule, Schedule) or total is None:
        return ()
    try:
        rates = _asked(schedule, total)
    except Exception:
        return ()
    return _sums(rates) if _are_rates(rates) else ()


def _course(schedule: object, total: int | None) -> tuple[float, ...]:
    """Return the sums of a schedule's rates up to evenly spaced steps."""
    if not callable(schedule):
        raise TypeError(
            "schedule: expected a schedule, as Cosine(0.1, total=1000), found "
            f"{shown(schedule)}"
        )
    if total is None:
        raise ValueError(
            "total: expected the number of steps of the run, as the schedule is "
            "looked at through all of it, found None"
        )
    rates = _asked(schedule, total)
    if not _are_rates(rates):
        wrong = next(rate for rate in rates if not 0 <= rate < inf)
        raise ValueError(f"schedule: expected finite rates >= 0, found {wrong:g}")
    return _sums(rates)


def _asked(schedule: Callable[[int], object], total: int) -> list[float]:
    """Return a schedule's rates in evenly spaced steps."""
    count = min(total, _ASKED)
    return [
        real("schedule", schedule(k * total // count), "numbers as rates")
        for k in range(count)
    ]


def _are_rates(rates: list[float]) -> bool:
    return all(0 <= rate < inf for rate in rates)


def _sums(rates: list[float]) -> tuple[float, ...]:
    """Return the sums of rates, as shares of the highest; empty if all are 0."""
    most = max(rates)
    return tuple(accumulate((r / most for r in rates), initial=0.0)) if most else ()
