"""Groups by patterns of the names of arrays.

The name of an array is its path with dots: ``layers.0.bias`` for the path
``['layers'][0]['bias']``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from lrcore._shared.domains import Domain
from lrcore._shared.trees import Leaf, Tree
from lrcore._shared.words import kind, listed, shown
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.grouping import arrays_of, grouped
from lrcore.optimizers.base.keywords import Hyper, known
from lrcore.optimizers.base.kind import Kind


class Wanted(NamedTuple):
    """A group to make of the arrays that a pattern matches.

    pattern : None: of the arrays that no pattern matches.
    optimizer : the class that updates them.
    """

    pattern: str | None
    optimizer: type[Kind]
    hyper: Hyper


def make(
    argument: str, params: Any, wanted: Sequence[Wanted]
) -> tuple[Tree, tuple[ParamGroup, ...]]:
    """Return the checked arrays of params, and their groups, in the order of `wanted`.

    argument : the one that has the patterns, for errors.
    wanted : a group without a pattern is left out if it has no array.

    Raises
    ------
    TypeError, ValueError
        The params cannot be updated, or are groups already; a pattern is left without
        an array, or an array without a pattern.
    """
    if grouped(params):
        raise ValueError(
            f"{argument}: found patterns, and params that are a list of groups; pass "
            "the params in one structure, or the hyper-parameters in the dicts of that "
            "list"
        )
    tree = arrays_of(params)
    of = _assigned(argument, [each.pattern for each in wanted], tree.leaves)
    own: list[dict[str, Any]] = [{} for _ in wanted]
    for leaf, k in zip(tree.leaves, of, strict=True):
        own[k][leaf.path] = leaf.array
    kept = [
        k for k, (pattern, *_) in enumerate(wanted) if pattern is not None or own[k]
    ]
    groups = []
    for k in kept:
        pattern, optimizer, hyper = wanted[k]
        try:
            group = ParamGroup(
                own[k], hyper, optimizer, by_pattern=True, pattern=pattern
            )
        except (TypeError, ValueError) as error:
            if pattern is None:
                raise
            where = f"{argument}[{shown(pattern)}]"
            raise type(error)(f"{where}: {error}") from None
        groups.append(group)
    return tree.in_groups([kept.index(k) for k in of]), tuple(groups)


def split(
    params: Any, groups: Mapping[str, Hyper], defaults: Hyper, optimizer: type[Kind]
) -> tuple[Tree, tuple[ParamGroup, ...]]:
    """Return the checked arrays of params, and the groups that `groups` asks for.

    The first group has the arrays that match no pattern, if there are any.
    """
    wanted = [Wanted(None, optimizer, defaults)]
    for pattern, own in groups.items():
        known(f"groups[{shown(pattern)}]", own, defaults, elsewhere=optimizer._fields)
        wanted.append(Wanted(pattern, optimizer, {**defaults, **own}))
    return make("groups", params, wanted)


class Patterns(Domain):
    """The dicts from patterns to hyper-parameters; `check` returns a copy."""

    kind = "dict"

    def _read(self, name: str, value: Any, wanted: str) -> dict[str, Hyper]:
        own = {}
        for pattern, hyper in by_pattern(name, value, wanted):
            if not isinstance(hyper, Mapping):
                raise TypeError(
                    f"{name}[{shown(pattern)}]: expected a dict of hyper-parameters, "
                    f"found {shown(hyper)}"
                )
            own[pattern] = dict(hyper)
        return own


PATTERNS = Patterns("a dict from patterns to dicts of hyper-parameters")


def by_pattern(name: str, value: Any, wanted: str) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a dict that has patterns for keys.

    Raises
    ------
    TypeError
        It is no such dict; the message says that `wanted` was expected.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected {wanted}, found {shown(value)}")
    for pattern, own in value.items():
        if not isinstance(pattern, str):
            raise TypeError(
                f"{name}: expected patterns for keys, such as '*.bias', found "
                f"{shown(pattern)} ({kind(pattern)})"
            )
        yield pattern, own


# --- which array belongs to which pattern ---------------------------------------------


def _assigned(
    argument: str, patterns: Sequence[str | None], leaves: Sequence[Leaf]
) -> list[int]:
    """Return the index of the first pattern that matches each array.

    A pattern None matches the arrays that no other pattern matches.
    """
    of: list[int | None] = [None] * len(leaves)
    paths, names = [leaf.path for leaf in leaves], [leaf.name for leaf in leaves]
    for k, pattern in enumerate(patterns):
        if pattern is None:
            continue
        matched = _matched(pattern, paths, names)
        if not matched:
            raise ValueError(_unmatched(argument, pattern, names))
        left = [i for i in matched if of[i] is None]
        if not left:
            earlier = {patterns[of[i] or 0]: None for i in matched}
            raise ValueError(
                f"{argument}: {shown(pattern)} matches only arrays that "
                f"{listed(earlier)} matched before, and the first match counts; put it "
                "first, or leave it out"
            )
        for i in left:
            of[i] = k
    rest = patterns.index(None) if None in patterns else None
    missing = [name for name, k in zip(names, of, strict=True) if k is None]
    if missing and rest is None:
        raise ValueError(
            f"{argument}: no pattern matches {listed(missing)}; end with the "
            "pattern '*', which matches all that is left"
        )
    return [rest or 0 if k is None else k for k in of]


def _matched(pattern: str, paths: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the indices of the arrays with this path, or else a name that matches."""
    by_path = [i for i, path in enumerate(paths) if path == pattern]
    # "*.bias" matches the name "bias", too.
    ways = [pattern, pattern[2:]] if pattern.startswith("*.") else [pattern]
    return by_path or [
        i for i, name in enumerate(names) if any(fnmatchcase(name, way) for way in ways)
    ]


def _unmatched(argument: str, pattern: str, names: Sequence[str]) -> str:
    """Return the message about a pattern that matches no array."""
    near = _near(pattern, names[:_MOST])
    hint = f"; did you mean {listed(near)}?  There are" if near else "; there are"
    return (
        f"{argument}: the pattern {shown(pattern)} matches no array{hint} "
        f"{listed(names, room=1000)}"
    )


_MOST = 200
"""The number of arrays among whose names similar ones are sought, and the length of
patterns for which that is done."""


def _near(pattern: str, names: Sequence[str]) -> list[str]:
    """Return patterns that are similar to one, and match."""
    if len(pattern) > _MOST:
        return []
    from difflib import get_close_matches  # needed only here

    near = {name: name for name in names}  # each pattern by its words
    for name in names:
        words = name.split(".")
        for k in range(1, len(words)):
            first, last = ".".join(words[:k]), ".".join(words[k:])
            near |= {first: f"{first}.*", last: f"*.{last}"}
    words_alone = re.sub(r"[^\w-]+", ".", pattern).strip(".")
    return [near[found] for found in get_close_matches(words_alone, near, n=3)]
