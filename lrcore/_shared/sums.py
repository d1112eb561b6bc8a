"""A sum whose bits are the same in every version of Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def in_order(terms: Iterable[Any], first: Any = 0.0) -> Any:
    """Return ``first + term + ...``, from left to right, rounded after each addition.

    The builtin `sum` does so up to Python 3.11 only: from 3.12 on it compensates for
    the rounding of floats.  Numbers that a step depends on are added by this function.
    """
    for term in terms:
        first = first + term
    return first
