"""Numbers as users give them: Python's, NumPy's scalars and 0-d arrays."""

from __future__ import annotations

import math
import operator
from typing import Any

from lrcore._shared.words import shown

# NumPy's kinds that float() takes for numbers: bool, complex, times, strings.
_NO_REALS = ("b", "c", "m", "M", "S", "U")


def real(name: str, value: Any, what: str) -> float:
    """Return a float (inf where it is too large); strings, bools and None are none.

    Raises
    ------
    TypeError
        It is no real number; the message says that `what` was expected.
    """
    try:
        dtype = getattr(value, "dtype", None)
        if isinstance(value, (str, bytes, bool, type)) or (
            getattr(dtype, "kind", "") in _NO_REALS
        ):
            raise TypeError
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {what}, found {shown(value)}") from None


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
        raise TypeError(f"{name}: expected {what}, found {shown(value)}") from None
    if number < least:
        raise ValueError(f"{name}: expected {what}, found {shown(value)}")
    return number
