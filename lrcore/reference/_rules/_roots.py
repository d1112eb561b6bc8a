"""Rules that divide the gradient by the root of a sum or mean of its squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._shared.bounds import capped, squarable
from lrcore._shared.types import Array

__all__ = [
    "adadelta",
    "adagrad",
    "rmsprop",
    "rmsprop_centered",
    "rmsprop_centered_momentum",
    "rmsprop_momentum",
]


def adagrad(c: Sequence[float], g: Array, a: Array) -> Array:
    """``a += g^2;  u = g / (sqrt(a + root) + eps)``."""
    g = squarable(g)
    a[...] = capped(a + g * g)
    return g / (np.sqrt(a + c[0]) + c[1])


def rmsprop(c: Sequence[float], g: Array, v: Array) -> Array:
    """``v += (1-a)(g^2-v);  u = g / (sqrt(v + root) + eps)``."""
    g = squarable(g)
    v += c[0] * (g * g - v)
    return g / (np.sqrt(v + c[1]) + c[2])


def rmsprop_centered(c: Sequence[float], g: Array, v: Array, mg: Array) -> Array:
    """Like rmsprop, with ``mg += (1-a)(g-mg)`` and ``v - mg^2`` instead of v."""
    g = squarable(g)
    v += c[0] * (g * g - v)
    mg += c[0] * (g - mg)
    variance = v - mg * mg
    return g / (np.sqrt(np.where(variance < 0, 0, variance) + c[1]) + c[2])


def rmsprop_momentum(c: Sequence[float], g: Array, v: Array, m: Array) -> Array:
    """``m = mu m + w rmsprop;  u = m``."""
    m[...] = c[3] * m + c[4] * rmsprop(c, g, v)
    return m


def rmsprop_centered_momentum(
    c: Sequence[float], g: Array, v: Array, mg: Array, m: Array
) -> Array:
    """``m = mu m + w rmsprop_centered;  u = m``."""
    m[...] = c[3] * m + c[4] * rmsprop_centered(c, g, v, mg)
    return m


def adadelta(c: Sequence[float], g: Array, v: Array, d: Array) -> Array:
    """``v += (1-rho)(g^2-v);  u = sqrt((d+eps)/(v+eps)) g;  d += (1-rho)(u^2-d)``."""
    g = squarable(g)
    v += c[0] * (g * g - v)
    u = np.sqrt((d + c[1]) / (v + c[1])) * g
    d += c[0] * (u * u - d)
    return u
