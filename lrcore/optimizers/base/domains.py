"""The values that a hyper-parameter can have, and what a schedule may make of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lrcore._shared.numbers import real, whole
from lrcore._shared.words import shown


class Domain(NamedTuple):
    """Which numbers a hyper-parameter may be, and how to say so.

    inside : (a, b), where every float x with a <= x < b holds: a number is compared
        with these before it is checked at length.
    """

    holds: Callable[[float], bool]
    text: str
    inside: tuple[float, float] = (math.inf, -math.inf)
    optional: bool = False  # or None
    fixed: bool = False  # not for a schedule
    least: int | None = None  # a whole number, at least this
    choices: tuple[str, ...] = ()  # or one of these
    axes: bool = False  # or axes of an array

    def or_none(self) -> Domain:
        """Return the domain with None."""
        return self._replace(text=self.text + " or None", optional=True)


_LEAST, _MOST = math.ulp(0.0), math.inf

FINITE = Domain(math.isfinite, "a finite number", (-1e308, _MOST))
NONNEGATIVE = Domain(lambda x: 0 <= x < math.inf, "a finite number >= 0", (0.0, _MOST))
POSITIVE = Domain(lambda x: 0 < x < math.inf, "a finite number > 0", (_LEAST, _MOST))
FRACTION = Domain(lambda x: 0 <= x < 1, "a number in [0, 1)", (0.0, 1.0))
GROWTH = Domain(lambda x: x >= 1, "a number >= 1", (1.0, _MOST))
ABOVE_ONE = Domain(
    lambda x: 1 < x < math.inf, "a finite number > 1", (1.0 + 1e-9, _MOST)
)


def count(least: int) -> Domain:
    """Return the domain of whole numbers from `least` on; never scheduled."""
    return Domain(lambda n: n >= least, f"an int >= {least}", fixed=True, least=least)


def choice(*names: str) -> Domain:
    """Return the domain of one of these strings."""
    text = "one of " + ", ".join(map(repr, names))
    return Domain(lambda _: True, text, fixed=True, choices=names)


AXES = Domain(
    lambda _: True, "an int or a tuple of them", fixed=True, optional=True, axes=True
)

Domains = Mapping[str, Domain | tuple[Domain, ...]]

# By name, as names mean the same on every optimizer; a class may say otherwise.  A
# tuple: one domain an element.  What is not listed is a flag.
_DOMAINS: Domains = {
    "lr": NONNEGATIVE,
    "weight_decay": NONNEGATIVE,
    "l2": NONNEGATIVE,
    "eps": NONNEGATIVE,
    "eps_root": NONNEGATIVE,
    "betas": (FRACTION, FRACTION),
    "etas": (FRACTION, ABOVE_ONE),
    "step_sizes": (NONNEGATIVE, NONNEGATIVE),
    "momentum": NONNEGATIVE,
    "dampening": FINITE,
    "alpha": FRACTION,
    "rho": FRACTION,
    "lr_decay": NONNEGATIVE,
    "initial_accumulator_value": NONNEGATIVE,
    "ema_decay": FRACTION.or_none(),
    "swa_start": count(0).or_none(),
    "swa_every": count(1),
    "lookahead_steps": count(1).or_none(),
    "mechanic_s_init": POSITIVE,
    "mechanic_decay": NONNEGATIVE,
    "lookahead_alpha": Domain(
        lambda x: 0 < x <= 1, "a number in (0, 1]", (_LEAST, 1.0)
    ),
    "clip_value": POSITIVE.or_none(),
    "clip_tensor_norm": POSITIVE.or_none(),
    "agc": POSITIVE.or_none(),
    "agc_axis": AXES,
    "agc_eps": POSITIVE,
    "clip_norm": POSITIVE.or_none(),
    "clip_eps": NONNEGATIVE,
    "grad_scale": POSITIVE,
    "accumulate": count(1),
    "num_threads": count(1).or_none(),
    "denormals": choice("flush", "keep"),
}


# Used at construction only: neither scheduled nor set.
AT_CONSTRUCTION = frozenset({"initial_accumulator_value", "d0", "mechanic_s_init"})


def domain_of(name: str, domains: Domains) -> Domain | tuple[Domain, ...] | None:
    """Return a hyper-parameter's domain; None: it is a flag."""
    return domains.get(name) or _DOMAINS.get(name)


def check(name: str, value: Any, domains: Domains) -> Any:
    """Return the value as a float, an int, a tuple of floats, None or a bool.

    Schedules pass unchanged: what they return is checked at each step.

    domains: those of the class, where they are not the usual ones.

    Raises
    ------
    TypeError, ValueError
        It is of another kind, or outside of the hyper-parameter's domain.
    """
    domain = domain_of(name, domains)
    if domain is None:
        return _flag(name, value)
    if isinstance(domain, Domain):
        return number(name, value, domain)
    if _is_schedule(value):
        return value
    try:
        values = tuple(value)
    except TypeError:
        values = ()
    if len(values) != len(domain):
        raise ValueError(
            f"{name}: expected {len(domain)} numbers, found {shown(value)}"
        )
    return tuple(
        number(f"{name}[{i}]", v, d)
        for i, (v, d) in enumerate(zip(values, domain, strict=True))
    )


def _is_schedule(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


def number(name: str, value: Any, domain: Domain) -> Any:
    """Return the value as a number of a domain: `check` of one by itself."""
    low, high = domain.inside
    if type(value) is float and low <= value < high:
        return value
    if domain.axes:
        return _axes(name, value, domain)
    if domain.choices:
        if value not in domain.choices:
            raise ValueError(f"{name}: expected {domain.text}, found {shown(value)}")
        return value
    fixed = domain.fixed or name in AT_CONSTRUCTION
    if (value is None and domain.optional) or (_is_schedule(value) and not fixed):
        return value
    wanted = domain.text + ("" if fixed else ", or a schedule")
    if domain.least is not None:
        return whole(name, value, wanted, least=domain.least)
    x = real(name, value, wanted)
    if not domain.holds(x):
        raise ValueError(f"{name}: expected {domain.text}, found {shown(value)}")
    return x


def _axes(name: str, value: Any, domain: Domain) -> tuple[int, ...] | None:
    if value is None:
        return None
    least = -(2**31)
    axes = value if isinstance(value, (tuple, list)) and value else (value,)
    return tuple(whole(name, axis, domain.text, least=least) for axis in axes)


def _flag(name: str, value: Any) -> bool:
    if value not in (True, False):
        raise TypeError(f"{name}: expected True or False, found {shown(value)}")
    return bool(value)


def scheduled(value: Any) -> bool:
    """Whether a value, or an element of it, depends on the step."""
    return callable(value) or (isinstance(value, tuple) and any(map(callable, value)))
