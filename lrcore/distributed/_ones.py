"""Gradients that come one array at a time, and travel while others are computed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed._protocol import Comm, RankLostError
from lrcore.distributed._shards import Shards
from lrcore.distributed._tree import additions

_lines: WeakKeyDictionary[Comm, ThreadPoolExecutor] = WeakKeyDictionary()
"""The thread of each group of ranks."""


class Ones:
    """The arrays of a step that have come so far.

    A thread exchanges them in the order in which they come, which is the same on every
    rank; those of all optimizers with the same ranks.  Meanwhile no other thread uses
    the ranks.

    Attributes
    ----------
    order : list of int
        The arrays that have come.
    sent_bytes : int
        What this rank has sent to others.
    """

    def __init__(
        self, comm: Comm, shards: Shards, dtypes: Sequence[np.dtype[Any]]
    ) -> None:
        self._comm, self._shards, self._dtypes = comm, shards, dtypes
        self._lost: RankLostError | None = None
        self.sent_bytes = 0
        self.clear()

    def clear(self) -> None:
        """Begin a step."""
        self.order: list[int] = []
        self._coming: dict[int, Future[Array]] = {}

    def begin(self, i: int, g: Array | None) -> None:
        """Send the gradient of array i, which the caller may overwrite afterwards.

        g : in one dimension; None: zeros travel, and the ranks compare later on whether
            all of them have none.
        """
        ends = [self._shards.of(rank, i) for rank in range(self._comm.size)]
        dtype = self._dtypes[i]
        n = max(end for _, end in ends)
        sent = np.zeros(n, dtype) if g is None else g.copy()
        if self._comm not in _lines:
            _lines[self._comm] = ThreadPoolExecutor(1, "lrcore-ranks")
        self.order.append(i)
        self._coming[i] = _lines[self._comm].submit(
            self._exchange, sent, [end - begin for begin, end in ends]
        )

    def sums(self, present: Sequence[bool]) -> list[Array | None]:
        """Return the own elements of all sums, when they are there."""
        found = {i: coming.result() for i, coming in self._coming.items()}
        return [found[i] if there else None for i, there in enumerate(present)]

    def wait(self) -> None:
        """Return when nothing travels any more; raise the error of what has failed."""
        line = _lines.get(self._comm)
        if line is not None:  # int() comes after all that other optimizers have sent
            line.submit(int).result()
        for coming in self._coming.values():
            coming.result()

    def _exchange(self, sent: Array, counts: Sequence[int]) -> Array:
        """Return the own elements of the sum over all ranks.

        After a rank was lost, nothing waits for it again.
        """
        if self._lost is not None:
            raise self._lost
        rank, size = self._comm.rank, self._comm.size
        n = [count * sent.itemsize for count in counts]
        received = np.empty((size, counts[rank]), sent.dtype)
        room = received.reshape(-1).view(np.uint8)
        # The ranges of ranks are in their order, or one of them has all.
        try:
            self._comm.exchange(sent.view(np.uint8), n, room, [n[rank]] * size)
        except RankLostError as error:
            self._lost = error
            raise
        self.sent_bytes += sum(n) - n[rank]
        with np.errstate(all="ignore"):
            for i, k in additions(range(size)):
                received[i] += received[k]
        own: Array = received[0]
        return own
