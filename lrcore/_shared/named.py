"""Things that are picked by their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from lrcore._shared.words import listed, named, shown

Thing = TypeVar("Thing")


def picked(argument: str, name: Any, things: Mapping[str, Thing]) -> Thing:
    """Return the thing of this name.

    Raises
    ------
    ValueError
        There is none; the message suggests a similar name, and lists the names.

    Examples
    --------
    >>> picked("color", "red", {"red": 1, "blue": 2})
    1
    """
    if isinstance(name, str) and name in things:
        return things[name]
    raise ValueError(
        f"{argument}: expected one of {listed(things, named, room=1200)}, found "
        f"{shown(name)}{_suggestion(name, things)}"
    )


def meant(
    name: Any, names: Collection[str], elsewhere: Mapping[str, str] | None = None
) -> str | None:
    """Return the name that is closest to an unknown one, or None if none is close.

    elsewhere : for some of the names, what other libraries call it: words with spaces
        between them.  The first name that has the unknown one among them is returned.

    Examples
    --------
    >>> meant("Ruby", ["red", "rub"], {"red": "rouge ruby"})
    'red'
    """
    if not isinstance(name, str) or len(name) > 40:  # longer than any name
        return None
    asked = name.lower()
    for ours, theirs in (elsewhere or {}).items():
        if ours in names and asked in theirs.split():
            return ours
    from difflib import get_close_matches  # slow to import, and rarely needed

    lower = {each.lower(): each for each in names}
    near = get_close_matches(asked, lower, n=1)
    return lower[near[0]] if near else None


def _suggestion(name: Any, things: Mapping[str, Any]) -> str:
    near = meant(name, things)
    return f"; did you mean {near}?" if near else ""
