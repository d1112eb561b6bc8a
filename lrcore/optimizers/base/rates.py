"""Multiplies learning rates (numbers, schedules or callables) by a factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lrcore._core import Commit
from lrcore._stateful import StatefulSchedule
from lrcore.optimizers.base.group import ParamGroup


def multiply(groups: Sequence[ParamGroup], factor: float, commit: Commit) -> None:
    """Let a commit multiply the rate of each group; a shared object stays shared.

    Raises
    ------
    TypeError, ValueError
        A product is out of the domain of a learning rate.
    """
    products: dict[int, Any] = {}
    for group in groups:
        rate = group["lr"]
        if id(rate) not in products:
            products[id(rate)] = _product(rate, factor)
            if isinstance(rate, StatefulSchedule):
                rate._scale_by(factor, commit)
        group.change(commit, "lr", products[id(rate)])


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
