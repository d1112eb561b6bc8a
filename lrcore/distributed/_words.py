"""Small values of all ranks, as JSON, and what a user passes for `comm`."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from lrcore._shared.words import shown
from lrcore.distributed._line import settle
from lrcore.distributed._mpi import is_mpi, of_communicator
from lrcore.distributed._protocol import Comm

_NEEDED = ("rank", "size", "exchange", "allgather", "sum", "barrier")

_LITTLE, _BIG = 1, 2


def known(comm: Any) -> Comm:
    """Return the ranks that a user means.

    Raises
    ------
    TypeError
        It is no `Comm`, and no communicator of mpi4py.
    """
    if is_mpi(comm):
        comm = of_communicator(comm)
    missing = [name for name in _NEEDED if not hasattr(comm, name)]
    if missing:
        raise TypeError(
            "comm: expected MPI.COMM_WORLD of mpi4py (pip install 'lrcore[mpi]'), or "
            "what lrcore.distributed.run_ranks passes to a function, found "
            f"{shown(comm)}, which has no {missing[0]!r}"
        )
    ranks: Comm = comm
    return ranks


def checked(comm: Any) -> Comm:
    """Return the ranks that a user means, after a first meeting of them.

    Raises
    ------
    TypeError
        It is no `Comm`, and no communicator of mpi4py.
    ValueError
        Its ranks have different orders of bytes.
    """
    ranks = known(comm)
    settle(ranks)
    orders = _order_of_bytes(ranks)
    if len({*orders}) > 1:
        told = ", ".join(
            f"rank {r} is {'little' if order == _LITTLE else 'big'}-endian"
            for r, order in enumerate(orders)
        )
        raise ValueError(
            f"comm: expected processors with the same order of bytes, found: {told}; "
            "run all ranks on machines of one kind"
        )
    return ranks


def _order_of_bytes(comm: Comm) -> list[int]:
    own = np.array([_LITTLE if sys.byteorder == "little" else _BIG], np.uint8)
    of_all = np.empty(comm.size, np.uint8)
    comm.allgather(own, of_all, [1] * comm.size)
    return of_all.tolist()


def of_all(comm: Comm, value: Any) -> list[Any]:
    """Return a value of each rank: what JSON can hold."""
    own = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = np.empty(comm.size, np.int64)
    eight = [sizes.itemsize] * comm.size
    size = np.array([own.size], np.int64)
    comm.allgather(size.view(np.uint8), sizes.view(np.uint8), eight)
    received = np.empty(int(sizes.sum()), np.uint8)
    comm.allgather(own, received, sizes.tolist())
    ends = np.cumsum(sizes).tolist()
    return [
        json.loads(received[end - n : end].tobytes())
        for n, end in zip(sizes.tolist(), ends, strict=True)
    ]
