"""Ranks on one host: bytes in shared memory, and a pipe between each two of them.

A rank that ends closes its pipes, which the others find at once.  So bytes travel
through the memory, and the pipes carry a token for each round: which call this is, and
what is left to send.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed import _sums
from lrcore.distributed._protocol import RankLostError

ROOM = 1 << 20
"""Bytes that a rank sends in one round."""

TIMEOUT = 60.0
"""Seconds that a rank waits for the others, unless its caller says otherwise."""

_TOKEN = struct.Struct("=qqqq")
"""The number of the round, the call, the most bytes still to send to a rank, and the
bytes of the call for the rank that gets the token."""

_CALLS = ("exchange", "allgather", "barrier")


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
        Two rooms of the same size for each rank.
    timeout : float
        Seconds after which a call raises `RankLostError` if another rank has not made
        it.

    Attributes
    ----------
    sent_bytes : int
        Bytes that this rank has sent to others since it began.
    """

    def __init__(
        self,
        rank: int,
        links: Sequence[Connection | None],
        memory: SharedMemory,
        timeout: float = TIMEOUT,
    ) -> None:
        self.rank, self.size = rank, len(links)
        self.timeout = timeout
        self.sent_bytes = 0
        self._links = list(links)
        self._memory = memory  # kept open
        room = memory.size // (2 * self.size)
        assert memory.buf is not None  # it is open
        rooms = np.frombuffer(memory.buf, np.uint8, 2 * self.size * room)
        self._rooms = rooms.reshape(2, self.size, room)
        self._round = 0

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
        out, into = _split(sent, sent_bytes), _split(received, received_bytes)
        into[self.rank][...] = out[self.rank]
        width = self._rooms.shape[2] // self.size
        self.sent_bytes += sum(sent_bytes) - sent_bytes[self.rank]

        def put(room: Array, at: int) -> None:
            for r, part in enumerate(out):
                if r != self.rank:
                    _copy(part[at : at + width], room[r * width :])

        def take(room: Array, r: int, at: int) -> None:
            part = into[r][at : at + width]
            begin = self.rank * width
            part[...] = room[begin : begin + part.size]

        self._rounds(0, (sent_bytes, received_bytes), width, put, take)

    def allgather(
        self, own: Array, received: Array, received_bytes: Sequence[int]
    ) -> None:
        """Send the same bytes to all ranks: see `Comm`."""
        into = _split(received, received_bytes)
        into[self.rank][...] = own
        width = self._rooms.shape[2]
        self.sent_bytes += own.size * (self.size - 1)

        def put(room: Array, at: int) -> None:
            _copy(own[at : at + width], room)

        def take(room: Array, r: int, at: int) -> None:
            part = into[r][at : at + width]
            part[...] = room[: part.size]

        sizes = [own.size] * self.size, received_bytes
        self._rounds(1, sizes, width, put, take)

    def sum(self, numbers: Array) -> None:
        """Sum numbers over all ranks: see `Comm`."""
        _sums.in_order(self, numbers)

    def barrier(self) -> None:
        """Return when all ranks have called this."""
        none = [0] * self.size, [0] * self.size
        self._rounds(2, none, 1, lambda room, at: None, lambda room, r, at: None)

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
        n = max(each for r, each in enumerate(sizes[0]) if r != self.rank)
        at, left = 0, 1
        while left > 0:
            rooms = self._rooms[self._round % 2]
            put(rooms[self.rank], at)
            left = self._meet(call, max(n - at - width, 0), *sizes)
            for r in range(self.size):
                if r != self.rank:
                    take(rooms[r], r, at)
            at += width

    def _meet(
        self, call: int, left: int, sent: Sequence[int], received: Sequence[int]
    ) -> int:
        """Exchange tokens with all ranks; return the most that one has left."""
        self._round += 1
        links = {link: r for r, link in enumerate(self._links) if link is not None}
        for link, r in links.items():
            token = _TOKEN.pack(self._round, call, left, sent[r])
            try:
                link.send_bytes(token)
            except OSError as error:
                raise self._lost(r, call) from error
        end = time.monotonic() + self.timeout
        while links:
            ready = wait([*links], max(end - time.monotonic(), 0))
            if not ready:
                late = ", ".join(map(str, links.values()))
                raise RankLostError(
                    f"rank {self.rank} of {self.size}: rank {late} has not come to "
                    f"this {_CALLS[call]} within {self.timeout:g} seconds"
                )
            for each in ready:
                assert isinstance(each, Connection)
                r = links.pop(each)
                try:
                    count, theirs, more, n = _TOKEN.unpack(each.recv_bytes())
                except (EOFError, OSError) as error:
                    raise self._lost(r, call) from error
                if (count, theirs, n) != (self._round, call, received[r]):
                    raise RankLostError(
                        f"rank {self.rank} of {self.size} expects {received[r]} bytes "
                        f"by {_CALLS[call]} in its round {self._round}, and rank {r} "
                        f"sends {n} by {_CALLS[theirs]} in its round {count}: all "
                        "ranks have to make the same calls"
                    )
                left = max(left, more)
        return left

    def _lost(self, r: int, call: int) -> RankLostError:
        return RankLostError(
            f"rank {self.rank} of {self.size}: rank {r} has ended before this "
            f"{_CALLS[call]}"
        )


def _split(array: Array, n_bytes: Sequence[int]) -> list[Array]:
    """Return views of consecutive parts."""
    ends = np.cumsum(n_bytes, dtype=np.int64)
    return np.split(array, ends[:-1])


def _copy(part: Array, room: Array) -> None:
    room[: part.size] = part
