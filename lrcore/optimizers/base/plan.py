"""Builds the plan of a step from params, groups and kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lrcore import _core
from lrcore._shared.arrays import bare
from lrcore._shared.arrays import units as units_of
from lrcore._shared.trees import Place, Tree, places
from lrcore._shared.types import Array
from lrcore.optimizers.base import states
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.places import index


class State(tuple[Mapping[str, Array], ...]):
    """The arrays of each parameter by name; in the order of params, or by its keys.

    ``state[0]``, ``state["W"]`` or ``state["layers", 0]``; an int is a place.
    """

    _tree: Tree

    @classmethod
    def of(cls, arrays: Sequence[Mapping[str, Array]], tree: Tree) -> State:
        """Return the state of the leaves of a tree."""
        state = cls(MappingProxyType(own) for own in arrays)
        state._tree = tree
        return state

    def __getitem__(self, which: Any) -> Any:
        if hasattr(which, "__index__") or isinstance(which, slice):
            return super().__getitem__(which)
        return super().__getitem__(
            index(self._tree, places(self._tree), which, "state")
        )

    def __reduce__(self) -> Any:
        return tuple, (tuple(map(dict, self)),)


def make(
    tree: Tree,
    groups: tuple[ParamGroup, ...],
    more: Sequence[str],
    kept: Sequence[Mapping[str, Array]] = (),
    lock: _core.Lock | None = None,
    comm: Any = None,
) -> tuple[_core.Plan, State]:
    """Return the plan and the new arrays, which its `place` has still to write.

    more : names of the arrays that options need, of a parameter's shape.
    kept : existing arrays of the first parameters.
    lock : that of an existing optimizer.
    comm : the processes that step together; None: this one alone.
    """
    leaves, params = tree.leaves, [bare(leaf.array) for leaf in tree.leaves]
    parts = [(i, part) for i, group in enumerate(groups) for part in group.parts]
    index_of = {(i, part.kind): k for k, (i, part) in enumerate(parts)}
    part_of = [
        index_of[leaf.group, groups[leaf.group].optimizer._kind_of(p)]
        for leaf, p in zip(leaves, params, strict=True)
    ]
    axes = [part.layout.axes for _, part in parts]
    units = [
        None if axes[k] is None else units_of(Place("params", leaf), p, axes[k])
        for leaf, p, k in zip(leaves, params, part_of, strict=True)
    ]
    ranks = None
    if comm is not None:
        from lrcore.optimizers.base.sharded import Ranks

        ranks = Ranks(comm, tree, [part for _, part in parts], part_of, units)
    arrays, copies, fresh = states.make(
        params,
        [(groups[i].hyper, part) for i, part in parts],
        part_of,
        more,
        kept,
        None if ranks is None else ranks.pieces,
    )
    state = State.of(arrays, tree)
    args = (tree, groups, tuple(parts), part_of, state, units, copies, fresh, lock)
    if ranks is None:
        return _core.Plan(*args), state
    plan = _core.ShardedPlan(*args, ranks.owned)
    plan.join(ranks)
    return plan, state
