"""Which rank owns which elements: a shard of each array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array

STRIP = 2048
"""Elements of a strip, the unit of sums of the core (``LRC_STRIP`` of plan.h)."""


class Owned(NamedTuple):
    """An array that is to be owned.

    n : its elements.
    cost : of a step of it, in bytes of an array that is stepped by elements.
    whole : whether one rank owns all of it, since its rule works on whole arrays.
    """

    n: int
    cost: float
    whole: bool


class Shards:
    """The elements that each rank owns of each array.

    Rank r owns the elements [begin[r, i], end[r, i]) of array i in the order of its
    memory: whole strips, so that sums by strip do not depend on the number of ranks.
    Arrays that are owned whole are dealt out first, the dearest to the rank that has
    the least.  The strips of the others, one after the other, are cut into a range for
    each rank, so that all have the same cost.

    Attributes
    ----------
    begin, end : ndarray of int64, of shape (ranks, arrays)
    """

    def __init__(self, arrays: Sequence[Owned], size: int) -> None:
        self.size = size
        self.begin = np.zeros((size, len(arrays)), np.int64)
        self.end = np.zeros((size, len(arrays)), np.int64)
        self.whole = [array.whole for array in arrays]
        load = np.zeros(size)
        order = sorted(
            (i for i, array in enumerate(arrays) if array.whole),
            key=lambda i: (-arrays[i].cost, i),
        )
        for i in order:
            rank = int(load.argmin())
            self.begin[:, i] = arrays[i].n
            self.begin[rank, i], self.end[rank, i] = 0, arrays[i].n
            self.end[:, i] = np.maximum(self.begin[:, i], self.end[:, i])
            load[rank] += arrays[i].cost
        self._cut([i for i in range(len(arrays)) if not arrays[i].whole], arrays, load)

    def _cut(self, flat: Sequence[int], arrays: Sequence[Owned], load: Array) -> None:
        """Give each rank a range of the strips of some arrays."""
        if not flat:
            return
        n = np.array([arrays[i].n for i in flat], np.int64)
        costs = np.array([arrays[i].cost for i in flat])
        before = np.concatenate([[0.0], np.cumsum(costs)])
        for rank, cost in enumerate(_level(load, before[-1])[:-1]):
            k = min(int(np.searchsorted(before, cost, "right")) - 1, len(flat) - 1)
            share = (cost - before[k]) / costs[k] if costs[k] > 0 else 0.0
            cut = min(round(share * n[k] / STRIP) * STRIP, int(n[k]))
            for j, i in enumerate(flat):
                edge = int(n[j]) if j < k else cut if j == k else 0
                self.end[rank, i] = edge
                self.begin[rank + 1, i] = edge
        self.end[-1, flat] = n

    def of(self, rank: int, i: int) -> tuple[int, int]:
        """Return the first and the end of the elements that a rank owns of an array."""
        return int(self.begin[rank, i]), int(self.end[rank, i])


def _level(load: Array, total: float) -> list[float]:
    """Return where each rank's share of a total ends, so that all loads become even."""
    order = np.argsort(load, kind="stable")
    level = 0.0
    for k in range(1, len(load) + 1):  # the k ranks with the least get all of it
        level = (total + load[order[:k]].sum()) / k
        if k == len(load) or level <= load[order[k]]:
            break
    ends: list[float] = np.cumsum(np.maximum(level - load, 0.0)).tolist()
    return ends
