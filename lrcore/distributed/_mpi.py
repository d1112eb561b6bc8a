"""Ranks of MPI, by mpi4py."""

from __future__ import annotations

import atexit
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrcore._shared.domains import POSITIVE
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.distributed import _sums
from lrcore.distributed._protocol import RankLostError

TIMEOUT = 300.0
"""Seconds that a rank waits for the others, unless its caller says otherwise."""

_SIGNAL = 1
"""The tag of messages that are signals."""

_PROBES = 20
"""Looks for a signal: one that finds nothing lets a message on its way come closer."""

_SPINS = 2000
"""Tests of a request before the wait begins to sleep between them."""


class MPIComm:
    """The ranks of a communicator of mpi4py.

    An optimizer makes one of ``comm=MPI.COMM_WORLD`` by itself; make it yourself for
    another timeout.  It has a duplicate of the communicator, so that its messages meet
    no others.

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

    Notes
    -----
    Start the ranks by ``mpiexec -n 4 python -m mpi4py train.py``: with ``-m mpi4py``,
    an error in one rank ends the job.  If a rank is killed, mpiexec ends the others.
    After `RankLostError`, the end of the interpreter aborts the job: MPI could not be
    finalized, as it would wait for the lost rank.

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
        self.timeout = POSITIVE.check("timeout", timeout)
        self._comm = comm.Dup()
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self._heard = [0] * self.size
        self._telling: list[tuple[Any, Array]] = []

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
        self._wait(
            self._comm.Ialltoallv(
                _parts(sent, sent_bytes), _parts(received, received_bytes)
            ),
            "exchange",
        )

    def allgather(
        self, own: Array, received: Array, received_bytes: Sequence[int]
    ) -> None:
        """Send the same bytes to all ranks: see `Comm`."""
        self._wait(
            self._comm.Iallgatherv(
                [own, _byte_type()], _parts(received, received_bytes)
            ),
            "allgather",
        )

    def sum(self, numbers: Array) -> None:
        """Sum numbers over all ranks: see `Comm`."""
        _sums.in_order(self, numbers)

    def barrier(self) -> None:
        """Return when all ranks have called this."""
        self._wait(self._comm.Ibarrier(), "barrier")

    def signal(self, number: int) -> None:
        """Tell a number to all ranks, of which none waits for it."""
        self._heard[self.rank] = number
        told = np.array([number], np.int64)
        self._telling = [each for each in self._telling if not each[0].Test()]
        for r in range(self.size):
            if r != self.rank:
                request = self._comm.Isend([told, _byte_type()], r, _SIGNAL)
                self._telling.append((request, told))

    def signals(self) -> list[int]:
        """Return the last number that each rank has told; 0 before the first."""
        from mpi4py import MPI

        status, number = MPI.Status(), np.empty(1, np.int64)
        misses = 0
        while misses < _PROBES:
            if not self._comm.Iprobe(MPI.ANY_SOURCE, _SIGNAL, status):
                misses += 1
                continue
            r = status.Get_source()
            self._comm.Recv([number, _byte_type()], r, _SIGNAL)
            self._heard[r] = int(number[0])
        return list(self._heard)

    def _wait(self, request: Any, call: str) -> None:
        """Wait for a request: at first without sleeping, as most are soon done."""
        spins, end = 0, time.monotonic() + self.timeout
        while not request.Test():
            spins += 1
            if spins < _SPINS:
                continue
            if time.monotonic() > end:
                atexit.register(self._comm.Abort, 1)
                raise RankLostError(
                    f"rank {self.rank} of {self.size}: the other ranks have not all "
                    f"come to this {call} within {self.timeout:g} seconds: one has "
                    "ended, or makes other calls"
                )
            time.sleep(min(1e-3, 1e-6 * spins))


def is_mpi(comm: Any) -> bool:
    """Whether an object is a communicator of mpi4py, without importing that.

    The type of COMM_NULL is the base class.
    """
    names = {
        kind.__name__ for kind in type(comm).__mro__ if kind.__module__ == "mpi4py.MPI"
    }
    return "Intracomm" in names or ("Comm" in names and not comm)


def _byte_type() -> Any:
    from mpi4py import MPI

    return MPI.BYTE


def _parts(array: Array, n_bytes: Sequence[int]) -> list[Any]:
    """Return a message of consecutive parts, as mpi4py takes it."""
    begins = [0, *np.cumsum(n_bytes, dtype=np.int64)[:-1].tolist()]
    return [array, (list(n_bytes), begins), _byte_type()]
