"""Peers made for a case, each in a process of its own, beside neighbours."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import NamedTuple, Self

from lrcore.bench import worker
from lrcore.bench.arrays import shapes
from lrcore.bench.cases import Case, FailedError
from lrcore.bench.contest import Made
from lrcore.bench.neighbours import Neighbours
from lrcore.bench.peers import Peer
from lrcore.bench.process import Process

PAUSE = 0.1
"""Seconds before a turn, in which the threads of the previous peer stop spinning.

The 16 ms of processor time that they spin take several times as long where neighbours
work; `clock.SETTLE` is enough in one process, on a quiet machine.
"""


class Apart:
    """Makes the peers of a case in processes of their own."""

    own_grads = True

    def __init__(self, case: Case) -> None:
        assert case.neighbours is not None
        shapes(case)  # raises LeftOutError before a process is started
        self.case = case
        self.stack = ExitStack()
        self.neighbours = self.stack.enter_context(Neighbours(case.neighbours))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def disagreement(
        self, kind: type[Peer], ours: type[Peer], threads: int
    ) -> str | None:
        """Return how a peer's steps differ from ours, or None if they agree."""
        with closing(Process(worker.__name__)) as process:
            try:
                answer = process.ask(
                    {
                        "do": "disagreement",
                        "case": self.case._asdict(),
                        "kind": worker.place(kind),
                        "ours": worker.place(ours),
                        "threads": threads,
                    }
                )
            except FailedError as error:
                return f"it failed: {error}"
        reason: str | None = answer["reason"]
        return reason

    def make(self, kind: type[Peer], threads: int) -> Made:
        """Make a peer, and call it twice; raise FailedError if it raises."""
        process = self.stack.enter_context(closing(Process(worker.__name__)))
        answer = process.ask(
            {
                "do": "make",
                "case": self.case._asdict(),
                "kind": worker.place(kind),
                "threads": threads,
            }
        )
        return Made(_Remote(process, self.neighbours), *answer["made"])

    def begin(self) -> None:
        """Start the neighbours: the peers are made, which takes less time without."""
        self.neighbours.begin()

    def beside(self) -> str:
        """Return what the neighbours have done."""
        return self.neighbours.report()


class _Remote(NamedTuple):
    """A peer in a process of its own, as one that takes turns."""

    process: Process
    neighbours: Neighbours

    def take(self, seconds: float) -> list[float]:
        """Take a turn, after a pause."""
        self.neighbours.check()
        time.sleep(PAUSE)
        times: list[float] = self.process.ask({"do": "take", "seconds": seconds})[
            "times"
        ]
        return times
