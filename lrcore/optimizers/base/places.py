"""Which array a caller means, by its number or by its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrcore._tree import Tree


def index(tree: Tree, places: Mapping[tuple[Any, ...], int], which: Any) -> int:
    """Return the index of a leaf.

    places : each leaf's index by its keys, from the outermost container on.
    which : an index, a key of the params, or a tuple of keys.

    Raises
    ------
    ValueError
        There is none; the message lists them all.
    """
    leaves = tree.leaves
    if isinstance(which, int) and not isinstance(which, bool):
        if -len(leaves) <= which < len(leaves):
            return which % len(leaves)
    else:
        keys = which if isinstance(which, tuple) else (which,)
        if (found := places.get(keys)) is not None:
            return found
    raise ValueError(
        f"which: expected an int below {len(leaves)} or the keys of one of "
        f"{', '.join('params' + leaf.path for leaf in leaves)}, found {which!r}"
    )
