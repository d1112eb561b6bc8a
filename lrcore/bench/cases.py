"""Cases that are timed, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lrcore.bench.clock import Timing


class LeftOutError(Exception):
    """Why a case has no result."""


class FailedError(Exception):
    """What a peer raised, or how its process ended."""

    @classmethod
    def of(cls, error: Exception) -> FailedError:
        """Return an error that says what was raised."""
        return (
            error if isinstance(error, cls) else cls(f"{type(error).__name__}: {error}")
        )


class Case(NamedTuple):
    """A case to time.

    task : a key of `whole.TASKS`, such as "step", a bare step.
    elements : the number of elements of all arrays together.
    neighbours : what works beside, such as "spin:2" or "none"; each peer then has a
        process of its own.  None: all peers in one process.
    """

    task: str
    optimizer: str
    dtype: str
    elements: int
    arrays: int
    threads: int
    neighbours: str | None = None

    def __str__(self) -> str:
        arrays = f"{self.arrays:,} array" + "s" * (self.arrays > 1)
        threads = f"{self.threads} thread" + "s" * (self.threads > 1)
        task = "" if self.task == "step" else f"{self.task}, "
        what = f"{self.optimizer} {self.dtype}, {self.elements:,} in {arrays}"
        beside = "" if self.neighbours is None else f", beside {self.neighbours}"
        return f"{task}{what}, {threads}{beside}"


class Divider(NamedTuple):
    """Seconds of a division and of a square root, for an element of full vectors."""

    division: float
    root: float


class Result(NamedTuple):
    """The result of a case.

    times : the times by the name of the peer; the first is ours.
    left_out : by the name of a peer, the reason why it has no time.
    state_bytes : the size of our state arrays.
    step_bytes : the bytes that a step reads and writes.
    traffic_bytes : the bytes that the traffic loop reads and writes; 0 without one.
    beside : what the neighbours did.
    """

    case: Case
    times: dict[str, Timing]
    left_out: dict[str, str]
    state_bytes: int
    step_bytes: int
    traffic_bytes: int = 0
    beside: str = ""


class Run(NamedTuple):
    """The results of all cases, which `report` prints and `saved` keeps.

    machine : processor, versions, and whatever else the times depend on.
    settings : rounds and seconds.
    results : the results of the cases.
    left_out : by case, the reason why it has no result.
    dividers : by dtype, how long the processor's divider takes.
    """

    machine: dict[str, Any]
    settings: dict[str, Any]
    results: list[Result]
    left_out: dict[str, str]
    dividers: Mapping[str, Divider] = {}
