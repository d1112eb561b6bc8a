"""The variables of OpenMP that say how many threads there may be."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

VARIABLES = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT")

_NUMBERS = re.compile(r"\s*\+?([0-9]{1,18})\s*(,\s*\+?[0-9]{1,18}\s*)*", re.ASCII)


def number(name: str, environment: Mapping[str, str] = os.environ) -> int | None:
    """Return the number of threads that a variable sets, as OpenMP reads it.

    It is the first one of a list (``"4,2"``, for nested regions).  None: it is not set,
    or OpenMP ignores it, as ``"abc"``, ``"0"``, ``"-3"`` and ``"1e9"``.
    """
    found = _NUMBERS.fullmatch(environment.get(name, ""))
    if not found or not all(map(int, found.group().split(","))):
        return None
    return int(found.group(1))


def ignored(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that are set to what is no number of threads."""
    return {
        name: environment[name]
        for name in VARIABLES
        if environment.get(name) and number(name, environment) is None
    }
