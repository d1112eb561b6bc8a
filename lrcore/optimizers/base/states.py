"""The state arrays of a parameter: their names and initial values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lrcore import _core
from lrcore._shared.types import Array
from lrcore.optimizers.base import mechanic
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.memory import Fresh, Wanted, states_like
from lrcore.optimizers.base.part import Part


def make(
    params: Sequence[Array],
    parts: Sequence[tuple[Hyper, Part]],
    part_of: Sequence[int],
    more: Sequence[str],
    kept: Sequence[Mapping[str, Array]] = (),
    pieces: Sequence[Array] | None = None,
) -> tuple[list[dict[str, Array]], list[list[Array]], Fresh]:
    """Return each parameter's arrays by name, and those that start as copies of it.

    The second list is empty if there are none.  The third has the large arrays, whose
    initial values are still to be written.

    parts : each with the hyper-parameters of its group.
    part_of : for each parameter, the index of its part.
    more : names of the arrays that options need, like the parameter.
    kept : existing arrays of the first parameters.
    pieces : the elements of each parameter that are stepped here; None: all.
    """
    shared = [_carried(h, part) for h, part in parts]
    copied = [_copied(h, part) for h, part in parts]
    alike = [
        _alike(h, part, names, more)
        for (h, part), names in zip(parts, copied, strict=True)
    ]
    states, fresh = [dict(own) for own in kept], Fresh([])
    like = params if pieces is None else pieces
    new = list(zip(params, like, part_of, strict=True))[len(kept) :]
    for p, piece, k in new:
        h, part = parts[k]
        own = part.kind._own_state(p, h)
        if piece.size < p.size:  # another process has it
            own = {name: array.reshape(-1)[:0] for name, array in own.items()}
        own |= states_like(piece, alike[k], fresh)
        own |= {name: np.zeros(()).view() for name in part.own_numbers}
        own |= _carried(h, part) if part.carries_per_array else shared[k]
        states.append(own)
    if not any(copied):
        return states, [], fresh
    copies = [
        [state[name] for name in state if name in copied[k]]
        for state, k in zip(states, part_of, strict=True)
    ]
    return states, copies, fresh


def saved(state: Mapping[str, Array]) -> list[str]:
    """Return the names of the arrays that later steps depend on."""
    return [name for name in state if name != _core.SCRATCH]


def _alike(h: Hyper, part: Part, copied: set[str], more: Sequence[str]) -> list[Wanted]:
    """Return the arrays that have a parameter's shape: names and initial values."""
    first: dict[str, float | Literal["p"]] = {
        **part.kind._initial(h),
        **dict.fromkeys(copied, "p"),
    }
    return [(name, first.get(name, 0.0)) for name in (*part.alike, *more)]


def _copied(h: Hyper, part: Part) -> set[str]:
    """Return the names of the arrays that start as copies of the parameter."""
    own = {name for name, value in part.kind._initial(h).items() if value == "p"}
    pasts = {_core.MECHANIC[1]} if part.layout.mechanic else set()
    return {*part.averages, *own, *pasts}


def _carried(h: Hyper, part: Part) -> dict[str, Array]:
    """Return the numbers that are carried from step to step, by name."""
    if part.layout.mechanic:
        return {_core.MECHANIC_NUMBERS: mechanic.begin(h)}
    initial = part.kind._initial(h)
    return {name: np.full((), initial.get(name, 0.0)).view() for name in part.carries}
