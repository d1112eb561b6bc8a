"""The ranks of a communicator of mpi4py, kept as an attribute of it."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from lrcore.distributed._communicators import check
from lrcore.distributed._mpi import MPIComm
from lrcore.distributed._protocol import RankLostError


def of_communicator(comm: Any) -> MPIComm:
    """Return the ranks of a communicator of mpi4py: the same for all that ask.

    They are an attribute of the communicator (MPI 4.1, section 7.7), which all its
    handles in the process have and its duplicates do not.
    """
    check(comm)
    found = comm.Get_attr(_key())
    if found is None or found.closed:
        found = MPIComm(comm)
        comm.Set_attr(_key(), found)
    return cast(MPIComm, found)


@cache
def _key() -> int:
    from mpi4py import MPI

    key: int = MPI.Comm.Create_keyval(delete_fn=_close)
    return key


def _close(comm: Any, key: int, ranks: MPIComm) -> None:
    """Close the ranks of a communicator that is being freed, which all ranks do.

    Those of MPI itself are freed with MPI, when messages may not travel any more.
    """
    from mpi4py import MPI

    if comm in (MPI.COMM_WORLD, MPI.COMM_SELF):
        return
    try:
        ranks.close()
    except RankLostError:  # the ranks do not close together: the duplicate stays
        return
