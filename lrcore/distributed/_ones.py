"""Gradients that come one array at a time, and travel while others are computed."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed._agreement import Agreement
from lrcore.distributed._consecutive import consecutive
from lrcore.distributed._heads import heads
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
    number : int
        Of the optimizer, the same on all ranks.
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
        self.number = 0
        self.sent_bytes = 0
        self._bucket = BUCKET
        # Memory that is kept, as the pages of new memory cost more than the copies.
        self._spare: defaultdict[tuple[np.dtype[Any], int], list[Array]]
        self._spare = defaultdict(list)
        self._sent = self._received = np.empty(0, np.uint8)
        self._own: list[Array] = []
        self._error: BaseException | None = None
        self.clear()

    def clear(self) -> None:
        """Begin a step."""
        self.order: list[int] = []
        self._buckets: dict[np.dtype[Any], list[Gradient]] = {}
        self._waiting: Counter[np.dtype[Any]] = Counter()  # bytes of the buckets
        self._coming: list[Future[None]] = []
        self._process = os.getpid()
        self._apart = False  # whether the ranks have passed different arrays
        if not isinstance(self._error, RankLostError):
            self._error = None

    def begin(self, i: int, g: Array | None) -> None:
        """Send the gradient of array i, which the caller may overwrite afterwards.

        g : in one dimension; None: zeros travel, and the ranks compare later on whether
            all of them have none.

        Raises
        ------
        MemoryError, RuntimeError
            A rank has no memory for the gradients: on every rank, before any travels.
        """
        if not self._spare:
            self._get_room()
        dtype = self._dtypes[i]
        sent = Gradient(i, self._spare[dtype, self._size(i)].pop())
        sent.g[...] = 0 if g is None else g
        self.order.append(i)
        if sent.g.nbytes >= self._bucket:
            self._send([sent])
            return
        self._buckets.setdefault(dtype, []).append(sent)
        self._waiting[dtype] += sent.g.nbytes
        if self._waiting[dtype] >= self._bucket:
            self._send(self._buckets.pop(dtype))
            self._waiting[dtype] = 0

    def sums(self, present: Sequence[bool]) -> list[Array | None]:
        """Return the own elements of all sums, when they are there.

        The arrays are valid until the next step begins.
        """
        self._send_all()
        self._wait_for_own()
        pairs = zip(self._own, present, strict=True)
        return [own if there else None for own, there in pairs]

    def wait(self) -> None:
        """Return when nothing travels any more; raise the error of what has failed.

        If the ranks have passed different arrays, nothing has travelled since, and
        their orders tell.
        """
        self._send_all()
        self._line.settle()
        self._wait_for_own()

    def _send_all(self) -> None:
        """Send what still waits for others."""
        for bucket in self._buckets.values():
            self._send(bucket)
        self._buckets = {}
        self._waiting.clear()

    def _send(self, bucket: list[Gradient]) -> None:
        self._coming.append(self._line.submit(self._exchange, bucket))

    def _wait_for_own(self) -> None:
        """Return when what this step has sent is there."""
        if self._coming and self._process != os.getpid():
            raise in_a_fork(
                self._comm.rank
            )  # the thread that they come in is the parent's
        for coming in self._coming:
            coming.result()

    # --- memory -----------------------------------------------------------------------

    def _size(self, i: int) -> int:
        """Return the elements of an array."""
        return int(self._shards.end[:, i].max())

    def _get_room(self) -> None:
        """Get the memory for all arrays, on every rank or on none."""
        with Agreement(self._comm, "step_one") as agreement:
            copies = [np.empty(self._size(i), t) for i, t in enumerate(self._dtypes)]
            own = []
            for i, dtype in enumerate(self._dtypes):
                begin, end = self._shards.of(self._comm.rank, i)
                own.append(np.empty(end - begin, dtype))
            # A bucket has less than twice its bytes when the last array has come.
            small = [i for i, g in enumerate(copies) if g.nbytes < self._bucket]
            most = min(sum(copies[i].nbytes for i in small), 2 * self._bucket)
            of_own = min(sum(own[i].nbytes for i in small), 2 * self._bucket)
            of_own = max([of_own, *(a.nbytes for a in own)])
            self._sent = np.empty(most, np.uint8)
            self._received = np.empty(self._comm.size * of_own, np.uint8)
            agreement.results(None)
        self._own = own
        for g in copies:
            self._spare[g.dtype, g.size].append(g)

    # --- the thread -------------------------------------------------------------------

    def _exchange(self, bucket: Sequence[Gradient]) -> None:
        """Make the own elements of the sums over all ranks, of arrays of one dtype.

        After an error, or when the ranks have passed different arrays, nothing travels.
        """
        try:
            if self._error is not None:
                raise self._error
            if not self._apart:
                self._add_up(bucket)
        except BaseException as error:
            self._error = error
            raise
        finally:
            for _, g in bucket:
                self._spare[g.dtype, g.size].append(g)

    def _add_up(self, bucket: Sequence[Gradient]) -> None:
        comm = self._comm
        arrays = crc32(repr([i for i, _ in bucket]).encode())
        found = heads(comm, "step_one", [self.number, arrays])
        self._apart = any(each != found[0] for each in found)
        if self._apart:
            return
        ranges = [[self._shards.of(r, i) for i, _ in bucket] for r in range(comm.size)]
        lengths = [[end - begin for begin, end in of_rank] for of_rank in ranges]
        # The ranges of ranks are in their order, or one of them has all.
        sent = bucket[0].g
        if len(bucket) > 1:
            parts = [
                g[begin:end]
                for of_rank in ranges
                for (_, g), (begin, end) in zip(bucket, of_rank, strict=True)
            ]
            n_bytes = sum(g.nbytes for _, g in bucket)
            sent = self._sent[:n_bytes].view(sent.dtype)
            np.concatenate(parts, out=sent)
        n = [sum(of_rank) * sent.itemsize for of_rank in lengths]
        own = n[comm.rank]
        room = self._received[: comm.size * own]
        comm.exchange(sent.view(np.uint8), n, room, [own] * comm.size)
        self.sent_bytes += sum(n) - own
        received = room.view(sent.dtype).reshape(comm.size, sum(lengths[comm.rank]))
        with np.errstate(all="ignore"):
            for i, k in additions(range(comm.size)):
                received[i] += received[k]
        parts = consecutive(received[0], lengths[comm.rank])
        for (i, _), part in zip(bucket, parts, strict=True):
            self._own[i][...] = part
