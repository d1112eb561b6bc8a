"""The states of an optimizer of lrcore, as torch has them, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

import lrcore
from lrcore._core import SCRATCH
from lrcore._shared.types import Array
from lrcore._shared.words import listed, shown
from lrcore.torch._arguments import plain
from lrcore.torch._memory import MASTER, Memory
from lrcore.torch._names import Family, family

Entry = dict[str, Any]
"""The state of a parameter, by torch's names."""


class _Leaf:
    """The names of the states of one parameter.

    numbers : those that are numbers of the optimizer, not arrays like the parameter.
    averages : those that are averages of the params.
    """

    def __init__(self, opt: lrcore.Optimizer, group: int, array: Array) -> None:
        self.array, self.group = array, opt.param_groups[group]
        part = self.group.part_of(array)
        self.family: Family = family(part.kind)
        self.numbers = part.numbers
        self.averages = part.averages
        self.begins = part.kind._begins(self.group.hyper)

    def name(self, own: str) -> str:
        """Return torch's name of a state."""
        return self.family.names.get(own, own)


class States:
    """The states of all params: tensors of the memory of lrcore's arrays.

    opt : the optimizer of lrcore.  memory : its params.
    """

    def __init__(self, opt: lrcore.Optimizer, memory: Memory) -> None:
        self.opt, self.params = opt, memory.flat
        self.leaves = _leaves(opt, memory.arrays)
        masters = memory.masters()
        self.steps = np.zeros(len(self.leaves), np.float32)
        counts = torch.from_numpy(self.steps)
        self.entries: list[Entry] = []
        for i, (leaf, own) in enumerate(zip(self.leaves, opt.state, strict=True)):
            entry: Entry = {"step": counts[i]}
            if memory.flat[i] in masters:
                entry[MASTER] = masters[memory.flat[i]]
            for name, array in own.items():
                if name in leaf.numbers or name == SCRATCH:
                    continue
                tensor = torch.from_numpy(array)
                axis = leaf.family.axes.get(name)
                entry[leaf.name(name)] = (
                    tensor if axis is None else tensor.unsqueeze(axis)
                )
            self.entries.append(entry)
        self.filled_at = -1

    def fill(self, held: dict[Any, Any]) -> None:
        """Write the state of each parameter that has been stepped into a dict."""
        plan = self.opt._plan
        if plan.lock.changes == self.filled_at:
            return
        self.filled_at = plan.lock.changes
        self.steps[:] = plan.steps
        for leaf, own, entry, p, t in zip(
            self.leaves, self.opt.state, self.entries, self.params, plan.steps,
            strict=True,
        ):  # fmt: skip
            if t == 0 and not leaf.family.eager:
                continue
            for name in leaf.numbers:
                entry[name] = own[name].tolist()
            for name, begin in leaf.begins.items():
                like = p.detach() if t < begin else torch.from_numpy(own[name])
                entry[leaf.name(name)] = like
            h = leaf.group.hyper | {"lr": leaf.group.rate(plan.t)}
            for name, number in leaf.family.derived.items():
                entry[name] = torch.tensor(number(h, t))
            held[p] = entry


def load(
    opt: lrcore.Optimizer,
    arrays: Sequence[Sequence[Array]],
    entries: Sequence[Mapping[str, Any]],
    t: int | None = None,
) -> None:
    """Let an optimizer of lrcore continue from states as torch has them.

    entries : of each parameter; one that is empty begins anew.
    t : the steps taken; None: as many as the parameter that has taken the most.

    Raises
    ------
    TypeError, ValueError
        A state is missing, or has another shape or a wrong value.
    """
    saved = opt.state_dict()
    steps = []
    leaves = _leaves(opt, arrays)
    for i, (leaf, entry) in enumerate(zip(leaves, entries, strict=True)):
        own = saved["state"][i]
        present = any(value is not None for value in entry.values())
        where = f"state of {saved['names'][i]}"
        steps.append(_steps(where, entry.get("step", 1)) if present else 0)
        if not present:
            continue
        for name, array in own.items():
            value = entry.get(leaf.name(name))
            named = f"{where}: {leaf.name(name)}"
            if value is None and name in leaf.averages:
                own[name] = leaf.array.copy()
            elif value is None:
                raise ValueError(f"{named}: missing; found [{listed(entry)}]")
            else:
                own[name] = _as_array(named, value, array)
    saved["steps"], saved["t"] = steps, max(steps, default=0) if t is None else t
    opt.load_state_dict(saved, hyper="mine")


def _leaves(opt: lrcore.Optimizer, arrays: Sequence[Sequence[Array]]) -> list[_Leaf]:
    return [_Leaf(opt, k, array) for k, each in enumerate(arrays) for array in each]


def _steps(where: str, value: Any) -> int:
    """Return a saved number of steps taken, a tensor or a number."""
    found = plain(value)
    if not isinstance(found, (int, float)) or not 0 <= found < 2**53:
        raise ValueError(
            f"{where}: step: expected a number of steps, found {shown(found)}"
        )
    return int(found)


def _as_array(where: str, value: Any, like: Array) -> Array:
    """Return a saved tensor or number as an array like another one."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().to(torch.from_numpy(like).dtype).numpy()
    found = np.asarray(value, like.dtype)
    if found.size != like.size:
        raise ValueError(f"{where}: expected shape {like.shape}, found {found.shape}")
    return found.reshape(like.shape)
