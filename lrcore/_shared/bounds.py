"""What keeps finite gradients from making a NaN, in Python: see src_c/bounds.inc.

Of arrays, as the kernels have it, to the bit; and of the numbers that a group carries.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from lrcore._shared.types import Array

LARGEST_RATE = float(np.finfo(np.float32).max)
"""The largest rate that is in range in both types."""


def finite(*numbers: float) -> bool:
    """Return whether all numbers are finite.

    Sums of squares of gradients from 1e154 on are not.  Then a group keeps its numbers,
    as it would never lose an infinite one.
    """
    return isfinite(sum(numbers)) or all(map(isfinite, numbers))  # the sum is faster


def largest(x: Array) -> Any:
    """Return the largest number of x's type."""
    return np.finfo(x.dtype).max


def within(x: Array, most: Any) -> Array:
    """Return x within +-most; NaN stays."""
    return np.where(x > most, most, np.where(x < -most, -most, x))


def if_finite(x: Array, g: Array) -> Array:
    """Return x, or NaN where g, of which x is made, is not finite."""
    return np.asarray(x - (g - g))


def most_squarable(x: Array) -> Any:
    """Return what can be squared, three times over, in x's type."""
    return x.dtype.type(2.0**62 if x.dtype == np.float32 else 2.0**510)


def bounded(g: Array, most: Any) -> Array:
    """Return g within +-most, and NaN where it is not finite."""
    return if_finite(within(g, g.dtype.type(most)), g)


def squarable(g: Array) -> Array:
    """Return g, as large as it can be squared at most."""
    return bounded(g, most_squarable(g))


def summable(g: Array) -> Array:
    """Return g, so large at most that a momentum of it is in range."""
    return bounded(g, 2.0**112 if g.dtype == np.float32 else 2.0**1008)


def comparable(g: Array) -> Array:
    """Return g, so large at most that two of them have a difference."""
    return bounded(g, 2.0**126 if g.dtype == np.float32 else 2.0**1022)


def saturated(x: Array, g: Array) -> Array:
    """Return a sum that g enters, in the range of its type."""
    return if_finite(within(x, largest(x)), g)


def capped(x: Array) -> Array:
    """Return a sum of squares, in the range of its type."""
    return np.where(x > largest(x), largest(x), x)


def difference(to: Array, start: Array) -> Array:
    """Return to - start, in the range of their type."""
    return saturated(to - start, to)


def toward(start: Array, to: Array, weight: Any) -> Array:
    """Return start, moved by a share of its way to `to`: a mean of any numbers."""
    return np.asarray(start + weight * difference(to, start))
