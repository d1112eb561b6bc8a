"""What a shared step needs of the other processes: five calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from lrcore._shared.types import Array


class RankLostError(RuntimeError):
    """Another rank has ended, is at another call, or has not come within the timeout.

    Or this rank has left a step, in which the others wait, by an error of its own.  The
    ranks cannot go on together: end this process, start all of them again, and load the
    last checkpoint.
    """


@runtime_checkable
class Comm(Protocol):
    """A group of processes, its ranks, that make the same calls in the same order.

    `MPIComm` and `SharedMemoryComm` are such groups; any object with these attributes
    and methods is.  All ranks make each call, or it raises `RankLostError` in those
    that do.  Arrays are contiguous, of one dimension and of ``uint8``, and do not
    overlap.  The bytes that come from a rank are those that it sent; how they travel is
    the group's affair.

    Attributes
    ----------
    rank : int
        The number of this process, from 0 to ``size - 1``.
    size : int
        The number of processes.
    """

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""

    @property
    def size(self) -> int:
        """The number of processes."""

    def exchange(
        self,
        sent: Array,
        sent_bytes: Sequence[int],
        received: Array,
        received_bytes: Sequence[int],
    ) -> None:
        """Send other bytes to each rank, and receive from each.

        Parameters
        ----------
        sent : ndarray
            The bytes for rank 0, for rank 1 and so on, one after the other.
        sent_bytes : sequence of int
            How many are for each rank.
        received : ndarray
            Is filled with the bytes from rank 0, from rank 1 and so on.
        received_bytes : sequence of int
            How many come from each rank: what that rank has in its `sent_bytes`.
        """

    def allgather(
        self, own: Array, received: Array, received_bytes: Sequence[int]
    ) -> None:
        """Send the same bytes to all ranks, and receive those of each.

        Parameters
        ----------
        own : ndarray
            The bytes of this rank.
        received : ndarray
            Is filled with the bytes of rank 0, of rank 1 and so on, own ones included.
        received_bytes : sequence of int
            How many each rank has: ``own.size`` for this one.
        """

    def sum(self, numbers: Array) -> None:
        """Replace numbers by their sums over all ranks, added in the order of ranks.

        Parameters
        ----------
        numbers : ndarray
            Of float64 or int64, of one dimension, as many on each rank.
        """

    def barrier(self) -> None:
        """Return when all ranks have called this."""


def in_a_fork(rank: int) -> RuntimeError:
    """Return the error of a call in a process that was forked from a rank."""
    return RuntimeError(
        f"this process was forked from rank {rank}, and is no rank: let it compute "
        "what the rank needs, such as batches, and step in the rank"
    )


def in_another_call(here: str) -> RuntimeError:
    """Return the error of a call that comes while another thread makes one.

    here : the rank, in words.
    """
    return RuntimeError(
        f"{here} is in another call, of another thread: let one thread use a comm, as "
        "all ranks make its calls in the same order"
    )


def after_failure(here: str, call: str) -> RankLostError:
    """Return the error of a call after one that has not been completed."""
    return RankLostError(
        f"{here}: an earlier call has failed, so this {call} would meet another call "
        "of the other ranks"
    )
