"""The step by lrcore, and the limit: the same memory moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any, ClassVar

import numpy as np

import lrcore
from lrcore import _core
from lrcore._shared.types import Array
from lrcore.bench.peers.base import Arrays, Job, Peer
from lrcore.optimizers.base.memory import empty_like


class Lrcore(Peer):
    """lrcore's step; subclasses add options."""

    name = "lrcore"
    options: ClassVar[Mapping[str, Any]] = {}
    grad_passes: ClassVar[int] = 0
    """How often the options read or write the gradients once more."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, threads = job
        one = len(params) == 1
        kind = getattr(lrcore, optimizer)
        options = {**hyper, **self.options, "num_threads": threads}
        self.opt = kind(params[0] if one else list(params), **options)
        told = [1.0] if "loss" in signature(kind.step).parameters else []
        self.step = partial(self.opt.step, grads[0] if one else list(grads), *told)

    def sizes(self) -> tuple[int, int]:
        """Return the bytes of its states, and those that a step reads and writes."""
        states = self.opt.state
        arrays = [a for state in states for a in state.values()]
        own = {a.ctypes.data: a.nbytes for a in arrays}  # arrays share carried numbers
        again = self.grad_passes * sum(g.nbytes for g in self.grads)
        return sum(own.values()), moved(self.params, states) + again


class LrcoreOneThread(Lrcore):
    """lrcore's step with one thread."""

    name = "lrcore, 1 thread"

    def __init__(self, job: Job) -> None:
        super().__init__(job._replace(threads=1))


class LrcoreOpenMP(Lrcore):
    """lrcore's step by the threads of OpenMP, in a process of its own."""

    name = "lrcore, OpenMP"

    def __init__(self, job: Job) -> None:
        lrcore.set_threading("openmp")
        super().__init__(job)

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return the reason why not, or None."""
        if "openmp" not in _core.threadings():
            return "this build of lrcore has no OpenMP"
        return super().why_not(optimizer, dtype, threads)


def moved(params: Arrays, states: Sequence[Mapping[str, Array]]) -> int:
    """Return the bytes that a step reads and writes: p, g and states of p's size.

    Smaller states (of rows and columns, norms) are left out, and so is ASGD's average,
    which begins at t0.
    """
    return sum(
        p.nbytes * (3 + 2 * len(like_p(p, state)))
        for p, state in zip(params, states, strict=True)
    )


def like_p(p: Array, state: Mapping[str, Array]) -> list[str]:
    """Return the names of the states of p's shape that a step reads and writes."""
    return [k for k, a in state.items() if a.shape == p.shape and k != "ax"]


class Traffic(Peer):
    """The limit: a C loop that moves the bytes of a step, with one addition an array.

    What a step reads or writes once more is left out.  The arrays have the total size
    of the params and are aligned as lrcore's.  A float64 counts as two float32.
    """

    name = "traffic only"
    also_one_thread = True
    checked = False
    options: ClassVar[Mapping[str, Any]] = {}
    """The options of lrcore's step, as far as they give it more states."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, _, threads = job
        opt = getattr(lrcore, optimizer)(params[0].copy(), **hyper, **self.options)
        words = sum(p.nbytes for p in params) // 4
        g = np.full(words, 1e-3, np.float32)  # zeros would be one page of memory
        p = np.ones(words, np.float32)
        states = [
            empty_like(p, k) for k, _ in enumerate(like_p(params[0], opt.state[0]))
        ]
        for state in states:
            state[...] = 0
        self.bytes = g.nbytes * (1 + 2 * (1 + len(states)))
        self.step = partial(_core.traffic, g, [p, *states], threads)

    def sizes(self) -> tuple[int, int]:
        """Return 0, as it has no states, and the bytes that it reads and writes."""
        return 0, self.bytes
