"""Gradients that come one array at a time, and travel while others are computed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed._line import line_of
from lrcore.distributed._protocol import Comm, RankLostError, in_a_fork
from lrcore.distributed._shards import Shards
from lrcore.distributed._tree import additions

BUCKET = 1 << 20
"""Bytes of gradients of one dtype that wait for each other, to travel together.

Arrays of 256 KiB and less travel faster so, and larger buckets add little
(``bench/overlap.py``): they would begin to travel later.
"""

class Gradient(NamedTuple):
    """A copy of the gradient of array i, in one dimension."""

    i: int
    g: Array


class Ones:
    """The arrays of a step that have come so far.

    A thread exchanges them in the order in which they come, which is the same on every
    rank; those of all optimizers with the same ranks.  Small ones wait until they make
    a bucket.  Meanwhile no other thread uses the ranks.

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
        self._line = line_of(comm)
        self._lost: RankLostError | None = None
        # Memory that is kept, as the pages of new memory cost more than the copies.
        self._copies: defaultdict[tuple[np.dtype[Any], int], list[Array]]
        self._copies = defaultdict(list)
        self._received = np.empty(0, np.uint8)
        self._own: dict[int, Array] = {}
        self.sent_bytes = 0
        self.clear()

    def clear(self) -> None:
        """Begin a step."""
        self.order: list[int] = []
        self._buckets: dict[np.dtype[Any], list[Gradient]] = {}
        self._coming: list[Future[None]] = []
        self._process = os.getpid()

    def begin(self, i: int, g: Array | None) -> None:
        """Send the gradient of array i, which the caller may overwrite afterwards.

        g : in one dimension; None: zeros travel, and the ranks compare later on whether
            all of them have none.
        """
        dtype = self._dtypes[i]
        n = max(self._shards.of(rank, i)[1] for rank in range(self._comm.size))
        spare = self._copies[dtype, n]
        sent = Gradient(i, spare.pop() if spare else np.empty(n, dtype))
        sent.g[...] = 0 if g is None else g
        self.order.append(i)
        if sent.g.nbytes >= BUCKET:
            self._send([sent])
            return
        bucket = self._buckets.setdefault(dtype, [])
        bucket.append(sent)
        if sum(each.g.nbytes for each in bucket) >= BUCKET:
            self._send(self._buckets.pop(dtype))

    def sums(self, present: Sequence[bool]) -> list[Array | None]:
        """Return the own elements of all sums, when they are there.

        The arrays are valid until the next step begins.
        """
        self._send_all()
        self._wait_for_own()
        return [self._own[i] if there else None for i, there in enumerate(present)]

    def wait(self) -> None:
        """Return when nothing travels any more; raise the error of what has failed."""
        self._send_all()
        self._line.settle()
        self._wait_for_own()

    def _send_all(self) -> None:
        """Send what still waits for others."""
        for bucket in self._buckets.values():
            self._send(bucket)
        self._buckets = {}

    def _send(self, bucket: list[Gradient]) -> None:
        self._coming.append(self._line.submit(self._exchange, bucket))

    def _wait_for_own(self) -> None:
        """Return when what this step has sent is there."""
        if self._coming and self._process != os.getpid():
            raise in_a_fork(self._comm)  # the thread that they come in is the parent's
        for coming in self._coming:
            coming.result()

    def _exchange(self, bucket: Sequence[Gradient]) -> None:
        """Make the own elements of the sums over all ranks, of arrays of one dtype.

        After a rank was lost, nothing waits for it again.
        """
        if self._lost is not None:
            raise self._lost
        rank, size = self._comm.rank, self._comm.size
        ranges = [[self._shards.of(r, i) for i, _ in bucket] for r in range(size)]
        lengths = [[end - begin for begin, end in of_rank] for of_rank in ranges]
        # The ranges of ranks are in their order, or one of them has all.
        sent = bucket[0].g
        if len(bucket) > 1:
            sent = np.concatenate(
                [
                    g[begin:end]
                    for of_rank in ranges
                    for (_, g), (begin, end) in zip(bucket, of_rank, strict=True)
                ]
            )
        n = [sum(of_rank) * sent.itemsize for of_rank in lengths]
        if self._received.size < size * n[rank]:
            self._received = np.empty(size * n[rank], np.uint8)
        room = self._received[: size * n[rank]]
        try:
            self._comm.exchange(sent.view(np.uint8), n, room, [n[rank]] * size)
        except RankLostError as error:
            self._lost = error
            raise
        self.sent_bytes += sum(n) - n[rank]
        received = room.view(sent.dtype).reshape(size, sum(lengths[rank]))
        with np.errstate(all="ignore"):
            for i, k in additions(range(size)):
                received[i] += received[k]
        parts = np.split(received[0], np.cumsum(lengths[rank])[:-1])
        for (i, g), part in zip(bucket, parts, strict=True):
            if i not in self._own:
                self._own[i] = np.empty_like(part)
            self._own[i][...] = part
            self._copies[g.dtype, g.size].append(g)
