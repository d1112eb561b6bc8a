"""What a hyper-parameter is in a step: its schedule is asked, the answer checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrcore._shared.words import shown
from lrcore.optimizers.base.domains import Domain, Domains, check, domain_of, scheduled

Ask = Callable[[int], Any]
Check = Callable[[Any], Any]


def at(name: str, value: Any, t: int, domains: Domains) -> Any:
    """Return what a hyper-parameter is in the step that follows t others, checked."""
    return answered(name, _ask(value, t), domains) if scheduled(value) else value


def answered(name: str, answer: Any, domains: Domains) -> Any:
    """Return what a schedule has answered, checked."""
    now = check(name, answer, domains)
    if now is None or scheduled(now):
        raise TypeError(
            f"{name}: expected its schedule to return numbers, found {shown(now)}"
        )
    return now


def asking(name: str, value: Any, domains: Domains) -> Ask:
    """Return `at` of a scheduled value as a function of t.

    Floats inside of their domains, which schedules nearly always give, are not checked
    again.
    """
    domain = domain_of(name, domains)

    def at_length(answer: Any) -> Any:
        return answered(name, answer, domains)

    if isinstance(domain, Domain):
        return _number(value, domain, at_length)
    if callable(value):
        return _several(value, domain or (), at_length)
    return _several(lambda t: _ask(value, t), domain or (), at_length)


def _number(schedule: Ask, domain: Domain, check: Check) -> Ask:
    low, high = domain.inside

    def ask(t: int) -> Any:
        answer = schedule(t)
        if type(answer) is float and low <= answer < high:
            return answer
        return check(answer)

    return ask


def _several(schedule: Ask, domain: tuple[Domain, ...], check: Check) -> Ask:
    if len(domain) != 2:
        return lambda t: check(schedule(t))
    (low_a, high_a), (low_b, high_b) = (each.inside for each in domain)

    def ask(t: int) -> Any:
        answer = schedule(t)
        if type(answer) is tuple and len(answer) == 2:
            a, b = answer
            if (
                type(a) is float
                and type(b) is float
                and low_a <= a < high_a
                and low_b <= b < high_b
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
