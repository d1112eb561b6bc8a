"""What ranks have measured in a pass of a step, by strips: merged into that of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed._protocol import Comm
from lrcore.distributed._shards import STRIP, Shards


class Entries(NamedTuple):
    """The entries of strips, or of units, that each rank makes.

    n : of all arrays.
    own : the indices of this rank's.
    all : those of all ranks, one after the other.
    counts : how many each rank has.
    """

    n: int
    own: Array
    all: Array
    counts: list[int]


class Merging:
    """Merges the entries that ranks have made.

    sizes : the elements of each array.
    units : how many units of adaptive clipping each has; such an array is owned whole.
    """

    def __init__(
        self, comm: Comm, shards: Shards, sizes: Sequence[int], units: Sequence[int]
    ) -> None:
        self.comm, self.shards = comm, shards
        self._sizes, self._units = list(sizes), list(units)
        self._entries: dict[bool, tuple[list[int], Entries]] = {}

    def entries(self, of_units: bool, absent: list[int]) -> Entries:
        """Return which entries of strips, or of units, each rank makes.

        absent : the arrays that the step leaves out, which have none.
        """
        kept = self._entries.get(of_units)
        if kept is None or kept[0] != absent:
            kept = [*absent], self._made(of_units, absent)
            self._entries[of_units] = kept
        return kept[1]

    def merge(self, entries: Entries, rows: Array) -> None:
        """Fill in the entries of other ranks.

        rows : the bytes of each entry; the own ones are there.
        """
        if self.comm.size == 1:
            return
        width = rows.shape[1]
        of_all = np.empty((len(entries.all), width), np.uint8)
        self.comm.allgather(
            rows[entries.own].reshape(-1),
            of_all.reshape(-1),
            [n * width for n in entries.counts],
        )
        rows[entries.all] = of_all

    def _made(self, of_units: bool, absent: Sequence[int]) -> Entries:
        by_rank: list[list[Array]] = [[] for _ in range(self.comm.size)]
        out, n = set(absent), 0
        of_arrays = self._units if of_units else [-(-n // STRIP) for n in self._sizes]
        for i, size in enumerate(of_arrays):
            if i in out:
                continue
            for rank, found in enumerate(by_rank):
                begin, end = self.shards.of(rank, i)
                first, last = begin // STRIP, -(-end // STRIP)
                if of_units:  # of an array that is owned whole
                    first, last = 0, size
                if begin < end:
                    found.append(np.arange(n + first, n + last))
            n += size
        none = np.empty(0, np.int64)
        indices = [np.concatenate([none, *found]) for found in by_rank]
        return Entries(
            n,
            indices[self.comm.rank],
            np.concatenate(indices),
            [len(each) for each in indices],
        )
