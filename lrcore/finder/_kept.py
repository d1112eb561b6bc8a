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
from lrcore._shared.words import shown
from lrcore.finder._result import ratios
from lrcore.optimizers.base.optimizer import Optimizer

Rng = np.random.Generator | np.random.RandomState | np.random.BitGenerator


class Kept:
    """Copies of everything that a sweep changes: they can put it back many times."""

    def __init__(self, opt: Optimizer, rngs: Sequence[Rng], also: Also) -> None:
        self._opt = opt
        self._also, self._copies = also, also.copies()
        self._saved = opt.state_dict()
        self._params = [
            (leaf, arrays.bare(leaf.array).copy()) for leaf in opt._tree.leaves
        ]
        self._rates = [group["lr"] for group in opt.param_groups]
        self._ratios = ratios(opt)
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
        """Put everything back.

        An array that has become read-only is skipped, and named by an error at the end.
        """
        # The schedule objects come first, as load_state_dict then restores the state of
        # those that have one.
        for group, lr in zip(self._opt.param_groups, self._rates, strict=True):
            group["lr"] = lr
        self._opt.load_state_dict(self._saved)
        for rng, state in self._rngs:
            _set_state(rng, state)
        np.random.set_state(self._global)  # noqa: NPY002 # the user's
        random.setstate(self._python)
        for leaf, copied in self._params:
            p = arrays.bare(leaf.array)
            if p.flags.writeable:
                p[...] = copied
        self._also.put_back(self._copies)
        for leaf, _ in self._params:
            arrays.writable("params" + leaf.path, leaf.array)


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
    return _bits(rng).state


def _set_state(rng: Rng, state: Any) -> None:
    if isinstance(rng, np.random.RandomState):
        rng.set_state(state)
    else:
        _bits(rng).state = state


def _bits(rng: np.random.Generator | np.random.BitGenerator) -> Any:
    return rng.bit_generator if isinstance(rng, np.random.Generator) else rng
