"""What a rank of MPI tells the others, who do not wait for it: signals, and its end.

A message is an int64, and words behind it.  A number >= 0 is a signal.  A number below
says that the rank has ended after ``-1 - number`` calls; the words are its error.

At the end of the interpreter every rank tells that it ends, and takes what the others
have told: MPI may be finalized only when no message is on its way.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from traceback import format_exception_only
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import shortened

ENDED = -1
"""What `signals` has of a rank that makes no further call."""

_TAG = 1
"""Of these messages: a rank's communicator has no others from one rank to another."""

_PROBES = 20
"""Looks for a message: one that finds nothing lets one on its way come closer."""

_AFTER_ERROR = 1.0
"""Seconds that a rank with an error waits at its end for what others have told."""


class Ended(NamedTuple):
    """The end of a rank.

    calls : those that it has completed.
    error : why it ended; or "".
    """

    calls: int
    error: str


class News:
    """The messages between the ranks of a communicator.

    Attributes
    ----------
    ended : dict of Ended
        The ranks that have ended.
    """

    def __init__(self, comm: Any) -> None:
        self.ended: dict[int, Ended] = {}
        self._comm, self._rank, self._size = comm, comm.Get_rank(), comm.Get_size()
        self._heard = [0] * self._size
        self._sent: list[tuple[Any, Array]] = []
        self._one_thread = threading.Lock()  # a call in another thread listens, too

    def signal(self, number: int) -> None:
        """Tell a number to all ranks."""
        self._heard[self._rank] = number
        self._tell(number, "")

    def end(self, calls: int, error: str) -> None:
        """Tell all ranks that this one has ended, after so many calls."""
        self.ended[self._rank] = Ended(calls, error)
        self._tell(-1 - calls, error)

    def listen(self) -> list[int]:
        """Take what has come; return the last signal of each rank, at first 0."""
        with self._one_thread:
            self._take()
            return [*self._heard]

    def over(self) -> bool:
        """Return whether no message of a rank is on its way any more."""
        self.listen()
        with self._one_thread:
            self._drop_sent()
            return not self._sent and len(self.ended) == self._size

    def wait(self, seconds: float) -> bool:
        """Wait until no message is on its way any more; return whether it is so."""
        end = time.monotonic() + seconds
        while not self.over():
            if time.monotonic() > end:
                return False
            time.sleep(1e-3)
        return True

    def _take(self) -> None:
        """Take what has come."""
        from mpi4py import MPI

        status, misses = MPI.Status(), 0
        while misses < _PROBES:
            if not self._comm.Iprobe(MPI.ANY_SOURCE, _TAG, status):
                misses += 1
                continue
            message = np.empty(status.Get_count(MPI.BYTE), np.uint8)
            r = status.Get_source()
            self._comm.Recv([message, MPI.BYTE], r, _TAG)
            number, words = int(message[:8].view(np.int64)[0]), message[8:].tobytes()
            if number < 0:
                self.ended[r] = Ended(-1 - number, words.decode())
            else:
                self._heard[r] = number

    def _tell(self, number: int, words: str) -> None:
        from mpi4py import MPI

        head = np.array([number], np.int64).view(np.uint8)
        message = np.concatenate([head, np.frombuffer(words.encode(), np.uint8)])
        with self._one_thread:
            self._drop_sent()
            for r in range(self._size):
                if r != self._rank:
                    request = self._comm.Isend([message, MPI.BYTE], r, _TAG)
                    self._sent.append((request, message))

    def _drop_sent(self) -> None:
        """Forget the messages that have gone."""
        self._sent = [each for each in self._sent if not each[0].Test()]


_told_at_end: list[tuple[News, Callable[[], int], float]] = []


def tell_at_end(news: News, calls: Callable[[], int], timeout: float) -> None:
    """Let the end of the interpreter tell the other ranks of it.

    calls : returns how many calls this rank has completed.
    timeout : seconds after which it waits no longer for them to end, too.
    """
    if not _told_at_end:
        atexit.register(_tell_end, os.getpid())
    _told_at_end.append((news, calls, timeout))


def forget(news: News) -> None:
    """Let the end of the interpreter not tell of a communicator, which is freed."""
    _told_at_end[:] = [each for each in _told_at_end if each[0] is not news]


def _tell_end(process: int) -> None:
    """Tell that this rank ends, and wait until the others have told it, too."""
    from mpi4py import MPI

    if MPI.Is_finalized() or os.getpid() != process:
        return
    error = getattr(sys, "last_value", None)  # what has ended the program
    words = "" if error is None else shortened(format_exception_only(error)[-1].strip())
    begin = time.monotonic()
    for news, calls, _ in _told_at_end:
        news.end(calls(), words)
    for news, _, timeout in _told_at_end:
        end = begin + (timeout if error is None else min(timeout, _AFTER_ERROR))
        news.wait(end - time.monotonic())
