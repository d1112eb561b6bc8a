"""Ranks of MPI, by mpi4py."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from lrcore._shared.domains import POSITIVE
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.distributed import _requests, _sums
from lrcore.distributed._heads import heads
from lrcore.distributed._line import settle
from lrcore.distributed._news import ENDED, News, forget, tell_at_end
from lrcore.distributed._protocol import RankLostError, in_a_fork, in_another_call

TIMEOUT = 300.0
"""Seconds that a rank waits for the others, unless its caller says otherwise."""


class MPIComm:
    """The ranks of a communicator of mpi4py.

    Optimizers with ``comm=MPI.COMM_WORLD`` share one of that communicator; make it
    yourself for another timeout.  It has a duplicate of the communicator, so that its
    messages meet no others, until `close`.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The communicator.
    timeout : float
        Seconds after which a call raises `RankLostError` if other ranks have not made
        it.  The time between two steps of the slowest rank has to be less.  Default
        300.

    Raises
    ------
    TypeError, ValueError
        An argument is not valid.

    Attributes
    ----------
    closed : bool
        Whether the duplicate has been freed.

    Notes
    -----
    Start the ranks by ``mpiexec -n 4 python -m mpi4py train.py``: with ``-m mpi4py``,
    an error in one rank ends the job.  If a rank is killed, mpiexec ends the others.
    A rank that ends tells the others, also without ``-m mpi4py``: their next call
    raises `RankLostError` at once.  After that error, the end of the interpreter aborts
    the job: MPI could not be finalized, as it would wait for the lost rank.  A rank
    that ends without an error, by ``sys.exit(3)`` too, waits for the end of the others,
    at most as long as `timeout`.

    The duplicate is freed by `close`; that of ``comm=communicator`` also when its
    communicator is, by ``communicator.Free()``, after which these optimizers make no
    further call.  It is not freed with the last optimizer: MPI lets all ranks free a
    communicator together, and Python's collector works when it likes on each.  MPICH
    has some 2,000 communicators.

    Its collectives are nonblocking, so that there is a timeout.  Persistent ones, which
    MPI-4 has, would save 2 us of an `allgather`, which takes 4 us with 8 bytes and
    12 us with 16 KiB (MPICH 5.0, 2 ranks of a host, ``bench/mpi_calls.py``); a step has
    two to four of them, and takes 80 us at least.  For `exchange` they would not do:
    all ranks have to start the same request, and a rank cannot tell by its own counts
    whether those of all are the same again.

    Examples
    --------
    In each of the ranks::

        from mpi4py import MPI
        opt = lrcore.AdamW(params, comm=lrcore.distributed.MPIComm(MPI.COMM_WORLD, 60))
    """

    def __init__(self, comm: Any, timeout: float = TIMEOUT) -> None:
        if not is_mpi(comm):
            raise TypeError(
                "comm: expected a communicator of mpi4py, such as MPI.COMM_WORLD of "
                f"`from mpi4py import MPI`, found {shown(comm)}"
            )
        if not comm:
            raise ValueError(
                "comm: expected a communicator that this process belongs to, found "
                "COMM_NULL, as Split returns for the color UNDEFINED; construct no "
                "optimizer with comm in this process"
            )
        from mpi4py import MPI

        self.timeout = POSITIVE.check("timeout", timeout)
        self._comm, self._byte = comm.Dup(), MPI.BYTE
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self._news = News(self._comm)
        self._calls = 0  # that this rank has completed
        # The request of a call that has raised an error: MPI may still write into the
        # arrays, which it keeps.
        self._unfinished: Any = None
        self._process, self._free = os.getpid(), threading.Lock()
        self._one_thread = MPI.Query_thread() < MPI.THREAD_SERIALIZED
        self.closed = False
        tell_at_end(self._news, lambda: self._calls, self.timeout)

    def __repr__(self) -> str:
        return f"<MPIComm: rank {self.rank} of {self.size}>"

    def exchange(
        self,
        sent: Array,
        sent_bytes: Sequence[int],
        received: Array,
        received_bytes: Sequence[int],
    ) -> None:
        """Send other bytes to each rank: see `Comm`."""
        out, into = self._parts(sent, sent_bytes), self._parts(received, received_bytes)
        self._call("exchange", self._comm.Ialltoallv, out, into)

    def allgather(
        self, own: Array, received: Array, received_bytes: Sequence[int]
    ) -> None:
        """Send the same bytes to all ranks: see `Comm`."""
        into = self._parts(received, received_bytes)
        self._call("allgather", self._comm.Iallgatherv, [own, self._byte], into)

    def sum(self, numbers: Array) -> None:
        """Sum numbers over all ranks: see `Comm`."""
        _sums.in_order(self, numbers)

    def barrier(self) -> None:
        """Return when all ranks have called this."""
        self._call("barrier", self._comm.Ibarrier)

    def close(self) -> None:
        """Free the duplicate of the communicator, when all ranks have called this.

        No optimizer can use it any more.  To close it again changes nothing.

        Raises
        ------
        ValueError
            Other ranks make another call.
        RankLostError
            A rank has ended, or has not come within the timeout.
        """
        if self.closed:
            return
        settle(self)
        heads(self, "close", ())
        self._news.end(self._calls, "")
        _requests.wait(self._news.over, self.timeout, self._check_close)
        forget(self._news)
        self.closed = True
        self._comm.Free()

    def signal(self, number: int) -> None:
        """Tell a number to all ranks, of which none waits for it."""
        self._check_open()
        self._news.signal(number)

    def signals(self) -> list[int]:
        """Return the last number that each rank has told.

        It is 0 before the first, and -1 where a rank has ended: the next call raises
        `RankLostError`.
        """
        self._check_open()
        heard = self._news.listen()
        for r in self._missing():
            heard[r] = ENDED
        return heard

    def _missing(self) -> list[int]:
        """Return the ranks that have ended and make no further call.

        A rank may have ended before others have completed the last of its calls.
        """
        ends = self._news.ended.items()
        return [r for r, ended in ends if ended.calls <= self._calls]

    def _parts(self, array: Array, n_bytes: Sequence[int]) -> list[Any]:
        """Return a message of consecutive parts, as mpi4py takes it."""
        return [array, _layout(tuple(n_bytes)), self._byte]

    def _call(self, name: str, begin: Any, *messages: Any) -> None:
        """Begin a collective, and wait until it is complete."""
        self._check_open()
        if os.getpid() != self._process:
            raise in_a_fork(self)
        if self._one_thread:
            self._check_thread()
        if not self._free.acquire(blocking=False):
            raise in_another_call(self)
        try:
            if self._unfinished is not None:
                raise RankLostError(
                    f"rank {self.rank} of {self.size}: an earlier call has failed, "
                    f"so this {name} would meet another call of the other ranks"
                )
            self._unfinished = request = begin(*messages)
            self._wait(request, name)
            self._unfinished = None
            self._calls += 1
        finally:
            self._free.release()

    def _check_open(self) -> None:
        if self.closed:
            raise RuntimeError(
                f"rank {self.rank} of {self.size}: its communicator has been freed, by "
                "close or with the one that it was made of; free it after the last "
                "call of an optimizer with it"
            )

    def _check_thread(self) -> None:
        """Refuse a thread from which MPI must not be called."""
        from mpi4py import MPI

        if not MPI.Is_thread_main():
            raise RuntimeError(
                f"rank {self.rank} of {self.size}: MPI was initialized for calls of "
                "one thread, and this is another one, such as that of step_one; leave "
                "mpi4py.rc.thread_level at 'multiple', or use step"
            )

    def _wait(self, request: Any, call: str) -> None:
        """Wait for a request of a call."""
        _requests.wait(request.Test, self.timeout, lambda late: self._check(call, late))

    def _check(self, call: str, late: bool) -> None:
        """Raise an error if a rank makes no further call, or it is too late."""
        self._news.listen()
        if missing := self._missing():
            words = f"rank {missing[0]} has ended before this {call}"
            if error := self._news.ended[missing[0]].error:
                words += f", by {error}"
            raise self._lost(words)
        if late:
            raise self._late(call)

    def _check_close(self, late: bool) -> None:
        """Raise an error if it is too late for the others to close."""
        if late:
            raise self._late("close")

    def _late(self, call: str) -> RankLostError:
        return self._lost(
            f"the other ranks have not all come to this {call} within "
            f"{self.timeout:g} seconds: one makes other calls, or has been stopped"
        )

    def _lost(self, words: str) -> RankLostError:
        """Return the error of a rank that is lost; the end of this one ends the job."""
        atexit.register(self._comm.Abort, 1)
        return RankLostError(f"rank {self.rank} of {self.size}: {words}")


def is_mpi(comm: Any) -> bool:
    """Whether an object is a communicator of mpi4py, without importing that.

    The type of COMM_NULL is the base class.
    """
    names = {
        kind.__name__ for kind in type(comm).__mro__ if kind.__module__ == "mpi4py.MPI"
    }
    return "Intracomm" in names or ("Comm" in names and not comm)


@lru_cache(64)
def _layout(n_bytes: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Return the sizes of consecutive parts and where they begin.

    The calls of a step are those of the step before.
    """
    return list(n_bytes), [0, *accumulate(n_bytes[:-1])]
