"""Checks of nested lists, tuples and dicts of arrays, with their messages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from lrcore._shared.arrays import Name, Named, bare, readable, writable
from lrcore._shared.overlaps import apart
from lrcore._shared.trees import Place, Tree, flatten, get
from lrcore._shared.words import error, kind, listed, named, shown

MISSING = object()


def params(tree: Tree) -> None:
    """Check the arrays that an optimizer is to update."""
    if not tree.leaves:
        raise ValueError("params: expected at least one array, found none")
    arrays = with_names("params", tree)
    for name, a in arrays:
        writable(name, a, keep=True)
    apart(
        arrays,
        "pass tied weights once, with the sum of their gradients; to train them apart "
        "pass a copy of one",
    )


def gradients(grads: Any, name: str, *, writes: bool = False) -> list[np.ndarray]:
    """Return the arrays of nested gradients, after checking that they can be used."""
    arrays = with_names(name, flatten(grads, name=name))
    for where, a in arrays:
        if writes:
            writable(where, a, keep=True)
        else:
            readable(where, a)
    if writes:
        apart(arrays)
    return [bare(a) for _, a in arrays]


def with_names(root: str, tree: Tree) -> list[Named]:
    """Return the arrays of a tree with their names."""
    return [(Place(root, leaf), leaf.array) for leaf in tree.leaves]


def entries(name: str, found: Any) -> list[Any]:
    """Return the entries of a saved list."""
    several = isinstance(found, np.ndarray) and found.ndim > 0
    if not several and not isinstance(found, (list, tuple)):
        raise TypeError(f"{name}: expected a list, found {shown(found)}")
    return list(found)


def names(found: Any, tree: Tree) -> None:
    """Check the names of saved arrays against the params' paths."""
    saved, leaves = entries("names", found), tree.leaves
    pairs = zip(leaves, saved, strict=False)
    same = (isinstance(name, str) and leaf.path == name for leaf, name in pairs)
    at = next((i for i, alike in enumerate(same) if not alike), None)
    if at is None and len(saved) == len(leaves):
        return
    ours = f"[{listed(leaves, lambda leaf: shown(leaf.path))}]"
    theirs = f"[{listed(saved)}]" if isinstance(found, list) else named(found)
    if at is not None and ours == theirs:  # if both are long and shortened alike
        raise ValueError(
            f"names[{at}]: expected {shown(leaves[at].path)}, found {shown(saved[at])}"
        )
    raise ValueError(f"names: expected {ours}, found {theirs}")


def rebound(name: Name, found: Any, wanted: Any) -> None:
    """Refuse another object than the one that was there at construction."""
    if found is not wanted:
        what = "nothing there now" if found is MISSING else "another object there now"
        raise error(
            ValueError,
            name,
            f"found {what}; the optimizer updates the object it was given. "
            "Assign in place (p[...] = value), or construct the optimizer after it",
        )


def like_containers(tree: Tree, grads: Any) -> list[Any]:
    """Refuse changed containers of params, and gradients with other containers.

    Return the gradients' containers, in the order of the tree's nodes.
    """
    known: list[list[Any]] = [[] for _ in tree.nodes]  # the keys at construction
    for node in tree.nodes[1:]:
        known[node.parent].append(node.key)
    for leaf in tree.leaves + tree.holes:
        if leaf.node >= 0:
            known[leaf.node].append(leaf.key)
    like: list[Any] = []
    for node, keys in zip(tree.nodes, known, strict=True):
        name = Place("params", node)
        g = grads
        if node.parent >= 0:
            above = tree.nodes[node.parent].container
            rebound(name, get(above, node.key, MISSING), node.container)
            g = get(like[node.parent], node.key)
        if changes := _differences(_keys(node.container), keys):
            raise error(
                ValueError,
                name,
                f"has changed since construction: {changes}; construct the optimizer "
                "after the change",
            )
        _like(Place("grads", node), g, name, node.container)
        like.append(g)
    for hole in tree.holes:
        container = tree.nodes[hole.node].container
        rebound(Place("params", hole), get(container, hole.key), None)
        if get(like[hole.node], hole.key) is not None:
            raise error(
                ValueError,
                Place("grads", hole),
                f"expected None, as {Place('params', hole)} was at construction: there "
                "is no array to step; construct the optimizer with the array",
            )
    return like


def _like(name: Name, g: Any, of: Name, container: Any) -> None:
    kinds: tuple[type, ...] = (dict,) if isinstance(container, dict) else (list, tuple)
    if not isinstance(g, kinds):
        wanted = " or ".join(each.__name__ for each in kinds)
        raise error(TypeError, name, f"expected a {wanted} as {of} is, found {kind(g)}")
    keys = _keys(container)
    if differences := _differences(_keys(g), keys):
        raise error(
            ValueError,
            name,
            f"expected the {len(keys)} entries of {of}; {differences}",
        )


def _keys(container: Any) -> Collection[Any]:
    return container if isinstance(container, dict) else range(len(container))


def _differences(found: Collection[Any], wanted: Collection[Any]) -> str:
    """Say which keys are extra and which are missing, or ""."""
    differences = []
    for word, some, others in (("extra", found, wanted), ("missing", wanted, found)):
        others = set(others)
        if only := [key for key in some if key not in others]:
            differences.append(f"{word} [{listed(only)}]")
    return " and ".join(differences)
