"""The parts of a step around its rule: Mechanic, and averages of the params."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._shared.bounds import saturated, toward
from lrcore._shared.types import Array

__all__ = ["average", "mechanic", "mechanic_begin"]


def mechanic_begin(p: Array, delta: Array, p0: Array, numbers: Sequence[float]) -> None:
    """``p0 += p - (p0 - before delta)``, before the rule; numbers: as in mechanic()."""
    with np.errstate(all="ignore"):
        before = p.dtype.type(numbers[1])
        p0 += p - (p0 - before * delta)


def mechanic(p: Array, delta: Array, p0: Array, numbers: Sequence[float]) -> None:
    """``was = p0 - before delta;  delta = keep delta + was - p;  p = p0 - s delta``.

    numbers: keep, before and s.
    """
    with np.errstate(all="ignore"):
        keep, before, s = np.asarray(numbers, dtype=p.dtype)
        was = p0 - before * delta
        delta[...] = saturated(keep * delta + (was - p), p)
        p[...] = p0 - s * delta


def average(a: Array, p: Array, weight: float, pulls: bool = False) -> None:
    """``a += weight (p - a)``; then ``p = a``, if the average pulls.

    Weight 1 copies p exactly; weight 0 changes nothing.
    """
    if weight == 0:
        return
    with np.errstate(all="ignore"):
        a[...] = p if weight == 1 else toward(a, p, p.dtype.type(weight))
        if pulls:
            p[...] = a
