"""The pipes between ranks of one host, by which they meet: see `_shared_memory`."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import NamedTuple, cast

from lrcore.distributed._protocol import RankLostError

CALLS = ("exchange", "allgather", "barrier", "survivors")
EXCHANGE, ALLGATHER, BARRIER, SURVIVORS = range(4)


class Token(NamedTuple):
    """A call of a rank, for another one.

    number : how many rounds of calls there were, with this one.
    call : which: its place in `CALLS`.
    n_bytes : what the rank sends to the other one.
    """

    number: int
    call: int
    n_bytes: int


_TOKEN = struct.Struct("=qqqq")
"""A token as bytes, and the most bytes that its rank has still to send to another."""


class Links:
    """The pipes of a rank to the others of its group; they carry a token in each round.

    here : the rank, in words.
    ends : its ends of the pipes; None at its own place.
    number : how many rounds there were.
    """

    def __init__(
        self, here: str, ends: Sequence[Connection | None], number: int
    ) -> None:
        self.here, self.ends, self.number = here, list(ends), number
        self._leaving: set[int] = set()  # the ranks that have called `survivors`
        starter = parent_process()
        self._starter = [] if starter is None else [starter.sentinel]

    def others(self) -> dict[int, Connection]:
        """Return the pipe to each other rank."""
        return {r: end for r, end in enumerate(self.ends) if end is not None}

    def meet(
        self,
        call: int,
        left: int,
        sent: Sequence[int],
        received: Sequence[int],
        timeout: float,
    ) -> int:
        """Exchange tokens with all ranks; return the most that one has left.

        left : the most bytes that this rank has still to send to another one.
        sent, received : the bytes of the call for each rank, and from each.

        Raises
        ------
        RankLostError
            A rank has ended, has not come, or makes another call.
        """
        self.number += 1
        coming = {end: r for r, end in self.others().items()}
        for end, r in coming.items():
            self._send(end, r, Token(self.number, call, sent[r]), left)
        until = time.monotonic() + timeout
        while coming:
            ready = wait([*coming, *self._starter], max(until - time.monotonic(), 0))
            if not ready:
                late = ", ".join(map(str, coming.values()))
                raise RankLostError(
                    f"{self.here}: rank {late} has not come to this {CALLS[call]} "
                    f"within {timeout:g} seconds"
                )
            for each in ready:
                if isinstance(each, int):  # the sentinel
                    raise RankLostError(
                        f"{self.here}: the process that has started the ranks has ended"
                    )
                end = cast(Connection, each)  # of Windows, it has another class
                r = coming.pop(end)
                own = Token(self.number, call, received[r])
                theirs, more = self._received(end, r, call)
                if theirs.call == SURVIVORS:
                    self._leaving.add(r)
                if theirs != own:
                    raise RankLostError(
                        f"{self.here} expects {own.n_bytes} bytes by {CALLS[call]} in "
                        f"its round {own.number}, and rank {r} sends {theirs.n_bytes} "
                        f"by {CALLS[theirs.call]} in its round {theirs.number}: all "
                        "ranks have to make the same calls"
                    )
                left = max(left, more)
        return left

    def survivors(self, timeout: float) -> list[int]:
        """Return the ranks that have not ended, when all of them have called this.

        Raises
        ------
        RankLostError
            One has not come within the timeout.
        """
        lost = set()
        for r, end in self.others().items():
            try:
                end.send_bytes(_TOKEN.pack(0, SURVIVORS, 0, 0))
            except OSError:
                lost.add(r)
        until = time.monotonic() + timeout
        for r in self.others().keys() - lost - self._leaving:
            call = -1
            while call != SURVIVORS:  # tokens of the failed call come first
                end = self.others()[r]
                if not end.poll(max(until - time.monotonic(), 0)):
                    raise RankLostError(
                        f"{self.here}: rank {r} has not come to the survivors within "
                        f"{timeout:g} seconds"
                    )
                try:
                    _, call, _, _ = _TOKEN.unpack(end.recv_bytes())
                except (EOFError, OSError):
                    lost.add(r)
                    break
        return [r for r in range(len(self.ends)) if r not in lost]

    def _send(self, end: Connection, r: int, token: Token, left: int) -> None:
        try:
            end.send_bytes(_TOKEN.pack(*token, left))
        except OSError as error:
            raise self._lost(r, token.call) from error

    def _received(self, end: Connection, r: int, call: int) -> tuple[Token, int]:
        """Return the token of a rank, and the most that it has left."""
        try:
            *token, left = _TOKEN.unpack(end.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._lost(r, call) from error
        return Token(*token), left

    def _lost(self, r: int, call: int) -> RankLostError:
        return RankLostError(
            f"{self.here}: rank {r} has ended before this {CALLS[call]}"
        )
