"""What an optimizer of lrcore.torch is built of: lrcore's optimizer and tensors."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from itertools import chain
from typing import Any, NamedTuple

import torch

import lrcore
from lrcore.torch._arguments import plain
from lrcore.torch._memory import Memory
from lrcore.torch._state import States


class Rate:
    """The learning rate of a group, as torch's schedulers set it: a schedule."""

    def __init__(self, group: MutableMapping[str, Any], name: str) -> None:
        self.group, self.name = group, name

    def __call__(self, t: int) -> float | str:
        rate = self.group["lr"]
        if type(rate) is float:
            return rate
        if callable(before := self.group.get("initial_lr")):  # a scheduler's own entry
            raise TypeError(
                f"{self.name}: a scheduler of torch computes with the first rate, "
                f"which has to be a number; found {before!r}. Leave out one of the two"
            )
        now: Any = rate(t) if callable(rate) else plain(rate)
        return now if isinstance(now, str) else float(now)  # a text is refused by name

    def set_lr(self, lr: float) -> None:
        """Set the rate where torch's schedulers look for it, as a finder does."""
        rate = self.group["lr"]
        if callable(rate):
            raise ValueError(
                f"{self.name}: expected a number, found a schedule, which the "
                "suggestion would replace; set a number first"
            )
        if isinstance(rate, torch.Tensor):
            rate.fill_(lr)
        else:
            self.group["lr"] = lr

    def __repr__(self) -> str:
        return self.name


class Built(NamedTuple):
    """The optimizer of lrcore that steps the tensors, and what belongs to it.

    values : returns the values of a group that are compared before each step.
    seen : these values, by group; None: they contain tensors, which may change.
    """

    core: lrcore.Optimizer
    memory: Memory
    states: States
    names: list[str]
    values: Callable[[Any], tuple[Any, ...]]
    seen: list[tuple[Any, ...] | None]


def comparable(values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return values to compare with later ones; None if a tensor is among them."""
    each = chain.from_iterable(
        v if isinstance(v, (tuple, list)) else (v,) for v in values
    )
    return None if any(isinstance(v, torch.Tensor) for v in each) else values
