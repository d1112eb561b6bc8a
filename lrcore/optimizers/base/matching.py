"""Which saved arrays and groups are those of an optimizer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lrcore._shared import containers
from lrcore._shared.words import listed, named, shown, spelled
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


def sources(
    opt: Planned, saved: Mapping[str, Any], match: Match
) -> tuple[list[int | None], Loaded]:
    """Return the saved array, if any, for each of ours, and the unmatched arrays."""
    paths = [leaf.path for leaf in opt._tree.leaves]
    names = containers.entries("names", saved["names"])
    if match == "place":
        found = [i if i < len(names) else None for i in range(len(paths))]
    else:
        place = _places("names", names)
        _places("params", paths)  # for its errors
        ours, theirs = opt._tree.grouped, _in_groups(saved)
        if theirs and not ours:
            place = _places("names", _without_groups(names))
        bare = _without_groups(paths) if ours and not theirs else paths
        found = [
            place.get(path, place.get(other))
            for path, other in zip(paths, bare, strict=True)
        ]
    taken = set(found)
    return found, Loaded(
        [path for path, i in zip(paths, found, strict=True) if i is None],
        [name for i, name in enumerate(names) if i not in taken],
    )


def _in_groups(saved: Mapping[str, Any]) -> bool:
    """Return whether saved paths begin with the index of a group.

    Of a single group one cannot tell; groups of patterns share one structure.
    """
    groups = containers.entries("param_groups", saved["param_groups"])
    return len(groups) > 1 and None in saved.get("patterns", [None])


def _without_groups(paths: Sequence[str]) -> list[str]:
    """Return paths without the index of the group, unless some are the same then."""
    bare = [re.sub(r"^\[\d+\]", "", path) for path in paths]
    count = Counter(bare)
    return [
        short if count[short] == 1 else path
        for short, path in zip(bare, paths, strict=True)
    ]


def _places(name: str, paths: Sequence[Any]) -> dict[str, int]:
    """Return the index of each path, of which no two may be the same."""
    found: dict[str, int] = {}
    for i, path in enumerate(paths):
        if not isinstance(path, str):
            raise TypeError(f"{name}[{i}]: expected a path, found {shown(path)}")
        if found.setdefault(path, i) != i:
            raise ValueError(
                f"{name}: found the path {named(path)} twice, of keys with one repr, "
                'which match="path" cannot tell apart; use match="place"'
            )
    return found


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
