"""Numbers as users give them: Python's, NumPy's scalars and 0-d arrays."""

from __future__ import annotations

import math
import operator
from typing import Any


def real(name: str, value: Any, what: str) -> float:
    """Return a float (inf where it is too large); strings, bools and None are none.

    Raises
    ------
    TypeError
        It is no number; the message says that `what` was expected.
    """
    try:
        if isinstance(value, (str, bytes, bool, type)):
            raise TypeError
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {what}, found {value!r}") from None


def whole(name: str, value: Any, what: str, *, least: int) -> int:
    """Return an int of at least `least`.

    Raises
    ------
    TypeError, ValueError
        It is no whole number, or a smaller one; the message says that `what` was
        expected.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected {what}, found {value!r}") from None
    if number < least:
        raise ValueError(f"{name}: expected {what}, found {value!r}")
    return number
