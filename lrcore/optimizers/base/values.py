"""The value of a hyper-parameter in a step; values of schedules are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrcore._shared.domains import Domain
from lrcore._shared.words import shown
from lrcore._stateful import StatefulSetting
from lrcore.optimizers.base.fields import Field

Ask = Callable[[int], Any]
Check = Callable[[Any], Any]


def scheduled(value: Any) -> bool:
    """Whether a value, or an element of it, depends on the step."""
    return callable(value) or (isinstance(value, tuple) and any(map(callable, value)))


def at(field: Field[Any, Any], value: Any, t: int) -> Any:
    """Return the checked value of a hyper-parameter in the step after t steps."""
    return answered(field, _ask(value, t), value) if scheduled(value) else value


def answered(field: Field[Any, Any], answer: Any, schedule: Any) -> Any:
    """Check the value that a schedule returned, and return it.

    Raises
    ------
    TypeError, ValueError
        It is not in the field's domain; the message names the schedule too.
    """
    try:
        now = field.check(answer)
        if now is None or scheduled(now) or isinstance(now, StatefulSetting):
            raise TypeError(f"{field.name}: expected numbers, found {shown(now)}")
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} from its schedule {shown(schedule)}") from None
    return now


def asking(field: Field[Any, Any], value: Any) -> Ask:
    """Return `at` of a scheduled value as a function of t.

    Fast path: floats inside their domains, the usual case, skip the full check.
    """
    domain = field.domain

    def at_length(answer: Any) -> Any:
        return answered(field, answer, value)

    if isinstance(domain, Domain):
        return _number(value, domain, at_length)
    if callable(value):
        return _several(value, domain, at_length)
    return _several(lambda t: _ask(value, t), domain, at_length)


def _number(schedule: Ask, domain: Domain, check: Check) -> Ask:
    least, most = domain.least, domain.most

    def ask(t: int) -> Any:
        answer = schedule(t)
        if type(answer) is float and least <= answer <= most:
            return answer
        return check(answer)

    return ask


def _several(schedule: Ask, domain: tuple[Domain, ...], check: Check) -> Ask:
    if len(domain) != 2:
        return lambda t: check(schedule(t))
    (low_a, high_a), (low_b, high_b) = ((each.least, each.most) for each in domain)

    def ask(t: int) -> Any:
        answer = schedule(t)
        if type(answer) is tuple and len(answer) == 2:
            a, b = answer
            if (
                type(a) is float
                and type(b) is float
                and low_a <= a <= high_a
                and low_b <= b <= high_b
            ):
                return answer
        return check(answer)

    return ask


def _ask(value: Any, t: int) -> Any:
    if callable(value):
        return value(t)
    if isinstance(value, tuple):
        return tuple([v(t) if callable(v) else v for v in value])
    return value
