"""Reading averages of the params, and putting them into the params for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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

    @contextmanager
    def averaged(self, name: str | None = None) -> Iterator[None]:
        """Put an average into the params, and restore the params at the end.

        Parameters
        ----------
        name : {"ema", "swa", "slow"}, optional
            The average; not needed if the optimizer keeps only one.

        Raises
        ------
        AttributeError, ValueError
            There is no average of this name, or there are several and no name.
        RuntimeError
            In the block: step, state_dict and load_state_dict.

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
        there = self._kept()
        if name is None:
            if len(there) > 1:
                raise ValueError(f"name: expected one of {sorted(there)}, found None")
            name = next(iter(there), "ema")
        if not isinstance(name, str):
            known = sorted({*averages.ASKED_BY, *there})
            raise ValueError(f"name: expected one of {known}, found {shown(name)}")
        self._average(name)
        self._refuse_in_step()
        to_swap = [(p, a) for p, a in self._with_average(name) if a is not p]
        for leaf in self._tree.leaves:
            arrays.writable(_tree.Place("params", leaf), leaf.array)
        self._plan.busy = (
            "this optimizer's params are lent to `with opt.averaged()`; do it after "
            "that block"
        )
        swapped = []
        try:
            for pair in to_swap:
                _swap(*pair)
                swapped.append(pair)
            yield
        finally:
            for pair in swapped:
                _swap(*pair)
            self._plan.busy = None

    def _kept(self) -> set[str]:
        """Return the names of the averages that a group has."""
        parts = [part for group in self.param_groups for part in group.parts]
        derived = {part.kind._derives for part in parts} - {""}
        return derived.union(*(part.averages for part in parts))

    def _average(self, name: str) -> Any:
        """Return an average in the structure of params; p if a group has none."""
        if name not in self._kept():
            asked = averages.ASKED_BY.get(name)
            how = f"; construct {shortened(type(self).__name__)} with {asked}"
            raise AttributeError(f"no {named(name)} is kept{how if asked else ''}")
        return _tree.rebuild(self._tree, [a for _, a in self._with_average(name)])

    def _with_average(self, name: str) -> list[tuple[Array, Array]]:
        """Return each parameter with its average, or with itself if it has none yet."""
        pairs = []
        leaves, counts = self._tree.leaves, self._plan.steps
        for leaf, state, steps in zip(leaves, self.state, counts, strict=True):
            p, group = leaf.array, self.param_groups[leaf.group]
            kind = group.optimizer._kind_of(p)
            if name == kind._derives:
                average = kind._derived(p, state)
            elif name in state and steps >= kind._begins(group.hyper).get(name, 0):
                average = state[name]
            else:
                average = p
            pairs.append((p, average))
        return pairs


def _swap(p: Array, a: Array) -> None:
    p[...], a[...] = a.copy(), p.copy()
