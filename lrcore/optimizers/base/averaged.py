"""Reading averages of the params, and putting them into the params for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lrcore._shared import arrays
from lrcore._shared import trees as _tree
from lrcore._shared.types import Array
from lrcore._shared.words import named, shortened, shown
from lrcore.optimizers.base import averages

if TYPE_CHECKING:
    from lrcore.optimizers.base.optimizer import Optimizer


def average(name: str, doc: str) -> Any:
    """Return the property of an average."""

    def get(self: Optimizer) -> Any:
        return self._average(name)

    return property(get, doc=doc)


def kept(opt: Optimizer) -> set[str]:
    """Return the names of the averages that a group has."""
    groups = opt.param_groups
    return {a for group in groups for part in group.parts for a in part.averages}


def pairs(opt: Optimizer, name: str) -> list[tuple[Array, Array]]:
    """Return each parameter with its average, or with itself if it has none yet."""
    begins = [
        group.parts[0].kind._begins(group.hyper).get(name, 0)
        for group in opt.param_groups
    ]
    return [
        (
            p.array,
            state[name] if name in state and steps >= begins[p.group] else p.array,
        )
        for p, state, steps in zip(
            opt._tree.leaves, opt.state, opt._plan.steps, strict=True
        )
    ]


def read(opt: Optimizer, name: str) -> Any:
    """Return an average in the structure of params; p if a group has none."""
    if name not in opt._kept():
        asked = averages.ASKED_BY.get(name)
        how = f"; construct {shortened(type(opt).__name__)} with {asked}"
        raise AttributeError(f"no {named(name)} is kept{how if asked else ''}")
    return _tree.rebuild(opt._tree, [a for _, a in opt._with_average(name)])


def lend(opt: Optimizer, name: str | None) -> Iterator[None]:
    """Put an average into the params, yield once, and put the params back."""
    there = opt._kept()
    if name is None:
        if len(there) > 1:
            raise ValueError(f"name: expected one of {sorted(there)}, found None")
        name = next(iter(there), "ema")
    if not isinstance(name, str):
        known = sorted({*averages.ASKED_BY, *there})
        raise ValueError(f"name: expected one of {known}, found {shown(name)}")
    opt._average(name)
    opt._refuse_in_step()
    to_swap = [(p, a) for p, a in opt._with_average(name) if a is not p]
    for leaf in opt._tree.leaves:
        arrays.writable(_tree.Place("params", leaf), leaf.array)
    opt._plan.busy = (
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
        opt._plan.busy = None


def _swap(p: Array, a: Array) -> None:
    p[...], a[...] = a.copy(), p.copy()
