"""A metric that is to improve: how it is compared, averaged and checked."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isinf, isnan
from typing import Any

from lrcore._core import Commit
from lrcore._shared.domains import real
from lrcore._shared.words import shown
from lrcore._stateful import Check, Stateful, counted


def improves(
    metric: float, best: float, mode: str, threshold: float, *, relative: bool
) -> bool:
    """Whether a metric is better than the best by more than a threshold; NaN is not.

    relative : the threshold is a fraction of abs(best).

    An infinite best stands for none yet: every other metric is better.
    """
    sign = 1.0 if mode == "max" else -1.0
    if not isinf(best):
        if relative:  # one product, rounded as in torch
            best = best * (1 + (sign if best >= 0 else -sign) * threshold)
        else:
            best = best + sign * threshold
    return metric > best if mode == "max" else metric < best


def number(name: str, value: Any) -> float:
    """Return a number, which may be infinite or NaN."""
    return real(name, value, "a number")


def known(name: str, value: Any) -> float:
    """Return a saved metric, which is infinite before there is one."""
    metric = number(name, value)
    if isnan(metric):
        raise ValueError(f"{name}: expected a number, found {shown(value)}")
    return metric


class Following(Stateful):
    """A mix-in for classes that follow a metric: the best value, and means.

    smoothing : the number of successive metrics whose mean counts as one metric.
    """

    __slots__ = ("_count", "_sum", "best", "mode", "num_bad", "smoothing")
    _later = frozenset({"smoothing", "sum", "count"})

    best: float
    mode: str
    num_bad: int
    smoothing: int

    def _begin(self) -> None:
        """Set what changes to its first values."""
        self.best = inf if self.mode == "min" else -inf
        self.num_bad = 0
        self._sum = 0.0
        self._count = 0

    def reset(self) -> None:
        """Begin anew: no metric seen."""
        commit = Commit()
        self._reset(commit)
        commit.make()

    def _reset(self, commit: Commit) -> None:
        new = self._copy()
        new._begin()
        self._take(new, commit)

    def _averaged(self, metric: float) -> float | None:
        """Take a metric; return the mean of a full block, or None before it is full."""
        self._sum += metric
        self._count += 1
        if self._count < self.smoothing:
            return None
        mean = self._sum / self._count
        self._sum, self._count = 0.0, 0
        return mean


FOLLOWING: Mapping[str, Check] = {
    "best": known,
    "num_bad": counted,
    "_sum": number,
    "_count": counted,
}
"""The attributes of `Following` that change, with checks for `Stateful`."""
