"""Rules that need the gradient, its running mean or its sign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._shared.bounds import comparable, summable
from lrcore._shared.types import Array

__all__ = ["lion", "momentum", "nesterov", "rprop", "sgd", "sgd_hd", "sign", "signum"]


def sgd(c: Sequence[float], g: Array) -> Array:
    """``u = g``."""
    return g


def sgd_hd(c: Sequence[float], g: Array, g_old: Array) -> Array:
    """``u = g;  g_old = g``."""
    g_old[...] = g
    return g


def momentum(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m = mu m + w g;  u = m``."""
    m[...] = c[0] * m + c[1] * summable(g)
    return m


def nesterov(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m = mu m + w g;  u = x g + mu m``."""
    return c[2] * summable(g) + c[3] * momentum(c, g, m)


def sign(c: Sequence[float], g: Array) -> Array:
    """``u = sign(g)``; the sign of NaN is NaN."""
    return np.where(g > 0, 1, np.where(g < 0, -1, g)).astype(g.dtype)


def signum(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m += (1-b)(g-m);  u = sign(m)``."""
    m += c[0] * (comparable(g) - m)
    return sign(c, m)


def lion(c: Sequence[float], g: Array, m: Array) -> Array:
    """``u = sign(m + (1-b1)(g-m));  m += (1-b2)(g-m)``."""
    d = comparable(g) - m
    mix = m + c[0] * d
    m += c[1] * d
    return sign(c, mix)


def rprop(c: Sequence[float], g: Array, g_old: Array, d: Array) -> Array:
    """``d *= eta+, eta- or 1``, by the sign of g g_old;  ``u = sign(g) d``.

    Where the sign of g has changed, g counts as 0.
    """
    agree = g * g_old
    factor = np.where(agree > 0, c[3], np.where(agree < 0, c[2], 1))
    new = (c[0] + c[1] * d) * factor
    new = np.where(new < c[4], c[4], new)
    d[...] = np.where(new > c[5], c[5], new)
    g_old[...] = np.where(agree < 0, 0, g)
    return np.where(g_old > 0, d, np.where(g_old < 0, -d, g_old))
