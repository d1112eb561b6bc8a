"""Ranks of MPI, by mpi4py."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from lrcore._shared.domains import POSITIVE
from lrcore._shared.types import Array
from lrcore.distributed import _sums
from lrcore.distributed._calls import Calls
from lrcore.distributed._communicators import check
from lrcore.distributed._heads import heads
from lrcore.distributed._line import line_of
from lrcore.distributed._news import ENDED, News, forget, tell_at_end

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
    timeout : float
        As given; it can be set.
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
    two to four of them, and takes 60 us or more.  For `exchange` they would not do:
    all ranks have to start the same request, and a rank cannot tell by its own counts
    whether those of all are the same again.

    Examples
    --------
    In each of the ranks::

        from mpi4py import MPI
        opt = lrcore.AdamW(params, comm=lrcore.distributed.MPIComm(MPI.COMM_WORLD, 60))
    """

    def __init__(self, comm: Any, timeout: float = TIMEOUT) -> None:
        check(comm)
        from mpi4py import MPI

        timeout = POSITIVE.check("timeout", timeout)
        self._comm, self._byte = comm.Dup(), MPI.BYTE
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self._news = News(self._comm)
        self._calls = Calls(self._comm, self._news, timeout)
        tell_at_end(self._news, lambda: self._calls.count, timeout)

    def __repr__(self) -> str:
        return f"<MPIComm: rank {self.rank} of {self.size}>"

    @property
    def timeout(self) -> float:
        """Seconds that a call waits for the other ranks."""
        return self._calls.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._calls.timeout = POSITIVE.check("timeout", seconds)

    @property
    def closed(self) -> bool:
        """Whether the duplicate has been freed."""
        return self._calls.closed

    def exchange(
        self,
        sent: Array,
        sent_bytes: Sequence[int],
        received: Array,
        received_bytes: Sequence[int],
    ) -> None:
        """Send other bytes to each rank: see `Comm`."""
        out, into = self._parts(sent, sent_bytes), self._parts(received, received_bytes)
        self._calls.make("exchange", self._comm.Ialltoallv, out, into)

    def allgather(
        self, own: Array, received: Array, received_bytes: Sequence[int]
    ) -> None:
        """Send the same bytes to all ranks: see `Comm`."""
        into = self._parts(received, received_bytes)
        message = [own, self._byte]
        self._calls.make("allgather", self._comm.Iallgatherv, message, into)

    def sum(self, numbers: Array) -> None:
        """Sum numbers over all ranks: see `Comm`."""
        _sums.in_order(self, numbers)

    def barrier(self) -> None:
        """Return when all ranks have called this."""
        self._calls.make("barrier", self._comm.Ibarrier)

    def signal(self, number: int) -> None:
        """Tell a number to all ranks, of which none waits for it."""
        self._calls.check_open()
        self._news.signal(number)

    def signals(self) -> list[int]:
        """Return the last number that each rank has told.

        It is 0 before the first, and -1 where a rank has ended: the next call raises
        `RankLostError`.
        """
        self._calls.check_open()
        heard = self._news.listen()
        for r in self._calls.missing():
            heard[r] = ENDED
        return heard

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
        line_of(self).settle()
        heads(self, "close", ())
        self._calls.end()
        forget(self._news)
        self._comm.Free()

    def _parts(self, array: Array, n_bytes: Sequence[int]) -> list[Any]:
        """Return a message of consecutive parts, as mpi4py takes it."""
        return [array, _layout(tuple(n_bytes)), self._byte]


@lru_cache(64)
def _layout(n_bytes: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Return the sizes of consecutive parts and where they begin.

    The calls of a step are those of the step before.
    """
    return list(n_bytes), [0, *accumulate(n_bytes[:-1])]
