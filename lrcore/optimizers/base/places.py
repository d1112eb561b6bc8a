"""Finds the array that a caller names by its index or its keys."""

from __future__ import annotations

from typing import Any

from lrcore._shared.trees import Place, Places, Tree, find
from lrcore._shared.words import listed, shown


def index(tree: Tree, places: Places, which: Any, name: str = "which") -> int:
    """Return the index of a leaf.

    places : finds it by its keys.
    which : a key of the params, a tuple of keys, or an index, unless the params are a
        dict that has ints for keys.  A tuple may also be one key.
    name : of the argument `which`, for errors.

    Raises
    ------
    ValueError
        There is none, or a tuple names two; the message lists the arrays.
    """
    leaves = tree.leaves
    by_place = not places.has_int_keys
    if by_place and isinstance(which, int) and not isinstance(which, bool):
        if -len(leaves) <= which < len(leaves):
            return which % len(leaves)
    else:
        found = find(places, (which,))
        by_path = find(places, which) if isinstance(which, tuple) else None
        if found is None:
            found = by_path
        elif by_path is not None:
            raise ValueError(
                f"{name}: found {shown(which)}, which is the key of one array and the "
                f"path to another; give its place, {found} or {by_path}"
            )
        if found is not None:
            return found
    raise ValueError(
        f"{name}: expected {f'an int below {len(leaves)} or ' if by_place else ''}"
        "the keys of one of "
        f"{listed(leaves, lambda leaf: str(Place('params', leaf)))}, "
        f"found {shown(which)}"
    )
