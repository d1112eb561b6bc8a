"""When the ranks meet: when all have come, or enough of them."""

from __future__ import annotations

import time
from typing import Any, Protocol, runtime_checkable

from lrcore._shared.domains import whole
from lrcore._shared.words import shown
from lrcore.distributed import Comm, RankLostError


@runtime_checkable
class Signalling(Protocol):
    """What a quorum needs of a `Comm` besides: numbers that nobody waits for."""

    @property
    def timeout(self) -> float:
        """Seconds that a rank waits for the others."""

    def signal(self, number: int) -> None:
        """Tell a number to all ranks; it is at least the one before."""

    def signals(self) -> list[int]:
        """Return the last number that has come from each rank.

        It is 0 before the first, and below 0 where a rank has ended: the next call
        raises `RankLostError`.
        """


def least(quorum: Any, comm: Any) -> int:
    """Return how many ranks a meeting needs."""
    if quorum is None:
        return int(comm.size)
    what = f"an int from 1 to {comm.size}, the number of ranks, or None"
    found = whole("quorum", quorum, what, least=1)
    if found > comm.size:
        raise ValueError(f"quorum: expected {what}, found {shown(quorum)}")
    if found < comm.size and not isinstance(comm, Signalling):
        raise ValueError(
            f"quorum: expected None with {shown(comm)}, which has no signal and "
            f"signals, found {shown(quorum)}"
        )
    return found


class Quorum:
    """Decides when a meeting begins, which all ranks then join at their next step.

    A rank that has done its share tells "ready" (twice the meeting's number).  When
    enough have, and `patience` is over, one tells "begun" (that number and 1).  A rank
    that is not ready looks for this after each of its steps, and joins.
    """

    def __init__(self, comm: Comm, least: int, patience: float) -> None:
        self.comm, self.least, self.patience = comm, least, patience
        self.needed = least < comm.size
        self.number = 1
        self._told = 0

    def begin_after(self, told: int) -> None:
        """Number meetings so that signals of others before mean nothing."""
        self.number = told // 2 + 1

    @property
    def told(self) -> int:
        """The largest number that this rank knows of."""
        return max(self.comm.signals()) if isinstance(self.comm, Signalling) else 0

    def begins(self, *, ready: bool, ending: bool = False) -> bool:
        """Return whether the next meeting begins; if this rank is ready, wait for it.

        ending : whether this rank takes no more steps: it does not end the time of the
            others.
        """
        comm = self.comm
        if not self.needed or not isinstance(comm, Signalling):
            return ready
        is_ready, has_begun = 2 * self.number, 2 * self.number + 1
        least = comm.size if ending else self.least
        if ready:
            self._tell(is_ready)
        start, reached, pause = time.monotonic(), None, 1e-5
        while max(heard := comm.signals()) < has_begun:
            if min(heard) < 0:  # the meeting fails, and finds out who is lost
                return True
            if not ready:
                return False
            now = time.monotonic()
            count = sum(number >= is_ready for number in heard)
            if count == comm.size:
                break
            if count >= least:
                reached = now if reached is None else reached
                if now - reached >= self.patience:
                    break
            if now - start > comm.timeout:
                late = [r for r, n in enumerate(heard) if n < is_ready]
                raise RankLostError(
                    f"rank {comm.rank} of {comm.size}: rank "
                    f"{', '.join(map(str, late))} has not come to this meeting within "
                    f"{comm.timeout:g} seconds, and {least} ranks are needed"
                )
            time.sleep(pause)
            pause = min(2 * pause, 1e-3)
        self._tell(has_begun)
        return True

    def met(self) -> None:
        """Count a meeting."""
        self.number += 1

    def _tell(self, number: int) -> None:
        if isinstance(self.comm, Signalling) and number > self._told:
            self.comm.signal(number)
            self._told = number
