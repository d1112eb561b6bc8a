"""Rules of two moments: Adam and those that vary it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._shared.bounds import (
    comparable,
    most_squarable,
    saturated,
    squarable,
    within,
)
from lrcore._shared.types import Array
from lrcore.reference._rules._gradients import sign

__all__ = [
    "adabelief",
    "adam",
    "adamax",
    "adan",
    "ademamix",
    "adopt",
    "amsgrad",
    "laprop",
    "nadam",
    "prodigy",
    "yogi",
]


def adam(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """``m += (1-b1)(g-m);  v += (1-b2)(g^2-v);  u = m / (sqrt(v + root) r + eps)``."""
    g = squarable(g)
    m += c[0] * (g - m)
    v += c[1] * (g * g - v)
    return m / (np.sqrt(v + c[2]) * c[3] + c[4])


def amsgrad(c: Sequence[float], g: Array, m: Array, v: Array, v_max: Array) -> Array:
    """Like adam, with the largest ``x v`` so far instead of v in the denominator."""
    adam(c, g, m, v)
    now = c[5] * v
    v_max[...] = np.where(v_max > now, v_max, now)
    return m / (np.sqrt(v_max + c[2]) * c[3] + c[4])


def nadam(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """Like adam, with the numerator ``x g + y m``."""
    adam(c, g, m, v)
    return (c[5] * squarable(g) + c[6] * m) / (np.sqrt(v + c[2]) * c[3] + c[4])


def ademamix(c: Sequence[float], g: Array, m: Array, v: Array, m_slow: Array) -> Array:
    """Like adam, of ``m + alpha m_slow``, where ``m_slow += (1-b3)(g-m_slow)``."""
    adam(c, g, m, v)
    m_slow += c[5] * (squarable(g) - m_slow)
    return (m + c[6] * m_slow) / (np.sqrt(v + c[2]) * c[3] + c[4])


def laprop(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """``v += (1-b2)(g^2-v);  m += (1-b1)(g / (sqrt(v + root) r + eps) - m)``."""
    g = squarable(g)
    v += c[1] * (g * g - v)
    m += c[0] * (g / (np.sqrt(v + c[2]) * c[3] + c[4]) - m)
    return m


def adabelief(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """Like adam, with ``v += (1-b2)((g-m)^2-v) + grow``."""
    g = squarable(g)
    m += c[0] * (g - m)
    surprise = g - m
    v += c[1] * (surprise * surprise - v)
    v += c[5]
    return m / (np.sqrt(v + c[2]) * c[3] + c[4])


def yogi(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """Like adam, with ``v += (1-b2) sign(g^2-v) g^2``."""
    g = squarable(g)
    m += c[0] * (g - m)
    square = g * g
    v += c[1] * (sign(c, square - v) * square)
    return m / (np.sqrt(v + c[2]) * c[3] + c[4])


def adamax(c: Sequence[float], g: Array, m: Array, n: Array) -> Array:
    """``m += (1-b1)(g-m);  n = max(b2 n, |g| + eps);  u = m / (n + outside)``."""
    g = comparable(g)
    m += c[0] * (g - m)
    old, new = c[1] * n, np.abs(g) + c[2]
    n[...] = np.where(old > new, old, new)
    return m / (n + c[3])


def adan(
    c: Sequence[float], g: Array, m: Array, d: Array, n: Array, g_old: Array
) -> Array:
    """``e = again (g-g_old);  u = (m + y d) / (sqrt(n) r + eps)``.

    m, d and n are the running means of g, e and ``(g + b2 e)^2``.
    """
    g = squarable(g)
    e = c[3] * (g - g_old)
    ahead = g + c[4] * e
    m += c[0] * (g - m)
    d += c[1] * (e - d)
    n += c[2] * (ahead * ahead - n)
    g_old[...] = g
    return (m + c[5] * d) / (np.sqrt(n) * c[6] + c[7])


def adopt(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """``x = g / max(sqrt(v), eps)`` within +-most;  ``m += (1-b1)(x-m);  u = m``.

    v, the running mean of g^2, is updated after its use.
    """
    g = squarable(g)
    root = np.sqrt(v)
    x = within(g / np.where(root < c[2], c[2], root), c[3])
    m += c[0] * (x - m)
    v += c[1] * (g * g - v)
    return m


def prodigy(c: Sequence[float], g: Array, m: Array, v: Array, s: Array) -> Array:
    """Like adam, with ``x = b g`` in v and ``a x`` in m;  ``s = b3 s + w g``."""
    g = squarable(g)
    x = within(c[3] * g, most_squarable(g))
    m += c[0] * (c[2] * x - m)
    v += c[1] * (x * x - v)
    s[...] = saturated(c[4] * s + c[5] * g, g)
    return m / (np.sqrt(v) + c[6])
