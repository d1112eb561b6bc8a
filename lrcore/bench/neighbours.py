"""Other work on the machine: ``python -m lrcore.bench.neighbours spin`` is one process.

It spins, or takes steps without a pause, as a training job does.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from importlib import import_module
from typing import Self

import numpy as np

from lrcore import _core
from lrcore.bench.cases import FailedError
from lrcore.bench.peers import (
    ALL_THREADS,
    Job,
    Lrcore,
    LrcoreOpenMP,
    installed,
    settings,
)
from lrcore.bench.peers.torch import TorchFused
from lrcore.bench.process import Process, answers_only, send

ELEMENTS = 1_000_000
"""The size of the float32 array that a process steps."""


def parsed(text: str) -> tuple[str, int]:
    """Return what the neighbours do, and their number.

    >>> parsed("spin:2"), parsed("none")
    (('spin', 2), ('none', 0))
    """
    if text == "none":
        return text, 0
    found = re.fullmatch(rf"({'|'.join(WORK)}):([1-9][0-9]?)", text)
    if not found:
        raise ValueError("expected none, spin:N or step:N, with N from 1 to 99")
    return found[1], int(found[2])


class Neighbours:
    """Processes that work from `begin` to the end of a ``with`` block."""

    def __init__(self, text: str) -> None:
        self.kind, self.count = parsed(text)
        self.stack = ExitStack()
        self.processes: list[Process] = []
        self.names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def begin(self) -> None:
        """Start them, and wait until all work."""
        for _ in range(self.count):
            process = Process(__name__, self.kind)
            self.processes.append(self.stack.enter_context(closing(process)))
        self.names = [process.answer()["works"] for process in self.processes]
        self.begun, self.taken = time.perf_counter(), self._processor_time()

    def check(self) -> None:
        """Raise FailedError if one has ended."""
        for process in self.processes:
            try:
                process.check()
            except FailedError as error:
                raise FailedError(
                    f"a neighbour that should {self.kind}: {error}"
                ) from (None)

    def report(self) -> str:
        """Return what they did since `begin`."""
        if not self.processes:
            return "nothing"
        self.check()
        share = (self._processor_time() - self.taken) / (
            time.perf_counter() - self.begun
        )
        return (
            f"{self.count} x {self.names[0]}, which took {share:.2f} of "
            f"{len(os.sched_getaffinity(0))} processors"
        )

    def _processor_time(self) -> float:
        return sum(process.processor_time() for process in self.processes)


def _spin() -> tuple[str, Callable[[], object]]:
    def work() -> None:
        for _ in range(1_000_000):
            pass

    return "a loop", work


def _step() -> tuple[str, Callable[[], object]]:
    params, grads = (np.full(ELEMENTS, x, np.float32) for x in (1, 1e-3))
    job = Job("AdamW", settings("AdamW"), [params], [grads], ALL_THREADS)
    if installed("torch"):
        name = f"torch {import_module('torch').__version__}, fused AdamW"
        return name, TorchFused(job).step
    if "openmp" in _core.threadings():
        return "lrcore's AdamW by OpenMP", LrcoreOpenMP(job).step
    return "lrcore's AdamW", Lrcore(job).step


WORK = {"spin": _spin, "step": _step}
"""By name, functions that return a description of the work and the work."""


def _end_with_input() -> None:
    """End this process when its input ends: then the bench has ended."""
    sys.stdin.buffer.read()
    os._exit(0)


def main(kind: str) -> None:
    """Work until the bench ends this process, or ends itself."""
    answers = answers_only()
    threading.Thread(target=_end_with_input, daemon=True).start()
    name, work = WORK[kind]()
    work()
    send(answers, {"works": name})
    while True:
        work()


if __name__ == "__main__":
    main(*sys.argv[1:])
