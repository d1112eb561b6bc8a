"""The collectives of a rank of MPI: one at a time, with a timeout."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any

from lrcore.distributed import _requests
from lrcore.distributed._news import News
from lrcore.distributed._protocol import (
    RankLostError,
    after_failure,
    in_a_fork,
    in_another_call,
)


class Calls:
    """The calls of a rank.

    Attributes
    ----------
    timeout : float
        Seconds that a call waits for the other ranks.
    count : int
        How many it has completed.
    closed : bool
        Whether it makes no further one.
    free : threading.Lock
        Is held in a call.
    """

    def __init__(self, comm: Any, news: News, timeout: float) -> None:
        from mpi4py import MPI

        self._comm, self._news, self.timeout = comm, news, timeout
        self._rank = comm.Get_rank()
        self._here = f"rank {self._rank} of {comm.Get_size()}"
        self.count, self.closed = 0, False
        # The messages of a call that has raised an error, and its request: MPI may
        # still write into the arrays.
        self._unfinished: Any = None
        self._process, self.free = os.getpid(), threading.Lock()
        self._one_thread = MPI.Query_thread() < MPI.THREAD_SERIALIZED

    def make(self, call: str, begin: Callable[..., Any], *messages: Any) -> None:
        """Begin a collective, and wait until it is complete.

        begin : is called with the messages, and returns a request.
        """
        self.check_open()
        if os.getpid() != self._process:
            raise in_a_fork(self._rank)
        if self._one_thread:
            self._check_thread()
        if not self.free.acquire(blocking=False):
            raise in_another_call(self._here)
        try:
            if self._unfinished is not None:
                raise after_failure(self._here, call)
            self._unfinished = messages, None  # in case of Ctrl-C before the next line
            request = begin(*messages)
            self._unfinished = messages, request
            self._wait(request, call)
            self._unfinished = None
            self.count += 1
        finally:
            self.free.release()

    def end(self) -> None:
        """Make no further call, and return when all ranks have heard that of all."""
        self._news.end(self.count, "")
        if not self._news.wait(self.timeout):
            raise self._late("close")
        self.closed = True

    def missing(self) -> list[int]:
        """Return the ranks that have ended and make no further call.

        A rank may have ended before others have completed the last of its calls.
        """
        ends = self._news.ended.items()
        return [r for r, ended in ends if ended.calls <= self.count]

    def check_open(self) -> None:
        """Refuse a call after the end."""
        if self.closed:
            raise RuntimeError(
                f"{self._here}: its communicator has been freed, by close or with the "
                "one that it was made of; free it after the last call of an optimizer "
                "with it"
            )

    def _check_thread(self) -> None:
        """Refuse a thread from which MPI must not be called."""
        from mpi4py import MPI

        if not MPI.Is_thread_main():
            raise RuntimeError(
                f"{self._here}: MPI was initialized for calls of one thread, and this "
                "is another one, such as that of step_one; leave "
                "mpi4py.rc.thread_level at 'multiple', or use step"
            )

    def _wait(self, request: Any, call: str) -> None:
        """Wait for a request of a call.

        Raises
        ------
        RankLostError
            A rank makes no further call, or it is too late.
        """

        def look(late: bool) -> None:
            self._news.listen()
            if missing := self.missing():
                error = self._news.ended[missing[0]].error
                raise self._lost(
                    f"rank {missing[0]} has ended before this {call}"
                    f"{error and ', by '}{error}"
                )
            if late:
                raise self._late(call)

        _requests.wait(request.Test, self.timeout, look)

    def _late(self, call: str) -> RankLostError:
        return self._lost(
            f"the other ranks have not all come to this {call} within "
            f"{self.timeout:g} seconds: one makes other calls, or has been stopped"
        )

    def _lost(self, words: str) -> RankLostError:
        """Return the error of a rank that is lost; the end of this one ends the job."""
        atexit.register(self._comm.Abort, 1)
        return RankLostError(f"{self._here}: {words}")
