"""Setting a run back, at half the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lrcore._shared.stateful import StatefulSchedule
from lrcore._shared.types import Array
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.schedules import Schedule


class _Kept(NamedTuple):
    step: int
    halvings: int
    params: list[Array]
    state: dict[str, Any]


class Rollback:
    """Keeps an optimizer and its params as they were, and sets them back."""

    def __init__(self, opt: Optimizer, most: int) -> None:
        self._opt, self._left, self._halvings = opt, most, 0
        self._kept: list[_Kept] = []  # two at most, the older first
        self.keep(0)

    @property
    def _params(self) -> list[Array]:
        return [leaf.array for leaf in self._opt._tree.leaves]

    def keep(self, step: int) -> None:
        """Keep what is there now."""
        kept = _Kept(
            step,
            self._halvings,
            [p.copy() for p in self._params],
            self._opt.state_dict(),
        )
        self._kept = [*self._kept[-1:], kept]

    def back(self, since: int) -> int | None:
        """Set all back to before `since`, at half the rate; return the step or None."""
        if not self._left:
            return None
        self._left -= 1
        # The loss of a step is that of the params which the step before left.
        before = [kept for kept in self._kept if kept.step < since - 1]
        kept = before[-1] if before else self._kept[0]
        self._kept = [kept]
        self._halvings += 1
        factor = 0.5 ** (self._halvings - kept.halvings)
        self._opt.load_state_dict(kept.state)
        for p, copy in zip(self._params, kept.params, strict=True):
            p[...] = copy
        changed: dict[int, Any] = {}
        for group in self._opt.param_groups:
            rate = group.hyper["lr"]
            if id(rate) not in changed:  # a stateful one that groups share: once
                changed[id(rate)] = _scaled(rate, factor)
            group["lr"] = changed[id(rate)]
        return kept.step


def _scaled(rate: Any, factor: float) -> Any:
    """Return a learning rate times a factor; a stateful schedule stays itself."""
    if isinstance(rate, StatefulSchedule):
        rate._scale_by(factor)
        return rate
    if isinstance(rate, Schedule):
        return rate.scale(factor)
    return _Scaled(rate, factor) if callable(rate) else rate * factor


@dataclass(frozen=True)
class _Scaled:
    """A callable of the step, times a factor."""

    of: Callable[[int], float]
    factor: float

    def __call__(self, t: int) -> float:
        return self.factor * self.of(t)
