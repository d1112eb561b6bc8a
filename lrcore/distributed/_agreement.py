"""Work on every rank, of which all ranks end, or none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lrcore.distributed._heads import OtherCallError
from lrcore.distributed._line import line_of
from lrcore.distributed._protocol import Comm, RankLostError
from lrcore.distributed._words import of_all


class Agreement:
    """A block of work on every rank, of which all ranks end, or none.

    ::

        with Agreement(comm, "save") as agreement:
            ...                      # what may raise an error
            agreement.results(None)  # all have come so far, or it raises RuntimeError
            ...                      # what does not fail

    If a rank raises an error before, the others meet it where they agree.

    call : what this is, the same on every rank.
    """

    def __init__(self, comm: Comm, call: str) -> None:
        self._comm, self._call, self._met = comm, call, False
        self._line = line_of(comm)
        self._line.settle()

    def __enter__(self) -> Agreement:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or self._met or self._line.midway:
            return  # the others know, or wait in the middle of another call
        if isinstance(error, OtherCallError):
            return  # all ranks raise it
        told = f"{type(error).__name__}: {error}", None
        with suppress(RankLostError, OtherCallError):
            of_all(self._comm, told, self._call)

    def results(self, own: Any) -> list[Any]:
        """Meet the others; return the results of all ranks, which JSON can hold.

        Raises
        ------
        RuntimeError
            A rank has raised an error.
        ValueError
            The ranks have made different calls.
        """
        self._met = True
        found = of_all(self._comm, [None, own], self._call)
        for rank, (error, _) in enumerate(found):
            if error is not None:
                raise RuntimeError(f"rank {rank} has failed, and all do: {error}")
        return [result for _, result in found]

    def midway(self, own: Any) -> list[Any]:
        """Meet the others before they agree; return the results of all ranks."""
        found = self.results(own)
        self._met = False
        return found


def together(comm: Comm, call: str, work: Callable[[], Any]) -> list[Any]:
    """Do work on every rank; return the results of all ranks, which JSON can hold.

    Raises
    ------
    RuntimeError
        Another rank has raised an error.  Its own error is raised by that rank itself.
    """
    with Agreement(comm, call) as agreement:
        return agreement.results(work())
