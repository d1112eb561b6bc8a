"""The groups in which params are given, and the arrays of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrcore._core import Commit, Lock, updatable
from lrcore._shared import containers
from lrcore._shared.trees import Leaf, Tree, flatten
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.keywords import Hyper, known
from lrcore.optimizers.base.kind import Kind


def grouped(params: Any) -> bool:
    """Whether params is a list of dicts that each have the key "params"."""
    if isinstance(params, dict) and "params" in params and "lr" in params:
        raise TypeError("params: found one group; groups come in a list: [{...}]")
    if not isinstance(params, (list, tuple)) or not params:
        return False
    marked = [isinstance(group, dict) and "params" in group for group in params]
    if any(marked) and not all(marked):
        raise TypeError(
            f"params[{marked.index(False)}]: expected a group (a dict with the key "
            "'params'), as another entry is"
        )
    return all(marked)


def arrays_of(params: Any, *, grouped: bool = False) -> Tree:
    """Return the checked arrays of params; grouped: of a list with those of groups."""
    return checked(flatten(params, grouped=grouped))


def checked(tree: Tree) -> Tree:
    """Return a tree, after checking that its arrays can be updated."""
    if not tree.leaves or not updatable([leaf.array for leaf in tree.leaves]):
        containers.params(tree)
    return tree


def share_out(
    tree: Tree, groups: Sequence[ParamGroup], lock: Lock, commit: Commit
) -> None:
    """Let a commit tell each group its leaves, for their paths, and its lock."""
    leaves: list[list[Leaf]] = [[] for _ in groups]
    for leaf in tree.leaves:
        leaves[leaf.group].append(leaf)
    for group, own in zip(groups, leaves, strict=True):
        commit.set(group, "leaves", own)
        commit.set(group, "lock", lock)


def added(
    params: Any, own: Hyper, defaults: Hyper, optimizer: type[Kind]
) -> ParamGroup:
    """Return a group that is added to others."""
    keys = {*params} if isinstance(params, dict) else set()
    if ("params" in keys and keys <= {"params", *defaults}) or grouped(params):
        raise TypeError(
            "params: found a group; pass its params, then its hyper-parameters by "
            "keyword: add_group(group['params'], lr=...)"
        )
    if params is None or not flatten(params).leaves:
        raise ValueError("params: expected at least one array, found none")
    known("add_group", own, defaults, elsewhere=optimizer._fields)
    return ParamGroup(params, {**defaults, **own}, optimizer)


def make(
    params: Any, defaults: Hyper, optimizer: type[Kind]
) -> tuple[Tree, tuple[ParamGroup, ...]]:
    """Return the checked arrays of params, and their groups; one if there is no list.

    defaults : the hyper-parameters that a group does not set.
    """
    is_list = grouped(params)
    groups = []
    for index, group in enumerate(params if is_list else [{"params": params}]):
        own = {name: value for name, value in group.items() if name != "params"}
        known(f"params[{index}]", own, defaults, elsewhere=optimizer._fields)
        owner = group if is_list else None
        hyper = {**defaults, **own}
        groups.append(ParamGroup(group["params"], hyper, optimizer, owner=owner))
    roots = [group.params for group in groups]
    return arrays_of(roots if is_list else params, grouped=is_list), tuple(groups)
