"""Sums over ranks, in the order of ranks, made of `allgather`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lrcore._shared.types import Array


class Gathering(Protocol):
    """The part of `Comm` that a sum needs."""

    @property
    def size(self) -> int: ...

    def allgather(
        self, own: Array, received: Array, received_bytes: Sequence[int]
    ) -> None: ...


def in_order(comm: Gathering, numbers: Array) -> None:
    """Replace numbers by their sums, which are the same bits on every rank.

    A reduction of the MPI library may add in another order on other numbers of ranks.
    """
    of_all = np.empty((comm.size, *numbers.shape), numbers.dtype)
    own = np.ascontiguousarray(numbers).view(np.uint8)
    comm.allgather(own, of_all.reshape(-1).view(np.uint8), [own.size] * comm.size)
    numbers[...] = of_all[0]
    for theirs in of_all[1:]:
        numbers += theirs
