"""What the trackers have in common: which steps they write, and how they end."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from typing import Any, Self
from weakref import finalize

from lrcore._shared.domains import count
from lrcore._shared.words import shown
from lrcore.monitor import Finding

NAMES = (
    "loss", "validation", "lr", "grad_norm", "update_norm", "param_norm",
    "update_ratio", "nonfinite",
)  # fmt: skip
"""The names of the numbers of a step that `Monitor` passes to a log."""

_EVERY = count(1)


class Tracker(ABC):
    """The base of the trackers: a function for the argument `log` of `Monitor`.

    A subclass defines `_write`, and calls `_ends_by` with what `close` does.

    Parameters
    ----------
    every : int, default 1
        Write each step whose number is a multiple of this.  A step with a finding or a
        validation loss is always written.
    prefix : str, default ""
        Put before the name of each number.

    Examples
    --------
    >>> class Printed(lrcore.trackers.Tracker):
    ...     def _write(self, step, values, findings):
    ...         print(step, values["loss"])
    >>> monitor = lrcore.Monitor(log=Printed(every=2))
    >>> for loss in (3.0, 2.0, 1.0):
    ...     _ = monitor.update(loss)
    2 2.0
    """

    def __init__(self, every: int = 1, prefix: str = "") -> None:
        self.every = _EVERY.check("every", every)
        if not isinstance(prefix, str):
            raise TypeError(f"prefix: expected a str, found {shown(prefix)}")
        self.prefix = prefix
        self._ends_by(lambda: None)

    def __call__(
        self, step: int, values: dict[str, float], findings: list[Finding]
    ) -> None:
        """Write a step, unless it is one of those that are left out.

        Raises
        ------
        ValueError
            The tracker was closed.
        """
        if not self._end.alive:
            raise ValueError(f"log: found a step after close() of {self!r}")
        if step % self.every == 0 or findings or "validation" in values:
            self._write(step, values, findings)

    def close(self) -> None:
        """Write what is not written yet, and close what the tracker has opened.

        The end of the interpreter does so, too.  After an error, which is raised, the
        tracker is still open: another call tries again.  In a child of ``os.fork()``,
        what the parent has opened and not written yet is left to the parent.
        """
        if (ending := self._end.peek()) is not None:
            _, call, args, _ = ending
            call(*args)
            self._end.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<lrcore.trackers.{type(self).__name__}>"

    @abstractmethod
    def _write(
        self, step: int, values: dict[str, float], findings: list[Finding]
    ) -> None:
        """Write a step; `Monitor` says what is passed."""

    def _ends_by(self, call: Callable[[], object]) -> None:
        """Let a function, which does not refer to the tracker, be called by `close`.

        An error can let it be called again.
        """
        self._end = finalize(self, _call_in, os.getpid(), call)

    def _named(self, values: dict[str, float]) -> dict[str, float]:
        """Return the numbers with the prefix before their names."""
        return {self.prefix + name: value for name, value in values.items()}


def _call_in(process: int, call: Callable[[], object]) -> None:
    """Call a function if this is the process with this id, and not a child of it."""
    if os.getpid() == process:
        call()


def needed(module: str, kind: str, extra: str) -> Any:
    """Return a module that a tracker needs.

    Raises
    ------
    ImportError
        It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f'lrcore.trackers.{kind} needs {module}: pip install "lrcore[{extra}]"'
        ) from error
