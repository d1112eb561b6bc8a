"""Reading averages of the params, and putting them into the params for a while."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from lrcore import _core
from lrcore._shared import arrays
from lrcore._shared import trees as _tree
from lrcore._shared.types import Array
from lrcore._shared.words import named, shortened, shown
from lrcore.optimizers.base import averages
from lrcore.optimizers.base.planned import Planned


def _property(name: str, doc: str) -> Any:
    """Return the property of an average."""

    def get(self: Averaged) -> Any:
        return self._average(name)

    return property(get, doc=doc)


class Averaged(Planned):
    """The part of `Optimizer` that reads averages, and puts them into the params."""

    __slots__ = ()

    ema = _property(
        "ema", "The exponential moving average of the params (``ema_decay``)."
    )
    swa = _property(
        "swa", "The stochastic weight average of the params (``swa_start``)."
    )
    slow = _property("slow", "Lookahead's slow weights (``lookahead_steps``).")

    def averaged(self, name: str | None = None) -> AbstractContextManager[None]:
        """Put an average into the params, and restore the params at the end.

        The end needs no memory.  An error, also one of a signal's handler, finds the
        params either in the block, whose end restores them, or as they were.

        Parameters
        ----------
        name : {"ema", "swa", "slow"}, optional
            The average; not needed if the optimizer keeps only one.

        Raises
        ------
        AttributeError, ValueError
            There is no average of this name, or there are several and no name.
        RuntimeError
            In the block: step, state_dict and load_state_dict.  Before it: a step is
            running, or another thread has changed the optimizer meanwhile.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> p = np.zeros(1)
        >>> opt = lrcore.SGD(p, lr=1.0, ema_decay=0.5)
        >>> opt.step(np.ones(1)), opt.step(np.ones(1))
        (True, True)
        >>> with opt.averaged():
        ...     print(p)
        [-1.5]
        >>> p
        array([-2.])
        """
        return _core.Lent(self, name)

    def _exchanges(self, name: str | None) -> _core.Commit:
        """Return the commit that exchanges the params and an average."""
        commit = _core.Commit(self._plan.lock, unchanged=True)
        self._plan.lock.check()
        there = self._kept()
        if name is None:
            if len(there) > 1:
                raise ValueError(f"name: expected one of {sorted(there)}, found None")
            name = next(iter(there), "ema")
        if not isinstance(name, str):
            known = sorted({*averages.ASKED_BY, *there})
            raise ValueError(f"name: expected one of {known}, found {shown(name)}")
        self._check_kept(name)
        for leaf in self._tree.leaves:
            arrays.writable(_tree.Place("params", leaf), leaf.array)
        for p, average in self._with_average(name):
            if average is not p:
                commit.exchange(p, average)
        return commit

    def _kept(self) -> set[str]:
        """Return the names of the averages that a group has."""
        parts = [part for group in self.param_groups for part in group.parts]
        derived = {part.kind._derives for part in parts} - {""}
        return derived.union(*(part.averages for part in parts))

    def _average(self, name: str) -> Any:
        """Return an average in the structure of params; p if a group has none."""
        self._check_kept(name)
        return _tree.rebuild(self._tree, [a for _, a in self._with_average(name)])

    def _check_kept(self, name: str) -> None:
        """Check that a group has this average."""
        if name not in self._kept():
            asked = averages.ASKED_BY.get(name)
            how = f"; construct {shortened(type(self).__name__)} with {asked}"
            raise AttributeError(f"no {named(name)} is kept{how if asked else ''}")

    def _with_average(self, name: str) -> list[tuple[Array, Array]]:
        """Return each parameter with its average, or with itself if it has none yet."""
        pairs = []
        leaves, counts, ranks = self._tree.leaves, self._plan.steps, self._plan.ranks
        for i, (leaf, state, steps) in enumerate(
            zip(leaves, self.state, counts, strict=True)
        ):
            p, group = leaf.array, self.param_groups[leaf.group]
            own = arrays.bare(p)
            kind = group.optimizer._kind_of(own)
            if name == kind._derives:
                average = kind._derived(
                    own if ranks is None else ranks.pieces[i], state
                )
            elif name in state and steps >= kind._begins(group.hyper).get(name, 0):
                average = state[name]
            else:
                average = p
            if ranks is not None and average is not p:
                average = ranks.gathered(i, name, average, own)
            pairs.append((p, average))
        return pairs
