"""A schedule by its name, as a search or a settings file gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from lrcore._shared import domains
from lrcore._shared.named import picked
from lrcore._shared.words import listed, named, shortened, shown
from lrcore.schedules._schedule import Schedule

__all__ = ["make"]

STEPS = domains.steps(0)

# Parameters without a default that have a usual value, given the number of steps.
_USUAL: Mapping[str, Callable[[int], Mapping[str, Any]]] = {
    "Linear": lambda total: {"end": 0.0},
    # A decay in the last tenth, as in the paper; the warm-up is an argument of `make`.
    "WSD": lambda total: {"warmup_steps": 0, "decay_steps": total // 10},
}


def make(
    name: str, peak: float, total: int, *, warmup: int = 0, **options: Any
) -> Schedule:
    """Return a schedule by its name, with the same arguments for all, as for a search.

    Parameters
    ----------
    name : str
        The class: any schedule with a `base` or a `peak`, as ``"Constant"``,
        ``"Cosine"``, ``"Linear"``, ``"OneCycle"``, ``"WSD"``.
    peak : float
        The highest value of a schedule that falls or has a peak: its `peak`, or else
        its `base`.
    total : int
        The number of steps of the run, those of the warm-up included, >= 0.  Schedules
        without an end ignore it.
    warmup : int
        The number of steps of a linear warm-up, from 0 to total: `Schedule.warmup`.
        Default 0: none.
    **options
        Other parameters of the class, as ``end=1e-5``.  Linear has a default of 0 for
        `end`, WSD of ``total // 10`` for `decay_steps`.

    Raises
    ------
    TypeError, ValueError
        No schedule has this name, a parameter that it needs is missing, or an argument
        is out of its domain.

    Examples
    --------
    >>> make("Cosine", 0.1, 1000, warmup=100)
    Warmup(steps=100, after=Cosine(base=0.1, total=900))
    >>> make("OneCycle", 0.1, 1000, pct_start=0.2)
    OneCycle(peak=0.1, total=1000, pct_start=0.2)
    >>> make("MultiStep", 0.1, 1000, at=(500, 750))
    MultiStep(base=0.1, at=(500, 750))
    """
    kinds = {n: kind for n, kind in sorted(Schedule._known.items()) if _top(kind)}
    kind = picked("name", name, kinds)
    steps = STEPS.check("total", total)
    risen = STEPS.check("warmup", warmup)
    if risen > steps:
        raise ValueError(
            f"warmup: expected at most total = {steps}, found {shown(warmup)}"
        )
    ours = _parameters(kind)
    given = {_top(kind): domains.FINITE.check("peak", peak), "total": steps - risen}
    optional = [n for n in ours if n not in given]
    if unknown := [option for option in options if option not in optional]:
        raise TypeError(
            f"{shortened(name)}: expected options of {listed(optional, named)}, found "
            f"{listed(unknown, named)}"
        )
    if usual := _USUAL.get(name):
        given |= usual(steps - risen)
    given |= options
    if missing := [n for n in ours if n not in given and _needed(ours[n])]:
        raise TypeError(
            f"{shortened(name)}: expected {listed(missing, named)}, too, found "
            f"nothing; pass {missing[0]}=..."
        )
    if "total" not in ours:
        del given["total"]
    schedule = kind(**given)
    return schedule.warmup(risen) if risen else schedule


def _top(kind: type[Schedule]) -> str:
    """Return the name of the parameter for `peak`, or ""."""
    names = _parameters(kind)
    return next((name for name in ("peak", "base") if name in names), "")


def _parameters(kind: type[Schedule]) -> dict[str, Field[Any]]:
    return {f.name: f for f in fields(kind)} if is_dataclass(kind) else {}


def _needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
