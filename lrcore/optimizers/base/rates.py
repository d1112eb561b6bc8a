"""Multiplies learning rates (numbers, schedules or callables) by a factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lrcore._core import Commit
from lrcore._stateful import StatefulSchedule
from lrcore.optimizers.base import stateful
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.keywords import Hyper


def multiply(groups: Sequence[ParamGroup], factor: float, commit: Commit) -> None:
    """Let a commit multiply the rate of each group; a shared object stays shared.

    Raises
    ------
    TypeError, ValueError
        A product is out of the domain of a learning rate.
    """
    products = _products([group["lr"] for group in groups], factor, commit)
    for group in groups:
        group.change(commit, "lr", products[id(group["lr"])])


def multiplied(sets: Sequence[Hyper], factor: float) -> list[Hyper]:
    """Return copies of sets of hyper-parameters, with the rate of each multiplied."""
    copies, commit = stateful.copied(sets), Commit()
    products = _products([own["lr"] for own in copies], factor, commit)
    commit.make()
    return [{**own, "lr": products[id(own["lr"])]} for own in copies]


def _products(rates: Sequence[Any], factor: float, commit: Commit) -> dict[int, Any]:
    """Return the product of each rate, by the rate's id.

    A stateful schedule is its own product: the commit lets it scale itself.
    """
    products: dict[int, Any] = {}
    for rate in rates:
        if id(rate) not in products:
            products[id(rate)] = _product(rate, factor)
            if isinstance(rate, StatefulSchedule):
                rate._scale_by(factor, commit)
    return products


def _product(rate: Any, factor: float) -> Any:
    """Return a rate times a factor; a stateful schedule scales itself."""
    if isinstance(rate, StatefulSchedule):
        return rate
    if hasattr(rate, "__rmul__"):  # a number, or a schedule of lrcore
        return factor * rate
    if isinstance(rate, _Scaled):
        return _Scaled(rate.of, factor * rate.factor)
    return _Scaled(rate, factor)


@dataclass(frozen=True)
class _Scaled:
    """A callable of the step, times a factor."""

    of: Callable[[int], float]
    factor: float

    def __call__(self, t: int) -> float:
        return self.factor * self.of(t)
