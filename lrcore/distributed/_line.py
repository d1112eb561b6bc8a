"""What a process keeps for a group of ranks: a thread, and whether it is in a step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

from lrcore.distributed._protocol import Comm, RankLostError


class Line:
    """Work of a group of ranks, done in one thread in the order in which it comes.

    All optimizers with the same group share its line: see `line_of`.

    Attributes
    ----------
    midway : bool
        Whether the ranks have begun what all of them have to end, such as a step.  If
        an error of this rank, such as KeyboardInterrupt, has led out of it, the others
        wait there: this rank must meet them at nothing else.
    """

    def __init__(self, comm: Comm) -> None:
        self._comm = comm  # so that no other object has its id
        self.midway = False
        self._process = 0
        self._thread: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        """Let the thread do work, after all that was submitted before.

        A forked process has another thread than its parent.

        Raises
        ------
        RankLostError
            This rank has left the others midway.
        """
        self._check()
        if self._thread is None or self._process != os.getpid():
            self._thread = ThreadPoolExecutor(1, "lrcore-ranks")
            self._process = os.getpid()
        return self._thread.submit(work, *args)

    def settle(self) -> None:
        """Return when the thread has done all of its work.

        The thread and another one must not make calls at the same time.

        Raises
        ------
        RankLostError
            This rank has left the others midway.
        """
        self._check()
        if self._thread is not None and self._process == os.getpid():
            self._thread.submit(int).result()  # int() comes after all before it

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Mark a block of calls that all ranks have to end.

        An error that leads out of the block leaves this rank `midway`.  A ValueError
        does not, as all ranks have met and raise it.
        """
        before, self.midway = self.midway, True
        try:
            yield
        except ValueError:
            self.midway = before
            raise
        self.midway = before

    def _check(self) -> None:
        """Refuse to meet ranks that wait for this one in another call."""
        if self.midway and self._comm.size > 1:
            raise RankLostError(
                f"rank {self._comm.rank} of {self._comm.size} has left the other ranks "
                "in the middle of a step or another call, by an error: end it, start "
                "all ranks again, and load the last checkpoint"
            )


_lines: WeakValueDictionary[int, Line] = WeakValueDictionary()
"""The lines in use, by the id of the group: a user's may have neither a hash nor weak
references, and may be equal to another one."""


def line_of(comm: Comm) -> Line:
    """Return the line of a group of ranks, which lives as long as somebody keeps it."""
    line = _lines.get(id(comm))
    if line is None:
        line = _lines[id(comm)] = Line(comm)
    return line
