"""What a peer is, and what it is made for."""

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
"""As it was at first: torch sets OpenMP's default for the whole process."""

# What makes an optimizer worth timing where its defaults leave out the state.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "SGD": {"momentum": 0.9},
    "SGDW": {"momentum": 0.9},
    "LARS": {"momentum": 0.9},
}


def settings(optimizer: str) -> dict[str, Any]:
    """Return the hyper-parameters that all peers are given: the defaults of lrcore's.

    >>> settings("AdamW")
    {'lr': 0.001, 'betas': (0.9, 0.999), 'eps': 1e-08, 'weight_decay': 0.01, \
'amsgrad': False}
    """
    _, *given = signature(getattr(lrcore, optimizer)).parameters.values()
    defaults = {p.name: p.default for p in given if p.kind is not p.KEYWORD_ONLY}
    return {**defaults, **OPTIONS.get(optimizer, {})}


class Job(NamedTuple):
    """What a peer is made for.

    optimizer : the name of lrcore's.
    hyper : its hyper-parameters.
    params : arrays that are the peer's own to update.
    grads : arrays of the same shapes.
    threads : at most so many.
    """

    optimizer: str
    hyper: Mapping[str, Any]
    params: Arrays
    grads: Arrays
    threads: int


class Peer:
    """One library's optimizer at a job."""

    name: ClassVar[str]
    package: ClassVar[str] = "lrcore"
    """What has to be installed."""

    module: ClassVar[str | None] = None
    """The name to import it by, where that is another."""

    optimizers: ClassVar[frozenset[str] | None] = None
    """Those it has, by lrcore's names; None: any, or it says so when it is made."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    decays: ClassVar[bool] = True
    """Whether it has AdamW's decay.  If not it does less, and is checked without."""

    takes_threads: ClassVar[bool] = True
    """Whether it can be held to fewer threads than there are."""

    also_one_thread: ClassVar[bool] = False
    """Whether to enter it at one thread as well, which may be its better number."""

    writes_grads: ClassVar[bool] = False
    """Whether a step changes the gradients, so that they are given anew, untimed."""

    checked: ClassVar[bool] = True
    """Whether its update has to be that of the first of its contest."""

    scratch: ClassVar[int] = 0
    """Arrays like the params that a step makes and drops, at most."""

    step: Callable[[], object]

    def __init__(self, job: Job) -> None:
        self.params, self.grads, self.threads = job.params, job.grads, job.threads

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return why it cannot take this step, or None."""
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

    def results(self) -> Arrays:
        """Return what has to agree: the params, and averages if there are any."""
        return self.params


@cache
def installed(module: str) -> bool:
    """Whether a package can be found; it is not imported."""
    return find_spec(module) is not None
