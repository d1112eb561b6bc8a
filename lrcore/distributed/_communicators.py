"""Communicators of mpi4py, which is not imported to know them."""

from __future__ import annotations

from typing import Any

from lrcore._shared.words import shown


def check(comm: Any) -> None:
    """Refuse what is no communicator.

    Raises
    ------
    TypeError, ValueError
        It is none of mpi4py, or this process is outside of it.
    """
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


def is_mpi(comm: Any) -> bool:
    """Whether an object is a communicator of mpi4py, without importing that.

    The type of COMM_NULL is the base class.
    """
    names = {
        kind.__name__ for kind in type(comm).__mro__ if kind.__module__ == "mpi4py.MPI"
    }
    return "Intracomm" in names or ("Comm" in names and not comm)
