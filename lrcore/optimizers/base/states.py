"""The state arrays of a parameter: their names and initial values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lrcore import _core
from lrcore._shared.types import Array
from lrcore.optimizers.base import mechanic
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.memory import state_like
from lrcore.optimizers.base.part import Part


def make(
    params: Sequence[Array],
    parts: Sequence[tuple[Hyper, Part]],
    part_of: Sequence[int],
    gathers: bool,
    kept: Sequence[Mapping[str, Array]] = (),
) -> tuple[list[dict[str, Array]], list[list[Array]]]:
    """Return each parameter's arrays by name, and those that start as copies of it.

    parts : each with the hyper-parameters of its group.
    part_of : for each parameter, the index of its part.
    gathers : whether gradients are gathered, in one more array.
    kept : existing arrays of the first parameters.
    """
    shared = [_numbers(h, part) for h, part in parts]
    copied = [_copied(h, part) for h, part in parts]
    states = [dict(own) for own in kept]
    new = list(zip(params, part_of, strict=True))[len(kept) :]
    for p, k in new:
        h, part = parts[k]
        numbers = _numbers(h, part) if part.carries_per_array else shared[k]
        states.append({**_arrays(p, h, part, copied[k], gathers), **numbers})
    copies = [
        [array for name, array in state.items() if name in copied[k]]
        for state, k in zip(states, part_of, strict=True)
    ]
    return states, copies


def saved(state: Mapping[str, Array]) -> list[str]:
    """Return the names of the arrays that later steps depend on."""
    return [name for name in state if name != _core.SCRATCH]


def _arrays(
    p: Array, h: Hyper, part: Part, copied: set[str], gathers: bool
) -> dict[str, Array]:
    """Return the arrays that belong to one parameter only, by name."""
    initial = part.kind._initial(h)
    scale = _core.SCALES[part.scale]
    state = {}
    for k, name in enumerate((*part.arrays, *part.averages)):
        first: float | Literal["p"] = initial.get(name, 0.0)
        state[name] = state_like(p, k, "p" if name in copied else first)
    if scale.emits or part.directed:
        state[_core.SCRATCH] = state_like(p, len(state), 0.0)
    if gathers:
        state[_core.GATHERED] = state_like(p, len(state), 0.0)
    state |= {name: np.zeros(()).view() for name in scale.states}
    return {**part.kind._own_state(p, h), **state}


def _copied(h: Hyper, part: Part) -> set[str]:
    """Return the names of the arrays that start as copies of the parameter."""
    own = {name for name, value in part.kind._initial(h).items() if value == "p"}
    pasts = {_core.MECHANIC[1]} if part.layout.mechanic else set()
    return {*part.averages, *own, *pasts}


def _numbers(h: Hyper, part: Part) -> dict[str, Array]:
    """Return the numbers that are carried from step to step, by name."""
    if part.layout.mechanic:
        return {_core.MECHANIC_NUMBERS: mechanic.begin(h)}
    initial = part.kind._initial(h)
    return {name: np.full((), initial.get(name, 0.0)).view() for name in part.carries}
