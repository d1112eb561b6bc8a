"""Small values of all ranks, as JSON, and what a user passes for `comm`."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import numpy as np

from lrcore._shared.words import shown
from lrcore.distributed._attribute import of_communicator
from lrcore.distributed._communicators import is_mpi
from lrcore.distributed._heads import heads
from lrcore.distributed._line import line_of
from lrcore.distributed._protocol import Comm

_NEEDED = ("rank", "size", "exchange", "allgather", "sum", "barrier")


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


def of_all(comm: Comm, value: Any, call: str = "values") -> list[Any]:
    """Return a value of each rank: what JSON can hold.

    call : see `heads`, which says what is raised where ranks make different ones.
    """
    own = np.frombuffer(json.dumps(value).encode(), np.uint8)
    with line_of(comm).whole():
        sizes = [size for (size,) in heads(comm, call, [own.size])]
        received = np.empty(sum(sizes), np.uint8)
        comm.allgather(own, received, sizes)
    return [
        json.loads(received[end - n : end].tobytes())
        for n, end in zip(sizes, accumulate(sizes), strict=True)
    ]
