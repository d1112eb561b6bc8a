"""Ranks on one host: bytes in shared memory, and a pipe between each two of them.

A rank that ends closes its pipes, which the others find at once.  So bytes travel
through the memory, and the pipes carry a token for each round: which call this is, and
what is left to send.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from zlib import crc32

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed import _sums
from lrcore.distributed._consecutive import consecutive
from lrcore.distributed._links import ALLGATHER, BARRIER, CALLS, EXCHANGE, Links
from lrcore.distributed._protocol import after_failure, in_a_fork, in_another_call

ROOM = 1 << 20
"""Bytes that a rank sends in one round."""

SIGNAL = 8
"""Bytes of a rank's signal, an int64."""

ENDED = -1
"""The signal of a rank that has ended, which its starter tells."""

LEAVING = -2
"""The signal of a rank that waits for the others in `survivors`."""

TIMEOUT = 60.0
"""Seconds that a rank waits for the others, unless its caller says otherwise."""


class SharedMemoryComm:
    """The ranks that `run_ranks` has started on this host.

    Nothing but Python's own modules is needed.  `run_ranks` makes one for each rank and
    passes it to the function that it runs.

    Parameters
    ----------
    rank : int
        The number of this process.
    links : list of Connection or None
        A pipe to each other rank; None at the own place.
    memory : multiprocessing.shared_memory.SharedMemory
        A signal for each rank, then two rooms of the same size for each.
    timeout : float
        Seconds after which a call raises `RankLostError` if another rank has not made
        it.
    members : tuple of int, optional
        The numbers of these ranks when they were started.  Default: 0, 1, ....
    started : int, optional
        How many were started.  Default: as many as there are.

    Attributes
    ----------
    sent_bytes : int
        Bytes that this rank has sent to others since it began.
    members : tuple of int
        The numbers of these ranks when they were started: see `survivors`.
    """

    def __init__(
        self,
        rank: int,
        links: Sequence[Connection | None],
        memory: SharedMemory,
        timeout: float = TIMEOUT,
        members: tuple[int, ...] | None = None,
        started: int | None = None,
    ) -> None:
        self.rank, self.size = rank, len(links)
        self.timeout = timeout
        self.sent_bytes = 0
        self.members = tuple(range(self.size)) if members is None else members
        # Ranks of another group, before or after a loss, do not meet those of this one.
        first = 0 if members is None else crc32(repr(members).encode()) << 24
        self._links = Links(f"rank {rank} of {self.size}", links, first)
        self._memory = memory  # kept open
        self._started = self.size if started is None else started
        self._signals, rooms = parts(memory, self._started)
        self._room = rooms.shape[2]
        self._rooms = [[half[m] for m in self.members] for half in rooms]
        self._failed = False  # a call was not completed
        self._process, self._free = os.getpid(), threading.Lock()

    def __repr__(self) -> str:
        return f"<SharedMemoryComm: rank {self.rank} of {self.size}>"

    def exchange(
        self,
        sent: Array,
        sent_bytes: Sequence[int],
        received: Array,
        received_bytes: Sequence[int],
    ) -> None:
        """Send other bytes to each rank: see `Comm`."""
        out = consecutive(sent, sent_bytes)
        into = consecutive(received, received_bytes)
        into[self.rank][...] = out[self.rank]
        width = self._room // self.size
        self.sent_bytes += sum(sent_bytes) - sent_bytes[self.rank]

        def put(room: Array, at: int) -> None:
            for r, part in enumerate(out):
                if r != self.rank:
                    _copy(part[at : at + width], room[r * width :])

        def take(room: Array, r: int, at: int) -> None:
            part = into[r][at : at + width]
            begin = self.rank * width
            part[...] = room[begin : begin + part.size]

        self._rounds(EXCHANGE, (sent_bytes, received_bytes), width, put, take)

    def allgather(
        self, own: Array, received: Array, received_bytes: Sequence[int]
    ) -> None:
        """Send the same bytes to all ranks: see `Comm`."""
        into = consecutive(received, received_bytes)
        into[self.rank][...] = own
        width = self._room
        self.sent_bytes += own.size * (self.size - 1)

        def put(room: Array, at: int) -> None:
            _copy(own[at : at + width], room)

        def take(room: Array, r: int, at: int) -> None:
            part = into[r][at : at + width]
            part[...] = room[: part.size]

        sizes = [own.size] * self.size, received_bytes
        self._rounds(ALLGATHER, sizes, width, put, take)

    def sum(self, numbers: Array) -> None:
        """Sum numbers over all ranks: see `Comm`."""
        _sums.in_order(self, numbers)

    def barrier(self) -> None:
        """Return when all ranks have called this."""
        none = [0] * self.size, [0] * self.size
        self._rounds(BARRIER, none, 1, lambda room, at: None, lambda room, r, at: None)

    def signal(self, number: int) -> None:
        """Tell a number to all ranks, of which none waits for it."""
        self._signals[self.members[self.rank]] = number

    def signals(self) -> list[int]:
        """Return the last number that each rank has told.

        It is 0 before the first, and below 0 where a call would raise `RankLostError`:
        `ENDED` of a rank that is known to have ended, `LEAVING` of one that has called
        `survivors`.
        """
        return [int(self._signals[m]) for m in self.members]

    def survivors(self) -> SharedMemoryComm:
        """Return a group of the ranks that have not ended, after `RankLostError`.

        All of them call this, each when its call has raised that error: in the others,
        the next call does.  What the failed call has received is not valid.  They are
        numbered anew, in their order.  If they do not agree on who is left, the first
        call of the new group raises `RankLostError`, and this is called again.

        Raises
        ------
        RankLostError
            A rank that has not ended has not come within the timeout.
        """
        own = self.members[self.rank]
        told, self._signals[own] = int(self._signals[own]), LEAVING
        left = self._links.survivors(self.timeout)
        self._signals[own] = told
        ends = [self._links.ends[r] for r in left]
        members = tuple(self.members[r] for r in left)
        return SharedMemoryComm(
            left.index(self.rank), ends, self._memory, self.timeout, members,
            self._started,
        )  # fmt: skip

    def _rounds(
        self,
        call: int,
        sizes: tuple[Sequence[int], Sequence[int]],
        width: int,
        put: Callable[[Array, int], None],
        take: Callable[[Array, int, int], None],
    ) -> None:
        """Send and receive until no rank has anything left.

        A rank writes into one of its two rooms while others may still read the other
        one: when it has the tokens of a round, all have done with the round before.

        sizes : the bytes for each rank, and those of each; width : those of a round.
        put : writes the bytes from `at` on into the own room.
        take : reads those of rank r from its room.
        """
        if self.size == 1:
            return
        if os.getpid() != self._process:
            raise in_a_fork(self.rank)
        n = max(each for r, each in enumerate(sizes[0]) if r != self.rank)
        at, left = 0, 1
        if not self._free.acquire(blocking=False):
            raise in_another_call(self._links.here)
        try:
            if self._failed:
                raise after_failure(self._links.here, CALLS[call])
            self._failed = True
            while left > 0:
                rooms = self._rooms[self._links.number % 2]
                put(rooms[self.rank], at)
                left = self._meet(call, max(n - at - width, 0), *sizes)
                for r in range(self.size):
                    if r != self.rank:
                        take(rooms[r], r, at)
                at += width
            self._failed = False
        finally:
            self._free.release()

    def _meet(
        self, call: int, left: int, sent: Sequence[int], received: Sequence[int]
    ) -> int:
        """Meet the others in a round; return the most that one has left to send."""
        return self._links.meet(call, left, sent, received, self.timeout)


def parts(memory: SharedMemory, n: int) -> tuple[Array, Array]:
    """Return the signals of n ranks, and their rooms: (2, n, bytes of a room)."""
    first = SIGNAL * n
    room = (memory.size - first) // (2 * n)
    assert memory.buf is not None  # it is open
    signals = np.frombuffer(memory.buf, np.int64, n)
    rooms = np.frombuffer(memory.buf, np.uint8, 2 * n * room, first)
    return signals, rooms.reshape(2, n, room)


def _copy(part: Array, room: Array) -> None:
    room[: part.size] = part
