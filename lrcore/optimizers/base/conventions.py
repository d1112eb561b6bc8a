"""Which hyper-parameters hold: those given, a convention's, or the defaults."""

from __future__ import annotations

from inspect import signature
from typing import Any

from lrcore.optimizers.base.domains import check
from lrcore.optimizers.base.keywords import OPTIONS, Common, Hyper, known
from lrcore.optimizers.base.kind import Kind


def settle(
    kind: type[Kind], given: frozenset[str], hyper: Hyper, common: Common
) -> tuple[Hyper, Hyper]:
    """Return the options, checked, and the hyper-parameters of a group by default.

    given : names of the constructor's arguments that the caller gave.
    hyper : the class's own arguments.  common : the keywords of every optimizer.
    """
    own: dict[str, Any] = {**common}
    options = {
        name: check(name, own.pop(name, default), kind._domains)
        for name, default in OPTIONS.items()
    }
    preset = kind._preset(own.pop("convention", "torch"), {**hyper, **own})
    defaults = {**hyper, **kind._defaults()}
    known(kind.__name__, own, defaults, "convention", *OPTIONS)
    # A child's __init__ may give what its caller did not: no longer the default.
    defaults |= {
        name: value
        for name, value in preset.items()
        if name not in given
        and (name not in hyper or hyper[name] is _default_of(kind, name))
    }
    return options, {**defaults, **own}


def _default_of(kind: type[Kind], name: str) -> Any:
    """Return the default of an argument of the class, or of its parents."""
    for each in kind.__mro__[:-1]:
        if argument := signature(each).parameters.get(name):
            return argument.default
    return None
