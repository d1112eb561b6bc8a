"""Things that are picked by their names."""

from __future__ import annotations

from collections.abc import Mapping
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


def _suggestion(name: Any, things: Mapping[str, Any]) -> str:
    if not isinstance(name, str) or len(name) > 40:  # longer than any name
        return ""
    from difflib import get_close_matches  # slow to import, and rarely needed

    lower = {each.lower(): each for each in things}
    near = get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean {lower[near[0]]}?" if near else ""
