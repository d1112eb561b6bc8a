"""Which saved arrays and groups are those of an optimizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lrcore._shared.words import listed, shown, spelled
from lrcore.optimizers.base.planned import Planned

Match = Literal["place", "path"]
"""How saved arrays are matched to the arrays of the optimizer."""


class Loaded(NamedTuple):
    """The paths of the arrays that ``load_state_dict`` could not match.

    missing : in the optimizer only; their states are unchanged.
    unexpected : in the saved dict only.
    """

    missing: list[str]
    unexpected: list[str]


def sources(opt: Planned, names: Any, match: Match) -> tuple[list[int | None], Loaded]:
    """Return the saved array, if any, for each of ours, and the unmatched arrays."""
    paths = [leaf.path for leaf in opt._tree.leaves]
    saved = list(names)
    if match == "place":
        found = [i if i < len(saved) else None for i in range(len(paths))]
    else:
        place = {name: i for i, name in enumerate(saved) if isinstance(name, str)}
        found = [place.get(path) for path in paths]
    taken = set(found)
    return found, Loaded(
        [path for path, i in zip(paths, found, strict=True) if i is None],
        [name for i, name in enumerate(saved) if i not in taken],
    )


def pairs(
    opt: Planned, saved: Mapping[str, Any], strict: bool
) -> list[tuple[int, int]]:
    """Return the index of each of our groups, and that of its saved one.

    Groups of the same pattern are matched; those without a pattern, by their place.
    """
    n = len(saved["param_groups"])
    theirs = saved.get("patterns", [None] * n)
    if not isinstance(theirs, (list, tuple)) or len(theirs) != n:
        raise ValueError(f"patterns: expected {n} patterns, found {shown(theirs)}")
    ours = [group.pattern for group in opt.param_groups]
    place = {name: k for k, name in enumerate(_numbered(theirs))}
    found = [(i, place.get(name)) for i, name in enumerate(_numbered(ours))]
    matched = [(i, k) for i, k in found if k is not None]
    if strict and len(matched) != len(ours):
        raise ValueError(
            f"patterns: expected [{listed(ours)}], in any order, found "
            f"[{listed(theirs)}]; strict=False loads the groups of the same pattern"
        )
    return matched


def _numbered(patterns: Sequence[Any]) -> list[tuple[str, int]]:
    """Return each pattern with the number of equal ones before it."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in map(spelled, patterns):
        numbered.append((name, seen[name]))
        seen[name] += 1
    return numbered
