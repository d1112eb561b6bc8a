"""Copies of everything that a range test changes, which put it back."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrcore._core import Commit, Counts
from lrcore._shared import arrays
from lrcore._shared.also import Also
from lrcore._shared.trees import Place
from lrcore._shared.types import Array
from lrcore._stateful import add_generator
from lrcore.finder._random import PYTHON, Rng, alike, global_states, state_of
from lrcore.finder._ratios import ratios
from lrcore.optimizers.base import checkpoint, stateful
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.states import saved


@dataclass(frozen=True, eq=False)
class Progress:
    """What steps change: copies of arrays, counts, and states of random generators.

    arrays : of the params and of the optimizer's states.
    counts : of steps, as the plan has them.
    also : of the arrays that the user names.
    rngs, numpy, python : of the user's generators and of the two global ones.
    """

    arrays: list[Array]
    counts: tuple[Any, ...]
    also: list[Array]
    rngs: list[Any]
    numpy: Any
    python: Any


class _Rate:
    """A schedule whose rate is set."""

    now = 0.0

    def __call__(self, t: int) -> float:
        return self.now

    def __repr__(self) -> str:
        return repr(self.now)


class Kept:
    """Copies of everything that a test changes: they can put it back many times.

    In between, `take` and `put` exchange what steps change, so that several trials can
    take turns on the same arrays.
    """

    def __init__(self, opt: Optimizer, rngs: Sequence[Rng], also: Also) -> None:
        self.opt, self._ratios = opt, ratios(opt)
        self._also, self._rngs = also, rngs
        self._arrays = _arrays_of(opt)
        self.start, hypers = self._taken(checkpoint.attributes(opt))
        self._options, *self._hypers = hypers
        self._skipping = {**self._options, "skip_nonfinite": True}
        self._schedules = stateful.kept(hypers)

    def begin(self) -> None:
        """Prepare for steps of the test.

        Gradients gathered so far are dropped, as a mean must not mix two learning
        rates.  Steps whose gradients are not finite are skipped, as the test has to go
        on after a batch that makes such.
        """
        plan = self.opt._plan
        commit = Commit(plan.lock)
        commit.give(plan, counts=Counts(plan.t, plan.steps))
        self.opt._add_options(commit, {**self._skipping})
        commit.make()

    def begin_anew(self, lr: float | None = None, now: Progress | None = None) -> None:
        """Put everything back and `begin`, in one commit.

        lr : a rate to set as `set_rate` does.
        now : what is there now, if it has been taken.
        """
        fresh = replace(self.start, counts=self.start.counts[:2])  # nothing gathered
        self._put_all(fresh, self._skipping, lr, now)

    def set_rate(self, lr: float) -> None:
        """Set the first group's rate; the other groups keep their ratio to it."""
        commit = Commit(self.opt._plan.lock)
        self._add_rate(commit, lr)
        commit.make()

    def varying(self) -> Callable[[float], None]:
        """Return a function that sets the rate as `set_rate` does, sooner.

        Its first call takes longer: it makes each group's lr a schedule, which asks for
        the rate in each step.
        """
        rates = [_Rate() for _ in self._ratios]
        asked = False

        def set_rate(lr: float) -> None:
            nonlocal asked
            for rate, ratio in zip(rates, self._ratios, strict=True):
                rate.now = lr * ratio
            if not asked:
                commit = Commit(self.opt._plan.lock)
                for group, rate in zip(self.opt.param_groups, rates, strict=True):
                    group.add_to(commit, {**group.hyper, "lr": rate})
                commit.make()
                asked = True

        return set_rate

    def take(self) -> Progress:
        """Return copies of what steps change, as it is now."""
        return self._taken([])[0]

    def put(
        self, progress: Progress, lr: float | None = None, now: Progress | None = None
    ) -> None:
        """Go on from there: put what steps change, in one commit.

        lr, now : see `begin_anew`.
        """
        commit = Commit(self.opt._plan.lock)
        self.add_to(commit, progress, now)
        if lr is not None:
            self._add_rate(commit, lr)
        commit.make()

    def put_back(self) -> None:
        """Put everything back, in one commit.

        An array that has become read-only is skipped, and named by an error at the end.

        Raises
        ------
        RuntimeError
            The optimizer is in use, or got a group meanwhile.  Nothing is changed.
        """
        self._put_all(self.start, self._options)

    def _put_all(
        self,
        progress: Progress,
        options: Mapping[str, Any],
        lr: float | None = None,
        now: Progress | None = None,
    ) -> None:
        """Put these, and the hyper-parameters and schedules of the start."""
        opt = self.opt
        if len(opt.param_groups) != len(self._hypers):
            raise RuntimeError(
                f"opt: expected its {len(self._hypers)} groups, found "
                f"{len(opt.param_groups)}; call add_group before or after the sweep"
            )
        commit = Commit(opt._plan.lock)
        if opt._options != options:
            opt._add_options(commit, {**options})
        groups = zip(opt.param_groups, self._hypers, self._ratios, strict=True)
        for group, hyper, ratio in groups:
            group.add_to(commit, hyper if lr is None else {**hyper, "lr": lr * ratio})
        for schedule, copy in self._schedules:
            schedule._take(copy, commit)
        self.add_to(commit, progress, now)
        commit.make()
        for name, array in self._arrays:
            arrays.writable(name, array)
        self._also.check_writable()

    def _add_rate(self, commit: Commit, lr: float) -> None:
        for group, ratio in zip(self.opt.param_groups, self._ratios, strict=True):
            group.change(commit, "lr", lr * ratio)

    def add_to(
        self, commit: Commit, progress: Progress, now: Progress | None = None
    ) -> None:
        """Add what steps change to a commit, but for arrays that are read-only now."""
        commit.give(self.opt._plan, counts=Counts(*progress.counts))
        for (_, array), copied in zip(self._arrays, progress.arrays, strict=True):
            if arrays.bare(array).flags.writeable:
                commit.copy(array, copied)
        for array, copied in self._also.to_put_back(progress.also):
            commit.copy(array, copied)
        for rng, state in zip(self._rngs, progress.rngs, strict=True):
            add_generator(commit, rng, state)
        # Setting the state of NumPy's takes longer than all the rest, and few use it.
        numpy, python = (now.numpy, now.python) if now else global_states()
        if not alike(numpy, progress.numpy):
            commit.call(np.random.set_state, progress.numpy, numpy)
        # random.setstate is Python code: these two are what it does.
        _, state, gauss = progress.python
        commit.call(super(random.Random, PYTHON).setstate, state, python[1])
        commit.set(PYTHON, "gauss_next", gauss)

    def fingerprint(self) -> tuple[Any, ...]:
        """Return what tells whether the params or the counts of steps have changed."""
        params = [arrays.bare(array) for _, array in self._arrays]
        sums = [zlib.crc32(np.ravel(array, "K").data) for array in params]
        return self.opt._plan.t, self.opt._plan.steps, sums

    def forget_start(self) -> None:
        """Drop the copies of the start: it has been put back."""
        self.start = Progress([], (), [], [], None, None)

    def _taken(self, attributes: list[tuple[Any, str]]) -> tuple[Progress, list[Any]]:
        copies, counts, values = self.opt._plan.snapshot(
            [array for _, array in self._arrays], attributes
        )
        progress = Progress(
            copies, counts, self._also.copies(), [state_of(rng) for rng in self._rngs],
            *global_states(),
        )  # fmt: skip
        return progress, values


def _arrays_of(opt: Optimizer) -> list[tuple[Place, np.ndarray]]:
    """Return the params and states with their names."""
    leaves = opt._tree.leaves
    params = [(Place("params", leaf), leaf.array) for leaf in leaves]
    return params + [
        (Place("state of params", leaf, f": {name}"), state[name])
        for leaf, state in zip(leaves, opt.state, strict=True)
        for name in saved(state)
    ]
