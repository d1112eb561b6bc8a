"""Going on without ranks that have ended: who is left, and which step they are at."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from lrcore.distributed import Comm, RankLostError, _words
from lrcore.local_training._shared_params import SharedParams, Vectors


@runtime_checkable
class Surviving(Protocol):
    """What is needed of a `Comm` besides, if a quorum is to go on without a lost rank.

    `SharedMemoryComm` has it; MPI ends the job.
    """

    @property
    def members(self) -> tuple[int, ...]:
        """The numbers of these ranks at first."""

    def survivors(self) -> Comm:
        """Return a group of the ranks that are left."""


class Moved(NamedTuple):
    """An outer step: the means, and the ranks that were included, as at first."""

    means: Vectors
    included: tuple[int, ...]


class Left(NamedTuple):
    """The ranks that are left.

    told : the largest signal that one of them knows of.
    missed : the outer step that others have taken, and this rank has not; or None.
    """

    comm: Comm
    told: int
    missed: Moved | None


def members(comm: Comm) -> tuple[int, ...]:
    """Return the numbers that the ranks of a group had at first."""
    return comm.members if isinstance(comm, Surviving) else tuple(range(comm.size))


def left(
    comm: Surviving, least: int, rounds: int, told: int, last: Moved | None,
    params: SharedParams,
) -> Left:  # fmt: skip
    """Return the ranks that are left, after a loss.

    The loss may have ended a meeting on some ranks when others had completed it; so
    their numbers of outer steps, `rounds`, differ by at most 1.

    last : this rank's last outer step.
    """
    count = len(comm.members)
    while True:
        group = comm.survivors()
        if group.size < least:
            raise RankLostError(
                f"{group.size} of {count} ranks are left, and quorum={least} needs more"
            )
        try:
            of_all = _words.of_all(group, [rounds, told])
            most = max(each[0] for each in of_all)
            missed = None
            if any(each[0] < most for each in of_all):
                donor = [each[0] for each in of_all].index(most)
                missed = _sent(group, donor, last, params)
        except RankLostError:
            assert isinstance(group, Surviving)
            comm = group
            continue
        return Left(
            group, max(each[1] for each in of_all), missed if rounds < most else None
        )


def _sent(comm: Comm, donor: int, last: Moved | None, params: SharedParams) -> Moved:
    """Return the last outer step of a rank, on all ranks."""
    own = last if comm.rank == donor else None
    included = _words.of_all(comm, own and own.included)[donor]
    means = {}
    for dtype, (n, _) in params.places.items():
        means[dtype] = found = np.empty(n, dtype)
        sent = found[:0] if own is None else own.means[dtype]
        counts = [found.nbytes if r == donor else 0 for r in range(comm.size)]
        comm.allgather(sent.view(np.uint8), found.view(np.uint8), counts)
    return Moved(means, tuple(included))
