"""Params as users hold them, in nested lists, tuples and dicts, flattened once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Node(NamedTuple):
    """A container: the user's own object, and where it stands in its parent."""

    container: Any
    parent: int
    key: Any
    path: str


class Leaf(NamedTuple):
    """An array: the user's own object, and where it stands in its container."""

    array: Any
    node: int
    key: Any
    group: int
    path: str


class Tree(NamedTuple):
    """Containers (a parent before its children) and arrays, in the order of the user's.

    Where params were given in groups, node 0 is the list of the groups' params.
    """

    nodes: list[Node]
    leaves: list[Leaf]


def flatten(params: Any, *, grouped: bool = False, name: str = "params") -> Tree:
    """The tree of one structure, or of a list with one structure a group.

    name: what an error calls it.
    """
    tree = Tree([], [])
    _walk(tree, params, -1, None, 0, "", grouped, (), name)
    return tree


def _walk(
    tree: Tree, here: Any, parent: int, key: Any, group: int, path: str, grouped: bool,
    within: tuple[int, ...], name: str,
) -> None:  # fmt: skip
    if not isinstance(here, (dict, list, tuple)):
        tree.leaves.append(Leaf(here, parent, key, group, path))
        return
    if id(here) in within:
        raise ValueError(f"{name}{path}: found a container that contains itself")
    tree.nodes.append(Node(here, parent, key, path))
    node = len(tree.nodes) - 1
    for k, child in items(here):
        _walk(tree, child, node, k, k if grouped else group, f"{path}[{k!r}]", False,
              (*within, id(here)), name)  # fmt: skip


def items(container: dict[Any, Any] | Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The keys and children of a container."""
    if isinstance(container, dict):
        yield from container.items()
    else:
        yield from enumerate(container)


def get(container: Any, key: Any, default: Any = None) -> Any:
    """The child under a key of a container, or the default where there is none."""
    if isinstance(container, dict):
        return container.get(key, default)
    return container[key] if key < len(container) else default


def places(tree: Tree) -> dict[tuple[Any, ...], int]:
    """Return each leaf's index by its keys, from the outermost container on."""
    paths: list[tuple[Any, ...]] = []
    for node in tree.nodes:
        paths.append((*paths[node.parent], node.key) if node.parent >= 0 else ())
    return {
        (*paths[leaf.node], leaf.key): i
        for i, leaf in enumerate(tree.leaves)
        if leaf.node >= 0
    }


def rebuild(tree: Tree, arrays: Sequence[Any]) -> Any:
    """Return a copy of the containers, with these arrays for the leaves."""
    if not tree.nodes:
        return arrays[0]
    children: list[dict[Any, Any]] = [{} for _ in tree.nodes]
    for leaf, array in zip(tree.leaves, arrays, strict=True):
        children[leaf.node][leaf.key] = array
    copy: Any = None
    for index in reversed(range(len(tree.nodes))):  # children before their parent
        node, copy = tree.nodes[index], children[index]
        if isinstance(node.container, dict):
            copy = {k: copy[k] for k in node.container if k in copy}  # in its order
        else:
            copy = [copy[k] for k in range(len(copy))]
            copy = tuple(copy) if isinstance(node.container, tuple) else copy
        if node.parent >= 0:
            children[node.parent][node.key] = copy
    return copy
