"""What is timed, and what came of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from lrcore.bench.clock import Timing


class LeftOutError(Exception):
    """Why a case has no result."""


class Case(NamedTuple):
    """What is timed: a task of `whole.TASKS`, of which a bare step is one.

    elements : of all arrays together.
    """

    task: str
    optimizer: str
    dtype: str
    elements: int
    arrays: int
    threads: int

    def __str__(self) -> str:
        arrays = f"{self.arrays:,} array" + "s" * (self.arrays > 1)
        threads = f"{self.threads} thread" + "s" * (self.threads > 1)
        task = "" if self.task == "step" else f"{self.task}, "
        what = f"{self.optimizer} {self.dtype}, {self.elements:,} in {arrays}"
        return f"{task}{what}, {threads}"


class Result(NamedTuple):
    """What came of a case.

    times : by name; the first is ours.
    left_out : by name, why there is no time.
    state_bytes : of our state arrays.
    step_bytes : that a step reads and writes.
    """

    case: Case
    times: dict[str, Timing]
    left_out: dict[str, str]
    state_bytes: int
    step_bytes: int


class Run(NamedTuple):
    """All that a run has to tell: what `report` prints and `saved` keeps.

    machine : what the times depend on.
    settings : rounds and seconds.
    results : of the cases.
    left_out : by case, why there is no result.
    """

    machine: dict[str, Any]
    settings: dict[str, Any]
    results: list[Result]
    left_out: dict[str, str]
