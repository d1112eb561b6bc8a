"""Params as users hold them, in nested lists, tuples and dicts, flattened once.

Nothing here recurses, so that containers may be nested as deep as memory allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple

from lrcore._shared.words import shortened, shown, spelled


class Node(NamedTuple):
    """A container: the user's own object, and where it stands in its parent."""

    container: Any
    parent: int
    key: Any
    above: Node | None  # the parent itself

    @property
    def path(self) -> str:
        """The keys from the outermost container on, as in ``['W'][0]``."""
        return _path(self)


class Leaf(NamedTuple):
    """An array: the user's own object, and where it stands in its container."""

    array: Any
    node: int
    key: Any
    group: int
    above: Node | None  # its container

    @property
    def path(self) -> str:
        """The keys from the outermost container on, as in ``['W'][0]``."""
        return _path(self)

    @property
    def name(self) -> str:
        """The same keys with dots, as in ``W.0``; of a named tuple, its fields."""
        return ".".join(_word(node.container, key) for node, key in _way_to(self))


class Place(NamedTuple):
    """The name of a container or an array in messages, made when it is printed.

    To make the names of all arrays, if they are deeply nested, would take quadratic
    time and memory.
    """

    root: str
    of: Node | Leaf
    then: str = ""

    def __str__(self) -> str:
        keys = _keys_to(self.of)
        if len(keys) > _ENDS:
            keys = [*keys[: _ENDS // 2], *keys[-_ENDS // 2 :]]
        path = "".join(f"[{shown(key)}]" for key in keys)
        return shortened(self.root + path + self.then)


_ENDS = 200
"""Of more keys, those in the middle are left out: a name is shortened anyhow."""


class Tree(NamedTuple):
    """Containers (a parent before its children) and arrays, in the order of the user's.

    holes : the places that hold None: no array, as in a layer without a bias.
    grouped : whether node 0 is a list of the params of groups, made by the optimizer.
    """

    nodes: list[Node]
    leaves: list[Leaf]
    holes: list[Leaf]
    grouped: bool = False

    def in_groups(self, groups: Sequence[int]) -> Tree:
        """Return the tree with the group of each leaf."""
        pairs = zip(self.leaves, groups, strict=True)
        leaves = [a if a.group == k else a._replace(group=k) for a, k in pairs]
        return self._replace(leaves=leaves)

    def __reduce__(self) -> Any:
        """Return a function and its arguments, from which a copy or pickle is made.

        The innermost containers come first: `pickle` and `deepcopy`, which recurse into
        what a container holds, have then met all of it before.
        """
        if not self.leaves:
            return Tree, (*self,)
        containers = [node.container for node in reversed(self.nodes)]
        groups = [leaf.group for leaf in self.leaves]
        return _copied, (containers, root(self), self.grouped, groups)


def _copied(_: list[Any], params: Any, grouped: bool, groups: list[int]) -> Tree:
    """Return the tree of copied params."""
    return flatten(params, grouped=grouped).in_groups(groups)


def flatten(params: Any, *, grouped: bool = False, name: str = "params") -> Tree:
    """The tree of one structure, or of a list with one structure a group.

    name: what an error calls it.
    """
    nodes, leaves, holes, _ = tree = Tree([], [], [], grouped)
    if not _holds(params):
        leaves.append(Leaf(params, -1, None, 0, None))
        return tree
    nodes.append(Node(params, -1, None, None))
    # The rest of each container, from the outermost one to the present one.
    opened = [(0, 0, items(params))]
    within = {id(params)}
    while opened:
        parent, group, rest = opened[-1]
        above = nodes[parent]
        for key, child in rest:
            if grouped and parent == 0:
                group = key
            if not _holds(child):
                kind = holes if child is None else leaves
                kind.append(Leaf(child, parent, key, group, above))
                continue
            node = Node(child, parent, key, above)
            if id(child) in within:
                raise ValueError(
                    f"{Place(name, node)}: found a container that contains itself"
                )
            opened.append((len(nodes), group, items(child)))
            within.add(id(child))
            nodes.append(node)
            break
        else:
            opened.pop()
            within.remove(id(above.container))
    return tree


def root(tree: Tree) -> Any:
    """Return the outermost container of a tree, or its only array."""
    return tree.nodes[0].container if tree.nodes else tree.leaves[0].array


def _holds(here: Any) -> bool:
    """Return whether an object is a container; anything else counts as an array."""
    return isinstance(here, (dict, list, tuple))


def _path(here: Node | Leaf) -> str:
    return "".join(f"[{spelled(key)}]" for key in _keys_to(here))


def _keys_to(here: Node | Leaf) -> list[Any]:
    """Return the keys of a container or an array, from the outermost container on."""
    return [key for _, key in _way_to(here)]


def _way_to(here: Node | Leaf) -> list[tuple[Node, Any]]:
    """Return the containers around `here` from the outermost on, and a key of each."""
    way = []
    at: Node | Leaf | None = here
    while at is not None and at.above is not None:
        way.append((at.above, at.key))
        at = at.above
    return way[::-1]


def _word(container: Any, key: Any) -> str:
    """Return a key as a word of a name."""
    if isinstance(key, str):
        return key
    if hasattr(container, "_make"):  # of a named tuple
        return str(container._fields[key])
    return spelled(key)


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


class Places(NamedTuple):
    """The indices of containers and of arrays, by (index of what holds them, key).

    has_int_keys : whether the outermost container is a dict that has an int for a key.
    """

    nodes: dict[tuple[int, Any], int]
    leaves: dict[tuple[int, Any], int]
    has_int_keys: bool


def places(tree: Tree) -> Places:
    """Return the indices by which `find` looks for an array."""
    nodes = {(node.parent, node.key): k for k, node in enumerate(tree.nodes)}
    leaves = {(a.node, a.key): i for i, a in enumerate(tree.leaves)}
    outermost = tree.nodes[0].container if tree.nodes else None
    keys = outermost if isinstance(outermost, dict) else ()
    return Places(nodes, leaves, any(isinstance(key, int) for key in keys))


def find(places: Places, keys: Sequence[Any]) -> int | None:
    """Return the index of the array under these keys, or None."""
    node = 0
    try:
        *above, last = keys
        for key in above:
            node = places.nodes[node, key]
        return places.leaves[node, last]
    except (KeyError, TypeError, ValueError):  # a key without a hash; no keys
        return None


def rebuild(tree: Tree, arrays: Sequence[Any]) -> Any:
    """Return a copy of the containers, with these arrays for the leaves.

    A hole stays None.  Named tuples and subclasses of dict and list stay so.
    """
    if not tree.nodes:
        return arrays[0]
    children: list[dict[Any, Any]] = [{} for _ in tree.nodes]
    for leaf, array in zip(tree.leaves, arrays, strict=True):
        children[leaf.node][leaf.key] = array
    for hole in tree.holes:
        children[hole.node][hole.key] = None
    like: Any = None
    for index in reversed(range(len(tree.nodes))):  # children before their parent
        node = tree.nodes[index]
        like = _like(node.container, children[index])
        if node.parent >= 0:
            children[node.parent][node.key] = like
    return like


def _like(container: Any, children: dict[Any, Any]) -> Any:
    """Return a container of the same kind with these children, by key."""
    if isinstance(container, dict):
        own = {k: children[k] for k in container if k in children}  # in its order
        if type(container) is dict:
            return own
        like = copy(container)  # which keeps what else it has, as a default factory
        like.clear()
        like.update(own)
        return like
    values = [children[k] for k in range(len(children))]
    if hasattr(container, "_make"):  # of a named tuple
        return container._make(values)
    if isinstance(container, list) and type(container) is not list:
        listed = copy(container)  # with its attributes
        listed[:] = values
        return listed
    return tuple(values) if isinstance(container, tuple) else values
