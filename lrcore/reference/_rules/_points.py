"""Rules that move p from or to another point: a start p0, or a sequence z."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lrcore._shared.bounds import capped, largest, saturated, squarable, within
from lrcore._shared.types import Array

__all__ = ["dadapt_sgd", "ftrl", "madgrad", "schedule_free", "schedule_free_adam"]


def ftrl(c: Sequence[float], g: Array, n: Array, z: Array, p: Array) -> Array:
    """``z += g - (sqrt(n + g^2) - sqrt(n)) / alpha p;  n += g^2``; u is the new p.

    g is multiplied by w first, which is 0 in a step whose lr is 0.
    """
    old = np.sqrt(n)
    g = c[4] * squarable(g)
    n[...] = capped(n + g * g)
    root = np.sqrt(n)
    sigma = within((root - old) * c[0], largest(g))
    z[...] = within(z + (g - sigma * (c[3] * p)), largest(g))
    under = root * c[0] + c[1]
    u = (np.where(z < 0, -c[2], c[2]) - z) / under
    return np.where((np.abs(z) <= c[2]) | (under == 0), 0, u)


def madgrad(c: Sequence[float], g: Array, s: Array, v: Array, p0: Array) -> Array:
    """``s += w g;  v += w g^2;  u = p0 - s / (cbrt(v) + eps)``."""
    g = squarable(g)
    s += c[0] * g
    v[...] = capped(v + c[0] * (g * g))
    return p0 - s / (_cbrt(v) + c[1])


def dadapt_sgd(c: Sequence[float], g: Array, s: Array, p0: Array) -> Array:
    """``s += w g;  u = p0 - s``."""
    s[...] = saturated(s + c[0] * g, g)
    return within(p0 - s, largest(s))


def schedule_free(c: Sequence[float], g: Array, z: Array, p: Array) -> Array:
    """``e = lr g + w p;  u = c (p - z) + share e;  z -= e``."""
    e = saturated(c[2] * g + c[3] * p, g)
    apart = within(p - z, largest(z))
    z[...] = within(z - e, largest(z))
    return within(c[0] * apart + c[1] * e, largest(z))


def schedule_free_adam(
    c: Sequence[float], g: Array, z: Array, v: Array, p: Array
) -> Array:
    """Like schedule_free, of ``g / (sqrt(v) r + eps)`` with ``v += (1-b2)(g^2-v)``."""
    g = squarable(g)
    v += c[4] * (g * g - v)
    return schedule_free(c, g / (np.sqrt(v) * c[5] + c[6]), z, p)


def _cbrt(v: Array) -> Array:
    """Return the cube root, by Newton's method for v^(-1/3).

    The first guess divides the exponent of v by -3: see src_c/rules/madgrad.h.
    """
    real = v.dtype.type
    single = v.dtype == np.float32
    bits: Any = np.uint32 if single else np.uint64
    start, steps = (0x54A2FA8C, 3) if single else (0x553EF0FF289DD796, 4)
    i: Any = np.atleast_1d(v).view(bits) >> bits(2)
    for shift in (2, 4, 8):
        i = i + (i >> bits(shift))
    y: Array = (bits(start) - i).view(v.dtype).reshape(v.shape)
    for _ in range(steps):
        y = y * (real(4 / 3) - (v * y) * (y * y) * real(1 / 3))
    return v * y * y
