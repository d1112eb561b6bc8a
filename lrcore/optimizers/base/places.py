"""Which array a caller means, by its number or by its keys."""

from __future__ import annotations

from typing import Any

from lrcore._shared.trees import Place, Places, Tree, find
from lrcore._shared.words import listed, shown


def index(tree: Tree, places: Places, which: Any) -> int:
    """Return the index of a leaf.

    places : what finds it by its keys.
    which : an index, a key of the params, or a tuple of keys.

    Raises
    ------
    ValueError
        There is none; the message lists what there is.
    """
    leaves = tree.leaves
    if isinstance(which, int) and not isinstance(which, bool):
        if -len(leaves) <= which < len(leaves):
            return which % len(leaves)
    else:
        keys = which if isinstance(which, tuple) else (which,)
        if (found := find(places, keys)) is not None:
            return found
    raise ValueError(
        f"which: expected an int below {len(leaves)} or the keys of one of "
        f"{listed(leaves, lambda leaf: str(Place('params', leaf)))}, "
        f"found {shown(which)}"
    )
