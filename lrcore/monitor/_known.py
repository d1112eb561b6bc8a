"""What the user of a monitor knows of a run, beside its losses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from math import inf
from typing import Literal, NamedTuple, cast

import numpy as np

from lrcore._shared.domains import FINITE, real, whole
from lrcore._shared.words import shown
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.schedules import Schedule

Kind = Literal["adversarial", "policy"]
KINDS = ("adversarial", "policy")
# The most steps at which a schedule is asked, evenly through the run.
_ASKED = 64


class Known(NamedTuple):
    """What is known of a run.

    kind : what the loss is, if it does not tell how good the params are.
    floor : the least loss that is possible.
    total : the number of steps that the run will have.
    unseen : the number of steps that it had before the first that was recorded.
    course : of a schedule, the sums of the rates up to evenly spaced steps, from 0 to
        `total`; empty if the rate stays as it is.
    """

    kind: Kind | None = None
    floor: float | None = None
    total: int | None = None
    unseen: int = 0
    course: tuple[float, ...] = ()

    def ahead(self, step: int, longer: float = 1.0) -> float:
        """Return how many times as far as by now the steps lead by the run's end.

        Their lengths are taken to be proportional to the rates, so these are summed.

        longer : what it is where the end is not known, or reached.
        """
        if self.total is None or step >= self.total:
            return longer
        if not self.course:
            return self.total / step
        count = len(self.course) - 1
        now = np.interp(step / self.total * count, range(count + 1), self.course)
        return self.course[-1] / float(now) if now > 0 else inf


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
    if total is not None:
        total = whole("total", total, "an int >= 1", least=1)
    if schedule is not None:
        total = total or _length(schedule)
        course = _course(schedule, total)
    else:
        of_opt = None if opt is None else opt.param_groups[0]["lr"]
        total = total or _length(of_opt)
        course = _course_of_own(of_opt, total)
    return Known(
        cast("Kind | None", kind),
        None if floor is None else sign * FINITE.check("floor", floor),
        total,
        course=course,
    )


def _length(schedule: object) -> int | None:
    """Return the number of steps in which a schedule shows its shape."""
    return schedule._length if isinstance(schedule, Schedule) else None


def _course_of_own(schedule: object, total: int | None) -> tuple[float, ...]:
    """Return the course of an optimizer's own schedule, as far as it can be known."""
    if not isinstance(schedule, Schedule):
        return ()
    try:
        return _course(schedule, total)
    except Exception:  # of a function in it, which may end before the run does
        return ()


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
    count = min(total, _ASKED)
    ask = cast("Callable[[int], object]", schedule)
    rates = [
        real("schedule", ask(k * total // count), "numbers as rates")
        for k in range(count)
    ]
    if not 0 <= min(rates) <= max(rates) < inf:
        raise ValueError(
            f"schedule: expected rates >= 0, found {min(rates):g} to {max(rates):g}"
        )
    return tuple(accumulate(rates, initial=0.0)) if max(rates) else ()
