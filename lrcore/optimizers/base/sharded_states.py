"""The states of an optimizer of several ranks, as one process would have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrcore._shared import arrays
from lrcore._shared.arrays import bare
from lrcore._shared.trees import Place
from lrcore._shared.types import Array
from lrcore.optimizers.base.planned import Planned
from lrcore.optimizers.base.sharded import flat


def likes(opt: Planned) -> list[dict[str, Array]]:
    """Return an array for each state, which has only its dtype and its whole shape."""
    ranks = opt._plan.ranks
    found = []
    for i, (leaf, state) in enumerate(zip(opt._tree.leaves, opt.state, strict=True)):
        p, group = bare(leaf.array), opt.param_groups[leaf.group]
        others = group.optimizer._kind_of(p)._own_state(p, group.initial)
        found.append(
            {
                name: own
                if name in ranks.numbers[i]
                else np.broadcast_to(np.zeros((), own.dtype), others.get(name, p).shape)
                for name, own in state.items()
            }
        )
    return found


def whole(
    opt: Planned, states: Sequence[Mapping[str, Array]]
) -> list[dict[str, Array]]:
    """Return whole states, on every rank, made of the own elements of all ranks."""
    ranks = opt._plan.ranks
    found = []
    for i, (leaf, state, like) in enumerate(
        zip(opt._tree.leaves, states, likes(opt), strict=True)
    ):
        p = bare(leaf.array)
        all_of_it = dict(state)
        for name in state:  # in the same order on each rank
            if name not in ranks.numbers[i]:
                of = p if like[name].shape == p.shape else np.empty(like[name].shape)
                all_of_it[name] = ranks.gathered(i, name, state[name], of)
        found.append(all_of_it)
    return found


def own(opt: Planned, states: Sequence[Any]) -> list[Any]:
    """Return the own elements of whole states, after a check of their shapes.

    What is no state of ours stays as it is, for the checks that follow.

    Raises
    ------
    TypeError, ValueError
        A state has another dtype or shape.
    """
    ranks = opt._plan.ranks
    found = []
    for i, (leaf, state, like) in enumerate(
        zip(opt._tree.leaves, states, likes(opt), strict=True)
    ):
        if not isinstance(state, Mapping):
            found.append(state)
            continue
        mine = dict(state)
        for name in state:
            if name not in like or name in ranks.numbers[i]:
                continue
            place = Place("state of params", leaf, f": {name}")
            arrays.state(place, state[name], like[name])
            mine[name] = _piece(bare(state[name]), ranks, i)
        found.append(mine)
    return found


def _piece(array: Array, ranks: Any, i: int) -> Array:
    """Return the own elements of a whole state, in the order of the parameter."""
    begin, end = ranks.owned[i]
    n = ranks.params[i].size
    if end - begin == n:
        return array
    if ranks.shards.whole[i]:
        return np.empty(0, array.dtype)
    p = bare(ranks.tree.leaves[i].array)
    in_order = array if p.flags.c_contiguous else np.asfortranarray(array)
    return flat(np.ascontiguousarray(in_order) if p.flags.c_contiguous else in_order)[
        begin:end
    ]
