"""The gauges of gauges.def: each returns the terms that are summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._shared.bounds import squarable
from lrcore._shared.types import Array

__all__ = [
    "along_adam",
    "along_delta",
    "along_last",
    "along_last_adam",
    "along_sum",
    "along_way",
    "distance",
    "norm",
]


def distance(
    c: Sequence[float], g: Array, p: Array, p0: Array
) -> tuple[Array, Array, Array]:
    """``g^2, (p - p0)^2, p^2``."""
    g, p, p0 = _wide(g, p, p0)
    return g * g, (p - p0) * (p - p0), p * p


def along_delta(
    c: Sequence[float], g: Array, p: Array, delta: Array
) -> tuple[Array, Array, Array, Array]:
    """``g delta, g^2, p^2, p delta``."""
    g, p, delta = _wide(g, p, delta)
    return g * delta, g * g, p * p, p * delta


def norm(c: Sequence[float], g: Array, p: Array) -> tuple[Array]:
    """``g^2``."""
    (g,) = _wide(g)
    return (g * g,)


def along_way(
    c: Sequence[float], g: Array, p: Array, p0: Array, s: Array
) -> tuple[Array, Array]:
    """``g (p0 - p), |b3 s + w g|``."""
    g = squarable(g)
    after = c[0] * s + c[1] * g
    g, p, p0 = _wide(g, p, p0)
    return g * (p0 - p), *_wide(np.abs(after))


def along_adam(
    c: Sequence[float], g: Array, p: Array, v: Array, s: Array
) -> tuple[Array, Array]:
    """``g s / (sqrt(v) + eps), |b3 s + w g|``."""
    g = squarable(g)
    way, after = s / (np.sqrt(v) + c[2]), c[0] * s + c[1] * g
    g, way, size = _wide(g, way, np.abs(after))
    return g * way, size


def along_sum(
    c: Sequence[float], g: Array, p: Array, s: Array
) -> tuple[Array, Array, Array]:
    """``g s, (s + w g)^2, g^2``."""
    g, s, after = _wide(g, s, s + c[0] * g)
    return g * s, after * after, g * g


def along_last(c: Sequence[float], g: Array, p: Array, g_old: Array) -> tuple[Array]:
    """``g g_old``."""
    g, g_old = _wide(g, g_old)
    return (g * g_old,)


def along_last_adam(
    c: Sequence[float], g: Array, p: Array, m: Array, v: Array
) -> tuple[Array]:
    """``g m / (sqrt(v + root) r + eps)``."""
    g, u = _wide(g, m / (np.sqrt(v + c[0]) * c[1] + c[2]))
    return (g * u,)


def _wide(*arrays: Array) -> tuple[Array, ...]:
    return tuple(a.astype(np.float64) for a in arrays)
