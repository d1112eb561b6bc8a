"""The base class of peers, and their jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from inspect import signature
from typing import Any, ClassVar, NamedTuple

import lrcore
from lrcore._shared.types import Array

Arrays = Sequence[Array]

ALL_THREADS = lrcore.get_num_threads()
"""The default number before torch is imported, which changes OpenMP's default."""

# Optimizers that have no state by default are timed with one.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "SGD": {"momentum": 0.9},
    "SGDW": {"momentum": 0.9},
    "LARS": {"momentum": 0.9},
}


def settings(optimizer: str) -> dict[str, Any]:
    """Return the hyper-parameters of all peers: the defaults of lrcore's optimizer.

    >>> settings("AdamW")
    {'lr': 0.001, 'betas': (0.9, 0.999), 'eps': 1e-08, 'weight_decay': 0.01, \
'amsgrad': False}
    """
    _, *given = signature(getattr(lrcore, optimizer)).parameters.values()
    defaults = {p.name: p.default for p in given if p.kind is not p.KEYWORD_ONLY}
    return {**defaults, **OPTIONS.get(optimizer, {})}


class Job(NamedTuple):
    """The job of a peer.

    optimizer : the name in lrcore.
    hyper : its hyper-parameters.
    params : arrays that only this peer updates.
    grads : arrays of the same shapes.
    threads : the largest number of threads.
    """

    optimizer: str
    hyper: Mapping[str, Any]
    params: Arrays
    grads: Arrays
    threads: int


class Peer:
    """The optimizer of one library, with its job."""

    name: ClassVar[str]
    package: ClassVar[str] = "lrcore"
    """The package to install."""

    module: ClassVar[str | None] = None
    """The name of its module, if it is another."""

    optimizers: ClassVar[frozenset[str] | None] = None
    """The optimizers that it has, by lrcore's names; None: to be tried."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    decays: ClassVar[bool] = True
    """Whether it has AdamW's decay.  If not, it is checked without."""

    takes_threads: ClassVar[bool] = True
    """Whether its number of threads can be set."""

    also_one_thread: ClassVar[bool] = False
    """Whether to time it with one thread, too, which may be faster."""

    writes_grads: ClassVar[bool] = False
    """Whether a step changes the gradients, so that they have to be fed again."""

    checked: ClassVar[bool] = True
    """Whether its update is compared with ours."""

    scratch: ClassVar[int] = 0
    """The most temporary arrays of the size of the params that a step makes."""

    step: Callable[[], object]

    def __init__(self, job: Job) -> None:
        self.params, self.grads, self.threads = job.params, job.grads, job.threads

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return the reason why it cannot take this step, or None."""
        if not installed(cls.module or cls.package):
            return f"{cls.package} is not installed"
        if cls.optimizers is not None and optimizer not in cls.optimizers:
            return f"no {optimizer}"
        if dtype not in cls.dtypes:
            return f"no {dtype}"
        if not cls.takes_threads and threads != ALL_THREADS:
            return "its number of threads cannot be set"
        return None

    def enter(self) -> None:
        """Set the number of threads, before a turn."""

    def feed(self, grads: Arrays) -> None:
        """Take the values of these gradients for the next steps."""
        for own, g in zip(self.grads, grads, strict=True):
            own[...] = g

    def sizes(self) -> tuple[int, int]:
        """Return the bytes of its states, and those a step moves; 0 if not known."""
        return 0, 0

    def results(self) -> Arrays:
        """Return the arrays that are compared: params, and averages if it has any."""
        return self.params


@cache
def installed(module: str) -> bool:
    """Return whether a package can be found, without importing it."""
    return find_spec(module) is not None
