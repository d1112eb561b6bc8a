"""Hyper-parameters: their domains, the values that schedules give them, and groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

from lrcore._numbers import real

Hyper = dict[str, Any]
"""Hyper-parameters by name."""


class Domain(NamedTuple):
    """Which numbers a hyper-parameter may be, and how to say so."""

    holds: Callable[[float], bool]
    text: str


_FINITE = Domain(math.isfinite, "a finite number")
_NONNEGATIVE = Domain(lambda x: 0 <= x < math.inf, "a finite number >= 0")
_FRACTION = Domain(lambda x: 0 <= x < 1, "a number in [0, 1)")
_ABOVE_ONE = Domain(lambda x: 1 < x < math.inf, "a finite number > 1")

# By name, as names mean the same on every optimizer.  A tuple: one domain an element.
# What is not listed is a flag.
_DOMAINS: dict[str, Domain | tuple[Domain, ...]] = {
    "lr": _NONNEGATIVE,
    "weight_decay": _NONNEGATIVE,
    "l2": _NONNEGATIVE,
    "eps": _NONNEGATIVE,
    "betas": (_FRACTION, _FRACTION),
    "momentum_decay": _NONNEGATIVE,
    "etas": (_FRACTION, _ABOVE_ONE),
    "step_sizes": (_NONNEGATIVE, _NONNEGATIVE),
    "momentum": _NONNEGATIVE,
    "dampening": _FINITE,
    "alpha": _FRACTION,
    "rho": _FRACTION,
    "lr_decay": _NONNEGATIVE,
    "initial_accumulator_value": _NONNEGATIVE,
}


# Used at construction only: neither scheduled nor set.
AT_CONSTRUCTION = frozenset({"initial_accumulator_value"})


def check(name: str, value: Any) -> Any:
    """Return the value as a float, a tuple of floats or a bool.

    Schedules pass unchanged: what they return is checked at each step.

    Raises
    ------
    TypeError, ValueError
        It is of another kind, or outside of the hyper-parameter's domain.
    """
    domain = _DOMAINS.get(name)
    if domain is None:
        return _flag(name, value)
    if _is_schedule(value) and name not in AT_CONSTRUCTION:
        return value
    if isinstance(domain, Domain):
        return _number(name, value, domain)
    try:
        values = tuple(value)
    except TypeError:
        values = ()
    if len(values) != len(domain):
        raise ValueError(f"{name}: expected {len(domain)} numbers, found {value!r}")
    return tuple(
        v if _is_schedule(v) else _number(f"{name}[{i}]", v, d)
        for i, (v, d) in enumerate(zip(values, domain, strict=True))
    )


def _is_schedule(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


def _number(name: str, value: Any, domain: Domain) -> float:
    or_schedule = "" if name in AT_CONSTRUCTION else ", or a schedule"
    number = real(name, value, domain.text + or_schedule)
    if not domain.holds(number):
        raise ValueError(f"{name}: expected {domain.text}, found {value!r}")
    return number


def _flag(name: str, value: Any) -> bool:
    if value not in (True, False):
        raise TypeError(f"{name}: expected True or False, found {value!r}")
    return bool(value)


def scheduled(value: Any) -> bool:
    """Whether a value, or an element of it, depends on the step."""
    return callable(value) or (isinstance(value, tuple) and any(map(callable, value)))


def _at(value: Any, t: int) -> Any:
    if callable(value):
        return value(t)
    return tuple(_at(v, t) for v in value) if isinstance(value, tuple) else value


Coefs = Callable[[int, float], tuple[float, ...]]
"""From the step, counted from 1, and its learning rate: the driver's lr and the rule's
own coefficients."""


Folded = tuple[Coefs, float, float, float, float]
"""A step's numbers: where to get the rule's, and lr, gscale, l2 and decay."""


def fold(h: Hyper, fold_rule: Callable[[Hyper], Coefs]) -> Folded:
    """Fold flags and decay into the driver's numbers."""
    lr, l2, decay = h["lr"], h["l2"], 1.0
    if h["decoupled_weight_decay"]:
        decay = 1.0 - lr * h["weight_decay"]
    else:
        l2 += h["weight_decay"]
    return fold_rule(h), lr, -1.0 if h["maximize"] else 1.0, l2, decay


class ParamGroup(MutableMapping[str, Any]):
    """A group's params and hyper-parameters, as a mapping that checks what is set.

    ``group["lr"] = 0.1`` takes effect at the next step; ``group["params"]`` is what was
    given.  Made by the optimizer.  What decides which state
    arrays there are (``amsgrad``, whether there is a momentum) stays as constructed.
    """

    __slots__ = ("_hyper", "_kind", "_scheduled", "folded", "owner", "params", "rule")

    # Two groups are the same where they are one: comparing params would ask arrays.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self, params: Any, hyper: Hyper, kind: Any, owner: dict[str, Any] | None
    ) -> None:
        self.params = params
        self.owner = owner  # the user's dict, where params came in one
        self._kind = kind
        self.replace({name: check(name, value) for name, value in hyper.items()})
        self.rule: str = kind._rule(self._hyper)

    @property
    def hyper(self) -> Hyper:
        """A copy of the hyper-parameters as set, schedules as such."""
        return dict(self._hyper)

    def checked(self, hyper: Mapping[str, Any]) -> Hyper:
        """Check a whole set of hyper-parameters for this group."""
        if not isinstance(hyper, Mapping) or hyper.keys() != self._hyper.keys():
            raise ValueError(
                f"param_groups: expected {list(self._hyper)}, found {hyper!r}"
            )
        new = {name: check(name, value) for name, value in hyper.items()}
        self._keeps_rule(new, "param_groups")
        return new

    def _keeps_rule(self, hyper: Hyper, what: str) -> None:
        rule = self._kind._rule(hyper)
        if rule != self.rule:
            raise ValueError(
                f"{what}: asks for the states of the rule {rule!r}, and this optimizer "
                f"was built with those of {self.rule!r}; construct one with it"
            )

    def replace(self, hyper: Hyper) -> None:
        """Set what ``checked`` has passed."""
        self._hyper = hyper
        self._scheduled = [name for name, v in hyper.items() if scheduled(v)]
        self.folded = None if self._scheduled else fold(hyper, self._kind._fold)

    def __getitem__(self, name: str) -> Any:
        return self.params if name == "params" else self._hyper[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._hyper:
            raise KeyError(f"{name}: no hyper-parameter; there are {list(self._hyper)}")
        if name in AT_CONSTRUCTION:
            raise ValueError(f"{name}: used at construction only; it cannot be set now")
        hyper = {**self._hyper, name: check(name, value)}
        self._keeps_rule(hyper, name)
        self.replace(hyper)

    def __delitem__(self, name: str) -> None:
        raise TypeError("a group's hyper-parameters cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        yield "params"
        yield from self._hyper

    def __len__(self) -> int:
        return 1 + len(self._hyper)

    def __repr__(self) -> str:
        return f"ParamGroup({', '.join(f'{k}={v!r}' for k, v in self._hyper.items())})"

    def at(self, name: str, t: int) -> Any:
        """Return a hyper-parameter's value for the step that follows t others."""
        value = self._hyper[name]
        if name not in self._scheduled:
            return value
        now = check(name, _at(value, t))
        if scheduled(now):
            raise TypeError(
                f"{name}: expected its schedule to return numbers, found {now!r}"
            )
        return now

    def fold_at(self, t: int) -> Folded:
        """Return what ``folded`` is for that step, where something is scheduled."""
        now = {name: self.at(name, t) for name in self._scheduled}
        return fold({**self._hyper, **now}, self._kind._fold)
