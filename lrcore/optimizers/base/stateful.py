"""Settings that change between steps: how they are saved and restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lrcore._stateful import StatefulSetting
from lrcore.optimizers.base.keywords import Hyper


def copied(sets: Sequence[Mapping[str, Any]]) -> list[Hyper]:
    """Copy sets of hyper-parameters and their stateful settings; sharing is kept."""
    copies: dict[int, StatefulSetting] = {}

    def copy(value: Any) -> Any:
        if not isinstance(value, StatefulSetting):
            return value
        return copies.setdefault(id(value), value._copy())

    return [{name: _each(value, copy) for name, value in h.items()} for h in sets]


def kept(
    sets: Sequence[Mapping[str, Any]],
) -> list[tuple[StatefulSetting, StatefulSetting]]:
    """Return each stateful setting of sets of hyper-parameters with a copy of it."""
    found = {
        id(each): (each, each._copy())
        for own in sets
        for value in own.values()
        for each in _elements(value)
        if isinstance(each, StatefulSetting)
    }
    return [*found.values()]


def inherited(
    own: Sequence[Mapping[str, Any]], saved: Sequence[Mapping[str, Any]]
) -> tuple[list[Hyper], list[tuple[StatefulSetting, StatefulSetting]]]:
    """Return the saved sets with their stateful settings replaced, and the pairs.

    The replacement is the object at the same place in our own sets, if it has the same
    type and does not replace another one yet; otherwise it is a copy.  Shared objects
    in the saved sets stay shared.  The pairs are (our object, the saved one).
    """
    heirs: dict[int, StatefulSetting] = {}
    takes: list[tuple[StatefulSetting, StatefulSetting]] = []
    taken: set[int] = set()  # ids of the first of each pair
    for mine, theirs in zip(own, saved, strict=True):
        for name, value in theirs.items():
            for old, new in zip(_elements(mine[name]), _elements(value), strict=False):
                if not isinstance(new, StatefulSetting) or id(new) in heirs:
                    continue
                if type(old) is type(new) and id(old) not in taken:
                    heirs[id(new)] = old
                    takes.append((old, new))
                    taken.add(id(old))
    # Copies come last: a later place may still offer an object of ours.
    copies = {
        id(new): new._copy()
        for theirs in saved
        for value in theirs.values()
        for new in _elements(value)
        if isinstance(new, StatefulSetting) and id(new) not in heirs
    }
    heirs |= copies

    def heir(value: Any) -> Any:
        return heirs.get(id(value), value)

    return [{n: _each(value, heir) for n, value in h.items()} for h in saved], takes


def fixed(value: Any) -> tuple[Any, ...]:
    """Return a value, or its elements, without the stateful settings."""
    return tuple(
        None if isinstance(each, StatefulSetting) else each for each in _elements(value)
    )


def _elements(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _each(value: Any, f: Callable[[Any], Any]) -> Any:
    return tuple(map(f, value)) if isinstance(value, tuple) else f(value)
