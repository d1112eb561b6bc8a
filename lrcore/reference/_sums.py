"""Sums of squares, in the order in which the kernels add."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array

__all__ = ["Squares", "measured", "squares"]


class Squares(NamedTuple):
    """A sum of squares in three parts, which keep any finite sum in range.

    mid : the sum over strips whose own sum is in range.
    small, large : the sums of (2^600 x)^2 and (2^-600 x)^2 over the other strips.
    """

    mid: Any
    small: Any
    large: Any

    def norm(self) -> Any:
        """Return the square root of the sum."""
        down = 2.0**-600
        if self.large > 0:
            return np.sqrt(self.large + self.mid * down * down) / down
        if self.mid > 0 or np.isnan(self.mid):
            return np.sqrt(self.mid + self.small * down * down)
        return np.sqrt(self.small) * down

    def mean(self, n: int) -> Squares:
        """Return the sum divided by n."""
        return Squares(*(part / np.float64(n) for part in self))

    def within_float(self, factor: float) -> Any:
        """Return factor^2 times the sum, or the largest float if that is smaller."""
        most, whole = np.finfo(np.float64).max, factor * factor * self.mid
        if not np.isfinite(self.mid) or (self.large == 0 and whole <= most):
            return whole
        return most


def squares(x: Array) -> Squares:
    """Return the sum of squares in float64, in the kernels' order.

    Elements in memory order are split in strips of 2,048.  In a strip, element i is
    added to lane i modulo 32; then the second half of the lanes is added to the first,
    until one lane is left.  The sums of the strips are added in order.
    """
    total = Squares(np.float64(0), np.float64(0), np.float64(0))
    flat = x.ravel(order="K")
    with np.errstate(all="ignore"):
        for first in range(0, flat.size, 2048):
            part = _part_of(flat[first : first + 2048])
            total = Squares(*(a + b for a, b in zip(total, part, strict=True)))
    return total


def measured(x: Array) -> Squares:
    """Return the sum of squares in the order in which a step adds those of its report.

    Unlike :func:`squares` it adds in x's dtype, at most 32 squares in a lane; the lanes
    are added in float64.  The squares have to be in range.
    """
    flat, none = x.ravel(order="K"), np.float64(0)
    total = none
    for first in range(0, flat.size, 2048):
        strip = flat[first : first + 2048]
        pieces = [lanes_of(p * p) for p in (strip[:1024], strip[1024:])]
        total += added_up(pieces[0].astype(np.float64) + pieces[1])
    return Squares(total, none, none)


def _part_of(strip: Array) -> Squares:
    found, none = squares_of(strip), np.float64(0)
    if strip.dtype == np.float64 and found < 2.0**-900:
        return Squares(none, squares_of(strip * 2.0**600), none)
    if strip.dtype == np.float64 and np.isinf(found) and np.isfinite(strip).all():
        return Squares(none, none, squares_of(strip * 2.0**-600))
    return Squares(found, none, none)


def squares_of(strip: Array) -> Any:
    wide = strip.astype(np.float64)
    return sum_of(wide * wide)


def sum_of(terms: Array) -> Any:
    return added_up(lanes_of(terms))


def lanes_of(terms: Array) -> Array:
    rows = np.zeros((max(-(-terms.size // 32), 1), 32), terms.dtype)
    rows.ravel()[: terms.size] = terms
    lanes: Array = np.add.accumulate(rows)[-1]
    return lanes


def added_up(lane: Array) -> Any:
    while lane.size > 1:
        lane = lane[: lane.size // 2] + lane[lane.size // 2 :]
    return lane[0]
