"""Times and numbers as the tables print them."""

from __future__ import annotations

from lrcore.bench.clock import Timing


def seconds(t: float) -> str:
    """Return a time in its unit.

    >>> seconds(0.0000123456), seconds(1.5)
    ('12.3 us', '1.50 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if t >= size:
            return f"{figures(t / size)} {unit}"
    return f"{figures(t / 1e-9)} ns"


def figures(x: float) -> str:
    """Return a number to three figures, or all before the point.

    >>> figures(0.4567), figures(12.345), figures(12345.6)
    ('0.457', '12.3', '12,346')
    """
    if x >= 100:
        return f"{x:,.0f}"
    if x >= 10:
        return f"{x:.1f}"
    if x >= 1:
        return f"{x:.2f}"
    return f"{x:.3f}" if x >= 0.001 else f"{x:.0e}"


def spread(t: Timing) -> float:
    """Return half the interquartile range over the median."""
    return (t.high - t.low) / 2 / t.median
