"""Copies of everything that a sweep changes, which put it back."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lrcore._core import Commit, Counts
from lrcore._shared import arrays
from lrcore._shared.also import Also
from lrcore._shared.domains import iterates
from lrcore._shared.trees import Place
from lrcore._shared.words import shown
from lrcore._stateful import add_generator
from lrcore.finder._result import ratios
from lrcore.optimizers.base import checkpoint, stateful
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.states import saved

Rng = np.random.Generator | np.random.RandomState | np.random.BitGenerator

_PYTHON = random._inst
"""The global generator of Python."""


class Kept:
    """Copies of everything that a sweep changes: they can put it back many times."""

    def __init__(self, opt: Optimizer, rngs: Sequence[Rng], also: Also) -> None:
        self._opt, self._ratios = opt, ratios(opt)
        self._also, self._copies = also, also.copies()
        self._arrays = _arrays_of(opt)
        self._array_copies, self._counts, hypers = opt._plan.snapshot(
            [array for _, array in self._arrays],
            checkpoint.attributes(opt),
        )
        self._options, *self._hypers = hypers
        self._schedules = stateful.kept(hypers)
        self._rngs = [(rng, _state_of(rng)) for rng in rngs]
        self._global = np.random.get_state(legacy=False)  # noqa: NPY002 # the user's
        self._python = random.getstate()

    def begin(self) -> None:
        """Drop gradients gathered so far: a mean must not mix two learning rates."""
        plan = self._opt._plan
        commit = Commit(plan.lock)
        commit.give(plan, counts=Counts(plan.t, plan.steps))
        commit.make()

    def set_rate(self, lr: float) -> None:
        """Set the first group's rate; the other groups keep their ratio to it."""
        for group, ratio in zip(self._opt.param_groups, self._ratios, strict=True):
            group["lr"] = lr * ratio

    def put_back(self) -> None:
        """Put everything back, in one commit.

        An array that has become read-only is skipped, and named by an error at the end.

        Raises
        ------
        RuntimeError
            The optimizer is in use, or got a group meanwhile.  Nothing is changed.
        """
        opt = self._opt
        if len(opt.param_groups) != len(self._hypers):
            raise RuntimeError(
                f"opt: expected its {len(self._hypers)} groups, found "
                f"{len(opt.param_groups)}; call add_group before or after the sweep"
            )
        commit = Commit(opt._plan.lock)
        commit.give(opt._plan, counts=Counts(*self._counts))
        opt._add_options(commit, self._options)
        for group, hyper in zip(opt.param_groups, self._hypers, strict=True):
            group.add_to(commit, hyper)
        for schedule, copy in self._schedules:
            schedule._take(copy, commit)
        self._put_generators(commit)
        for (_, array), copied in zip(self._arrays, self._array_copies, strict=True):
            if arrays.bare(array).flags.writeable:
                commit.copy(array, copied)
        for array, copied in self._also.to_put_back(self._copies):
            commit.copy(array, copied)
        commit.make()
        for name, array in self._arrays:
            arrays.writable(name, array)
        self._also.check_writable()

    def _put_generators(self, commit: Commit) -> None:
        for rng, state in self._rngs:
            add_generator(commit, rng, state)
        now = np.random.get_state(legacy=False)  # noqa: NPY002 # the user's
        commit.call(np.random.set_state, self._global, now)
        # random.setstate is Python code: these two are what it does.
        _, state, gauss = self._python
        commit.call(super(random.Random, _PYTHON).setstate, state, random.getstate()[1])
        commit.set(_PYTHON, "gauss_next", gauss)


def _arrays_of(opt: Optimizer) -> list[tuple[Place, np.ndarray]]:
    """Return the params and states with their names."""
    leaves = opt._tree.leaves
    params = [(Place("params", leaf), leaf.array) for leaf in leaves]
    return params + [
        (Place("state of params", leaf, f": {name}"), state[name])
        for leaf, state in zip(leaves, opt.state, strict=True)
        for name in saved(state)
    ]


def generators(rng: Rng | Iterable[Rng] | None) -> list[Rng]:
    """Return the argument `rng` as a list of generators."""
    kinds = (np.random.Generator, np.random.RandomState, np.random.BitGenerator)
    given: Any = [] if rng is None else rng
    listed = list(given) if iterates(given) else [given]
    for one in listed:
        if not isinstance(one, kinds):
            raise TypeError(
                "rng: expected a numpy.random.Generator, or several, found "
                f"{shown(one)}"
            )
    return listed


def _state_of(rng: Rng) -> Any:
    if isinstance(rng, np.random.RandomState):
        return rng.get_state(legacy=False)
    bits: Any = getattr(rng, "bit_generator", rng)
    return bits.state
